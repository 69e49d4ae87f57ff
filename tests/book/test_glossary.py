"""The glossary: what it defines the book uses, where it says so; the first use on a page links to it, and no other."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document
from sphinx import addnodes

from book._ext import glossary

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / f"{glossary.PAGE}.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^(\S.*)\n(?:  % also: (.*)\n)?  (\S.*)\n\n  In \[\]\((\S+)\)\n", re.MULTILINE)
BLOCKS = re.findall(r"```\{glossary\}\n(.*?)```", SOURCE, re.DOTALL)
FOUND = [entry for block in BLOCKS for entry in ENTRY.findall(block)]
ARM = glossary.Entry("term-arm", ("arm",), "One of the settings.")
MORAN = glossary.Entry("term-morans-i", ("Moran's I", "Moran's"), "How alike neighbours are.")
HEAT = glossary.Entry("term-temperature", ("temperature",), "How strong the noise is.")
KINETIC = glossary.Entry("term-kinetic", ("kinetic temperature",), "By the velocities.")
LEVEL = glossary.Entry("term-95-interval", ("95 % interval",), "A range.")
ALL = [ARM, MORAN, HEAT, KINETIC, LEVEL]


def page(*children: nodes.Node) -> nodes.document:
    """Return a page with these parts."""
    document = new_document("page")
    document += children
    return document


def links(document: nodes.document) -> list[tuple[str, str, str]]:
    """Return the words, the address and the title of the links to the glossary."""
    return [
        (each.astext(), each["refuri"], each["reftitle"])
        for each in document.findall(nodes.reference)
        if glossary.CLASS in each.get("classes", [])
    ]


def test_every_entry_has_a_short_meaning_and_a_place():
    """None is left unread by the pattern, and a pointer's note has few words."""
    assert len(FOUND) == sum(len(re.findall(r"^\S", block, re.MULTILINE)) for block in BLOCKS) > 50
    for term, _, meaning, _ in FOUND:
        assert meaning.endswith(".") and len(meaning) <= 260 and not re.search(r"[$`{}*]", meaning), term
    every = [form for term, also, *_ in FOUND for form in [term, *filter(None, also.split(", "))]]
    assert len({form.casefold() for form in every}) == len(every), "two entries share a form"


@pytest.mark.parametrize(("term", "also", "_", "place"), FOUND, ids=[entry[0] for entry in FOUND])
def test_the_page_that_an_entry_names_uses_the_term(term, also, _, place):
    path = (ROOT / "book" / place).resolve().with_suffix(".md")
    prose = re.sub(r"```.*?```|\$\$.*?\$\$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    prose = prose.replace(r"$\hat R$", "R-hat")
    entry = glossary.Entry("x", (term, *filter(None, also.split(", "))), "")
    assert glossary.pattern([entry])[0].search(prose), f"{path.name} does not say {term!r}"


def test_the_first_use_links_with_its_meaning_and_later_ones_do_not():
    document = page(
        nodes.paragraph("", "Arms are named. ", nodes.strong("", "Each arm"), nodes.Text(".")),
        nodes.paragraph("", "By Moran’s I an arm is smooth, and Moran's is as before."),
    )
    before = document.astext()
    glossary.link(document, ALL, "../book/glossary.html")
    assert links(document) == [
        ("Arms", "../book/glossary.html#term-arm", "One of the settings."),
        ("Moran’s I", "../book/glossary.html#term-morans-i", "How alike neighbours are."),
    ]
    assert document.astext() == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("An alarm, an armed arm-chair.", []),
        ("The kinetic\ntemperature and the temperature.", ["kinetic\ntemperature", "temperature"]),
        ("At all temperatures, 95 % intervals.", ["temperatures", "95 % intervals"]),
        ("moran's is not a name.", []),
    ],
)
def test_only_whole_terms_the_longest_first(text, expected):
    document = page(nodes.paragraph("", text))
    glossary.link(document, ALL, "g")
    assert [words for words, *_ in links(document)] == expected


def closed(kind: type[nodes.Element]) -> nodes.Element:
    """Return a part of a page of some kind that says "arm" in a paragraph."""
    return kind("", nodes.paragraph("", "An arm."))


@pytest.mark.parametrize(
    "part",
    [
        nodes.title("", "An arm"),
        nodes.paragraph("", "", nodes.literal("", "arm"), nodes.reference("", "an arm"), nodes.math("", "arm")),
        nodes.figure("", nodes.caption("", "An arm.")),
        nodes.literal_block("", "an arm"),
        closed(nodes.table),
        closed(nodes.block_quote),
        closed(nodes.citation),
        closed(addnodes.desc),
        nodes.container("", nodes.paragraph("", "An arm."), classes=["cell_output"]),
        nodes.definition_list_item("", nodes.term("", "arm")),
    ],
    ids=lambda part: part.tagname,
)
def test_what_is_no_running_text_stays_as_it_is(part):
    document = page(part, nodes.paragraph("", "Another arm."))
    glossary.link(document, ALL, "g")
    (made,) = document.findall(lambda node: glossary.CLASS in getattr(node, "get", lambda *_: [])("classes", []))
    assert made.parent.astext() == "Another arm."


def test_entries_are_read_from_the_page():
    also = nodes.comment("", "also: double wells, double-well")
    meaning = nodes.definition("", also, nodes.paragraph("", "Two\nminima."), nodes.paragraph("", "In a chapter"))
    item = nodes.definition_list_item("", nodes.term("", "double well", ids=["term-double-well"]), meaning)
    document = page(addnodes.glossary("", nodes.definition_list("", item)))
    assert glossary.entries(document) == [
        glossary.Entry("term-double-well", ("double well", "double wells", "double-well"), "Two minima.")
    ]


@pytest.mark.parametrize(
    ("builder", "body", "loads"),
    [
        ("html", '<a class="term reference internal" href="g#a" title="x">arm</a>', True),
        ("html", '<a class="reference internal" href="#equation-eq-a">(1)</a>', True),
        ("html", '<a class="headerlink" href="#equation-eq-a">#</a>', False),
        ("epub", '<a class="term reference internal" href="g#a" title="x">arm</a>', False),
    ],
)
def test_the_script_is_loaded_where_there_is_something_to_show(builder, body, loads):
    loaded = []
    app = SimpleNamespace(builder=SimpleNamespace(name=builder), add_js_file=lambda name, **_: loaded.append(name))
    glossary.add_script(app, "page", "page.html", {"body": body}, None)
    assert loaded == [glossary.SCRIPT] * loads
    assert (ROOT / "book" / "static" / glossary.SCRIPT).exists()
