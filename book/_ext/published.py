"""Tell the machines that link to the book what a page is: its address, its picture, what it is about.

Everything that needs the book's address is left out where ``html.baseurl`` is not set. Links to what is published
beside the pages lead to the copy that lies beside them.
"""

import html
from pathlib import Path
from xml.sax.saxutils import escape

from docutils import nodes

CARD = "_static/card.png"
CARD_SIZE = (1200, 630)
CARD_ALT = "The book's first picture: a field falling into domains, above a network's outputs falling into blocks."
SUMMARY = "SHOW_SEARCH_SUMMARY: true"
LENGTH = 200  # characters of a description that previews show


def description(doctree: nodes.document) -> str:
    """Return the page's first paragraph, without formulas, cut at a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section) and not any(paragraph.findall(nodes.math)):
            text = " ".join(paragraph.astext().split())
            if len(text) > LENGTH:
                text = text[:LENGTH].rsplit(" ", 1)[0].rstrip(" ,;:–") + " …"
            return text
    return ""


def card(app, title: str, about: str, page: str) -> str:
    """Return the tags by which a link to ``page``, named without ``.html``, is shown elsewhere."""
    base = app.config.html_baseurl.rstrip("/")
    tags = {"og:type": "article", "og:site_name": app.config.html_title, "og:title": title}
    said = ""
    if about:
        tags["og:description"] = about
        said = f'\n<meta name="description" content="{html.escape(about)}">'
    if base:
        tags |= {
            "og:url": f"{base}/{page}.html",
            "og:image": f"{base}/{CARD}",
            "og:image:width": str(CARD_SIZE[0]),
            "og:image:height": str(CARD_SIZE[1]),
            "og:image:alt": CARD_ALT,
        }
    said += "".join(f'\n<meta property="{name}" content="{html.escape(value)}">' for name, value in tags.items())
    return f'{said}\n<meta name="twitter:card" content="summary_large_image">'


def add_card(app, pagename, templatename, context, doctree):
    """Put the description and the social card into the page's head."""
    if doctree is not None:
        context["metatags"] += card(app, app.env.titles[pagename].astext(), description(doctree), pagename)


def finish(app, exception):
    """List the pages for search engines; let search work where a script may not read the pages it found."""
    if exception is not None or app.builder.format != "html":
        return
    out, base = Path(app.outdir), app.config.html_baseurl.rstrip("/")
    if base:
        places = ["", *(f"{page}.html" for page in sorted(app.env.found_docs))]  # the root sends its reader on
        entries = "".join(f"  <url><loc>{escape(f'{base}/{place}')}</loc></url>\n" for place in places)
        (out / "sitemap.xml").write_text(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{entries}</urlset>\n',
            encoding="utf-8",
        )
    options = out / "_static" / "documentation_options.js"
    text = options.read_text(encoding="utf-8")
    if SUMMARY not in text:
        raise RuntimeError(f"{options.name} no longer says {SUMMARY!r}: search from a folder needs another way")
    # A page opened from a folder may not fetch its neighbours: results are then titles alone.
    options.write_text(text.replace(SUMMARY, 'SHOW_SEARCH_SUMMARY: location.protocol !== "file:"'), encoding="utf-8")


def point_beside(app, doctree, docname):
    """Let a link to the address of what is published beside the pages lead to the copy that lies beside this one."""
    base = f"{app.config.html_baseurl.rstrip('/')}/"
    places = [Path(app.confdir, each) for each in app.config.html_extra_path]
    for link in doctree.findall(nodes.reference):
        name = link.get("refuri", "").removeprefix(base)
        if app.config.html_baseurl and name != link.get("refuri") and any((each / name).is_file() for each in places):
            link["refuri"] = f"{'../' * docname.count('/')}{name}"
            link["internal"] = True


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", add_card)
    app.connect("doctree-resolved", point_beside)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
