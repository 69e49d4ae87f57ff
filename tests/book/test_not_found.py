"""The page for addresses that lead nowhere, the author's name within a sentence, and what machines are told."""

import json
from types import SimpleNamespace

import pytest
from docutils import nodes

from book._ext import not_found, structured, wording
from book.tools import epub_access


def test_relative_addresses_begin_at_the_root_and_no_others():
    page = """<html data-content_root="./"><link href="_static/a.css"><script src='b.js'></script>
<a href="book/intro.html">a</a><a href="#main">b</a><a href="https://x.org/">c</a><form action="search.html">
<a href="/d.html">d</a><a href="mailto:a@b.c">e</a><img src="data:image/png;base64,AA"> say href=it"""
    assert not_found.rooted(page, "/physnn/") == (
        """<html data-content_root="/physnn/"><link href="/physnn/_static/a.css"><script src='/physnn/b.js'></script>
<a href="/physnn/book/intro.html">a</a><a href="#main">b</a><a href="https://x.org/">c</a>"""
        """<form action="/physnn/search.html">
<a href="/d.html">d</a><a href="mailto:a@b.c">e</a><img src="data:image/png;base64,AA"> say href=it"""
    )


@pytest.mark.parametrize(("name", "said"), [("The physnn authors", "the physnn authors"), ("Theodor W.", "Theodor W.")])
def test_an_author_within_a_sentence(name, said):
    assert wording.within(name) == said


def application(folder):
    config = SimpleNamespace(html_baseurl="https://x.org/b/", html_title="b", root_doc="book/intro", language="en")
    env = SimpleNamespace(
        titles={name: nodes.title("", name) for name in ("book/intro", "a", "c")}, toc_secnumbers={"a": {"": (7,)}}
    )
    return SimpleNamespace(srcdir=folder, config=config, env=env)


CITATION = """title: The book
license: MIT
authors: [{name: The authors}, {given-names: Ada, family-names: Byron}]
abstract: >-
  Two
  lines
references: [{type: blog, title: The post, date-published: 2024-06-28}]
"""


def test_a_page_is_a_chapter_of_the_book(tmp_path):
    (tmp_path / "CITATION.cff").write_text(CITATION)
    (tmp_path / "dates.json").write_text(json.dumps({"a": ["2024-01-01", "2024-02-02"]}))
    chapter = structured.described(application(tmp_path), "a", "About <it>")
    assert chapter["@type"] == ["Chapter", "ScholarlyArticle"] and chapter["position"] == 7
    assert chapter["url"] == "https://x.org/b/a.html"
    assert chapter["encoding"]["contentUrl"] == "https://x.org/b/a.md"
    assert (chapter["datePublished"], chapter["dateModified"]) == ("2024-01-01", "2024-02-02")
    assert chapter["license"].endswith("/MIT") and chapter["isPartOf"]["name"] == "The book"
    assert chapter["author"] == [
        {"@type": "Organization", "name": "The authors"},
        {"@type": "Person", "name": "Ada Byron"},
    ]
    whole = structured.described(application(tmp_path), "book/intro", "About")
    assert whole["@type"] == "Book" and whole["@id"] == chapter["isPartOf"]["@id"] and whole["abstract"] == "Two lines"
    assert whole["isBasedOn"] == [{"@type": "BlogPosting", "name": "The post", "datePublished": "2024-06-28"}]
    json.dumps([chapter, whole])


def test_what_is_not_known_is_not_said(tmp_path):
    page = structured.described(application(tmp_path), "c", "")
    assert page["@type"] == "Article"
    assert not {"datePublished", "license", "position", "description"} & page.keys()


def test_the_epub_says_each_property_once_and_only_within_its_metadata():
    made = epub_access.described(b"<package><metadata><dc:title>x</dc:title></metadata><spine/></package>").decode()
    head, _, rest = made.partition("</metadata>")
    assert "schema:" not in rest
    for name, values in epub_access.SAID.items():
        assert head.count(f'property="schema:{name}"') == len(values) == len(set(values))
    with pytest.raises(ValueError, match="0 times"):
        epub_access.described(b"<package/>")
