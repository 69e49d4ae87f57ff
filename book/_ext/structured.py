"""Say what each page is in the words of schema.org, for machines: a chapter of a book, its authors, days and license.

The book is described by ``CITATION.cff``, the days stand in ``dates.json``; ``book/tools/stage.py`` puts both beside
the pages. What is not there is not said.
"""

import json
from functools import cache
from pathlib import Path

import yaml

LICENSES = "https://spdx.org/licenses"
NAMES = {"blog": "BlogPosting", "article": "ScholarlyArticle", "book": "Book"}  # of the kinds in CITATION.cff


@cache
def beside(folder: str) -> tuple[dict, dict]:
    """Return what ``CITATION.cff`` and ``dates.json`` in a folder say; nothing where they are missing."""
    citation, dates = Path(folder, "CITATION.cff"), Path(folder, "dates.json")
    cited = yaml.safe_load(citation.read_text(encoding="utf-8")) if citation.exists() else {}
    return cited, json.loads(dates.read_text(encoding="utf-8")) if dates.exists() else {}


def names(people: list[dict]) -> list[dict]:
    """Return people and groups of ``CITATION.cff`` as schema.org has them."""
    return [
        {"@type": "Organization", "name": each["name"]}
        if "name" in each
        else {"@type": "Person", "name": f"{each.get('given-names', '')} {each.get('family-names', '')}".strip()}
        for each in people
    ]


def days(first_and_last: list[str]) -> dict:
    """Return a page's first and last day, if they are known."""
    return dict(zip(("datePublished", "dateModified"), first_and_last, strict=False))


def book(app, cited: dict) -> dict:
    """Return what the whole book is."""
    base, root = app.config.html_baseurl.rstrip("/"), app.config.root_doc
    said = {"@type": "Book", "@id": f"{base}/#book", "name": cited.get("title", app.config.html_title)}
    said |= {"url": f"{base}/{root}.html", "inLanguage": app.config.language or "en"}
    if "license" in cited:
        said["license"] = f"{LICENSES}/{cited['license']}"
    return said | {"author": names(cited.get("authors", []))}


def described(app, page: str, about: str) -> dict:
    """Return what a page is: the first one stands for the book, a numbered one is a chapter of it."""
    cited, dated = beside(str(app.srcdir))
    whole, base, title = book(app, cited), app.config.html_baseurl.rstrip("/"), app.env.titles[page].astext()
    number = app.env.toc_secnumbers.get(page, {}).get("")
    if page == app.config.root_doc:
        based = [
            {
                "@type": NAMES.get(each["type"], "CreativeWork"),
                "name": each["title"],
                "datePublished": str(each.get("date-published", "")),
            }
            for each in cited.get("references", [])
        ]
        said = whole | {"headline": title, "version": str(cited.get("version", "")), "isBasedOn": based}
        said |= {"abstract": " ".join(cited.get("abstract", "").split()), "keywords": cited.get("keywords", [])}
    else:
        said = {"@type": ["Chapter", "ScholarlyArticle"] if number else "Article", "name": title, "headline": title}
        said |= {"url": f"{base}/{page}.html", "position": number[0] if number else "", "isPartOf": whole}
        said |= {key: whole[key] for key in ("author", "license", "inLanguage") if key in whole}
    said |= {"description": about, "image": f"{base}/_static/card.png"} | days(dated.get(page, []))
    markdown = {"@type": "MediaObject", "encodingFormat": "text/markdown", "contentUrl": f"{base}/{page}.md"}
    said["encoding"] = markdown
    return {"@context": "https://schema.org"} | {key: value for key, value in said.items() if value not in ("", [])}


def add(app, pagename, templatename, context, doctree):
    """Put what the page is into its head; nothing where the book has no address."""
    if doctree is None or not app.config.html_baseurl:
        return
    about = app.extensions["published"].module.description(doctree)
    said = json.dumps(described(app, pagename, about), ensure_ascii=False).replace("<", "\\u003c")
    context["metatags"] += f'\n<script type="application/ld+json">{said}</script>'


def setup(app):
    """Register with Sphinx."""
    app.setup_extension("published")
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
