"""The MathJax that the site is given is the one its makers released."""

import hashlib

from book._ext import offline_math

# Over the paths and contents of PARTS in the folder package/es5 of what `npm pack mathjax@3.2.2` downloads.
RELEASED = "f3bca7a2140f3e4a6c974aa6bd96fa6e462d5693fb060d3b620b47de8e5a9687"


def test_the_wheel_carries_what_npm_has():
    folder, seen = offline_math.carried(), hashlib.sha256()
    files = [path for part in offline_math.PARTS for path in [folder / part, *(folder / part).rglob("*")]]
    for path in sorted(path for path in files if path.is_file()):
        seen.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    assert seen.hexdigest() == RELEASED
