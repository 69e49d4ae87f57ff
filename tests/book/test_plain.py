"""What a notebook shows outside the book: no MyST is left, and nothing is lost."""

import re
from pathlib import Path

import nbformat
import pytest

from book.tools import pairs, plain

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("myst", "expected"),
    [
        ("It is {glue:text}`gap` % and {glue:text}`../notebooks/x.ipynb::other:.2f`.", "It is `gap` % and `other`."),
        ("$$\na = b\n$$ (eq-start)\n\nsee {eq}`eq-start`", "$$\na = b \\tag{start}\n$$\n\nsee (start)"),
        ("of {class}`physnn.Langevin`, $1-\\gamma$", "of `physnn.Langevin`, $1-\\gamma$"),
        (
            ":::{admonition} In short\n:class: brief\n\nQuestion\n: Does it?\n\nAnswer\n: No.\n:::",
            "> **In short**\n>\n> **Question.** Does it?\n>\n> **Answer.** No.",
        ),
        ("a `{literal}` and `code`", "a `{literal}` and `code`"),
    ],
)
def test_one_construct_at_a_time(myst, expected):
    assert plain.markdown(myst) == expected


def test_links_and_citations_lead_to_the_repository():
    shown = plain.markdown("[](../book/notation.md), [](02-x.ipynb), {cite:p}`a2020,b2021`, [word](../README.md)")
    targets = re.findall(r"\[([^]]*)\]\(https://\S+?/blob/main/([^)]+)\)", shown)
    assert targets == [
        ("notation", "book/notation.md"),
        ("02-x", "notebooks/02-x.ipynb"),
        ("a2020, b2021", "book/references.bib"),
    ]
    assert "[word](../README.md)" in shown


@pytest.mark.parametrize("source", pairs.sources(ROOT / "notebooks"), ids=lambda path: path.stem)
def test_the_committed_notebooks_are_plain(source):
    cells = nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert plain.NOTE in texts[0]
    for text in texts:
        assert not re.search(r"\{[\w:]+\}`|^:::|\]\(\s*\)|\[\]\(|\$\$ *\(", text, re.MULTILINE), text
