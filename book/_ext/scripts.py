"""Send a script once, and after what there is to read.

Every interactive figure carries the plotting library, so that its notebook is whole by itself; in the site it becomes a
file that all pages share. What the theme and its extensions add runs when the page has been read.
"""

import hashlib
import re
from pathlib import Path

LIBRARY = re.compile(r"<script[^>]*>\n/\* BEGIN (bokeh[\w-]*)\.min\.js \*/.*?</script>", re.DOTALL)
LEVEL = re.compile(r'<script[^>]*>\s*Bokeh\.set_log_level\("info"\);\s*</script>')  # which is the library's own, too
SEARCH = "/searchtools.js"
LATER = re.compile(
    r"<script(?= )(?! defer)([^>]*/(?:doctools|sphinx_highlight|clipboard\.min|copybutton|togglebutton|design-tabs|"
    r"sphinx-book-theme)\.js[^>]*></script>)"
)


def lighten(app, exception):
    """Mend the pages of the finished site."""
    if exception is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        mended, libraries = mend(text, "../" * (len(page.relative_to(out).parts) - 1))
        for name, library in libraries.items():
            (out / "_static" / name).write_text(library, encoding="utf-8")
        if mended != text:
            page.write_text(mended, encoding="utf-8")


def mend(text: str, up: str) -> tuple[str, dict[str, str]]:
    """Return a page's text, and the files that were taken out of it, by name; ``up`` leads to the site's top."""
    libraries: dict[str, str] = {}

    def share(found: re.Match[str]) -> str:
        library = found[0].partition(">")[2].removesuffix("</script>")
        name = f"{found[1]}.{hashlib.sha256(library.encode()).hexdigest()[:12]}.js"
        libraries[name] = library
        return f'<script defer src="{up}_static/{name}"></script>'

    text = LEVEL.sub("", LIBRARY.sub(share, text))
    if SEARCH not in text:  # whose own scripts call these at once
        text = LATER.sub(r"<script defer\1", text)
    return text, libraries


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
