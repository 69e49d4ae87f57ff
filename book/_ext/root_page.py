"""Say at the book's root what the book is, and send whoever comes there on to its first page.

Without it the root is a redirect alone: no title in a tab, no language, nothing that a preview could show.
"""

import html
import re
from pathlib import Path

ABOUT = re.compile(r'<meta name="description" content="([^"]*)">')
PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<meta http-equiv="refresh" content="0; url={place}">{tags}
<link rel="icon" href="_static/favicon.svg" type="image/svg+xml">{icons}
<style>:root {{ color-scheme: light dark }} body {{ font: 1.1rem/1.5 Georgia, serif; margin: 2rem }}</style>
</head>
<body><p>{book}: the book begins at <a href="{place}">{first}</a></p></body>
</html>
"""


def write(app, exception):
    """Write the page, in the place of the bare redirect that Jupyter Book leaves there."""
    if exception is not None or app.builder.name != "html" or app.config.root_doc == "index":
        return
    root, base = app.config.root_doc, app.config.html_baseurl.rstrip("/")
    published = app.extensions["published"].module
    first, book = app.env.titles[root].astext(), app.config.html_title
    about = ABOUT.search(Path(app.outdir, f"{root}.html").read_text(encoding="utf-8"))
    tags = published.card(app, f"{first} — {book}", html.unescape(about[1]) if about else "", root)
    if base:  # one address for one text
        tags += f'\n<link rel="canonical" href="{html.escape(base)}/{root}.html">'
    icons = app.extensions["icons"].module.links(str)
    said = {
        "language": app.config.language or "en",
        "title": html.escape(f"{first} — {book}"),
        "tags": tags,
        "icons": icons,
    }
    said |= {"place": f"{root}.html", "book": html.escape(book), "first": html.escape(first)}
    Path(app.outdir, "index.html").write_text(PAGE.format(**said), encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.setup_extension("published")
    app.setup_extension("icons")
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
