"""Cells whose code is folded and that follow one another: one fold, nothing lost, and no more than that."""

import pytest
from docutils import nodes

from book._ext import one_fold


def cell(code: str, *, output: str = "", mode: str = "input") -> nodes.container:
    """Return a cell as MyST-NB leaves it: its code in a fold, its output below."""
    wrap = nodes.Element(classes=["above-input" if mode == "input" else "below-input"])
    wrap += nodes.container("", nodes.literal_block(code, code), nb_element="cell_code_source")
    made = nodes.container("", wrap, nb_element="cell_code", hide_mode=mode, ids=[f"id-{code}"], names=[code])
    if output:
        made += nodes.container("", nodes.paragraph(output, output), nb_element="cell_code_output")
    return made


def merged(*children: nodes.Node) -> nodes.section:
    section = nodes.section("", *children)
    one_fold.merge(None, section, "page")
    return section


def codes(of: nodes.Node) -> list[str]:
    return [block.astext() for block in of.findall(nodes.literal_block)]


def test_three_in_a_row_are_one_and_the_output_stays_below():
    made = merged(cell("a"), cell("b"), cell("c", output="a figure"), nodes.paragraph("", "text"))
    first, text = made.children
    assert codes(one_fold.fold(first)) == ["a", "b", "c"]
    assert [part.astext() for part in first.children[1:]] == ["a figure"] and text.astext() == "text"
    assert first["ids"] == ["id-a", "id-b", "id-c"] and first["names"] == ["a", "b", "c"]
    assert all(code.parent is one_fold.fold(first) for code in one_fold.fold(first).children)


@pytest.mark.parametrize(
    "children",
    [
        [cell("a", output="a table"), cell("b")],
        [cell("a"), nodes.paragraph("", "text"), cell("b")],
        [cell("a"), cell("b", mode="output")],
        [cell("a", mode="all"), cell("b")],
        [cell("a"), nodes.target("", "", ids=["here"]), cell("b")],
    ],
    ids=["an output between", "text between", "an output folded", "all folded", "a place to link to between"],
)
def test_what_is_not_one_after_the_other_stays_apart(children):
    before = [codes(child) for child in children]
    assert [codes(child) for child in merged(*children).children] == before


def test_a_section_ends_a_row():
    inner = nodes.section("", cell("b"), cell("c"))
    outer = merged(cell("a"), inner)
    assert [codes(child) for child in outer.children] == [["a"], ["b", "c"]]
    assert len(inner.children) == 1
