"""Leave a page for addresses that lead nowhere, which GitHub Pages shows at any depth: its links begin at the root.

Where ``html.baseurl`` is not set, nobody knows where the root is, and there is no such page.
"""

import re
from pathlib import Path
from urllib.parse import urlsplit

NAME = "404"
TITLE = "There is no such page"
BODY = """<section>
<h1>There is no such page</h1>
<p>The address may have a slip in it, or the page has moved. The book itself is whole:</p>
<ul>
<li><a href="{root}.html">Introduction</a>: what was found, and the names of all chapters.</li>
<li><a href="book/scoreboard.html">Scoreboard</a>: what the post claims, and what was measured.</li>
<li><a href="search.html">Search</a> for a word.</li>
</ul>
</section>
"""
# What a browser takes as relative to the page; a place on the page itself stays one
RELATIVE = re.compile(r"""\b(href|src|action|data-content_root)=(["'])(?![a-z][a-z0-9+.-]*:|/|#)(?:\./)?""")


def collect(app):
    """Give Sphinx the page, to be set like any other."""
    if app.config.html_baseurl and app.builder.name == "html":
        body = BODY.format(root=app.config.root_doc)
        yield NAME, {"title": TITLE, "body": body}, "page.html"


def rooted(page: str, base: str) -> str:
    """Return the page with every relative address beginning at ``base``, which ends in a slash."""
    return RELATIVE.sub(lambda found: f"{found[1]}={found[2]}{base}", page)


def finish(app, exception):
    """Let the page's links begin at the root, and keep it out of what search engines list."""
    if exception is not None or app.builder.name != "html" or not app.config.html_baseurl:
        return
    made = Path(app.outdir, f"{NAME}.html")
    text = rooted(made.read_text(encoding="utf-8"), f"{urlsplit(app.config.html_baseurl).path.rstrip('/')}/")
    text = re.sub(r'\s*<link rel="canonical"[^>]*>', "", text)
    made.write_text(text.replace("<title>", '<meta name="robots" content="noindex">\n    <title>', 1), encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("html-collect-pages", collect)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
