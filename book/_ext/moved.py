"""Leave a small page at each address that a page once had, which sends its reader on to where the page is now.

``moved`` in Sphinx's settings names the old page and the new one, both without ``.html``.
"""

import html
import posixpath
from pathlib import Path

from sphinx.util import logging

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="robots" content="noindex">
<meta http-equiv="refresh" content="1; url={place}">
<script>location.replace("{place}" + location.search + location.hash)</script>
</head>
<body><h1>{title}</h1><p>This page is now <a href="{place}">here</a>.</p></body>
</html>
"""


def leave_pages(app, exception):
    """Write the pages; warn of one that leads nowhere, and of one that would hide a page of the book."""
    if exception is not None or app.builder.name != "html":
        return
    for old, new in app.config.moved.items():
        if new not in app.env.found_docs or old in app.env.found_docs:
            wrong = f"there is a page {old}" if old in app.env.found_docs else f"there is no page {new}"
            logging.getLogger(__name__).warning("moved: %s leads to %s, but %s", old, new, wrong)
            continue
        place = posixpath.relpath(f"{new}.html", posixpath.dirname(old))
        target = Path(app.outdir) / f"{old}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        title = html.escape(app.env.titles[new].astext())
        target.write_text(PAGE.format(title=title, place=place), encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("moved", {}, "env", dict)
    app.connect("build-finished", leave_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
