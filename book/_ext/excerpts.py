"""Let the search show of a page what its reader reads: not the theme's buttons and lists around it, nor folded code."""

from pathlib import Path

SCRIPT = "excerpts.js"


def add(app, pagename, templatename, context, doctree):
    """Put the script on the page of the search, to run after Sphinx's own."""
    if pagename == "search":
        app.add_js_file(SCRIPT, defer="defer")


def setup(app):
    """Register with Sphinx."""
    app.connect("builder-inited", lambda app: app.config.html_static_path.append(str(Path(__file__).parent / "static")))
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
