"""Serve MathJax from the book's own files, so that formulas appear without a network.

Jupyter Book puts every script below a ``_static`` source folder on every page, so MathJax is copied
into the finished site instead. Without the wheel that carries it, Sphinx's default host is used.

The wheel ``sphinx-mathjax-offline``, of 2022, holds npm's ``mathjax@3.2.2``, the last MathJax 3, byte for byte (a test
compares what is copied). Taken from npm itself, either 2 MB would be committed here, 1.2 of them one script, or whoever
installs with pip or conda alone would need a network again when the book is built. As a wheel it comes with all the
other packages, by a locked hash.
"""

import importlib.util
import shutil
from pathlib import Path

PARTS = ["tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions"]  # 2 of the wheel's 24 MB suffice


def carried():
    """Return the folder of MathJax's files in the wheel."""
    return Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"


def copy_mathjax(app, exception):
    """Copy what pages load of MathJax into the site."""
    if exception is not None or app.builder.format != "html":
        return
    source = carried()
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copy2(source / part, target / part)


def setup(app):
    """Register with Sphinx."""
    if importlib.util.find_spec("sphinx-mathjax-offline"):
        app.config.mathjax_path = "mathjax/tex-chtml.js"
        app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
