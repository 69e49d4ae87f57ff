"""The plain notebooks call things as the finished book does: its numbers, and the places that they link to."""

import re
from pathlib import Path

import nbformat
import pytest

from book.tools import pairs, values, whereabouts
from physnn.lab.running.outcome import glued

ROOT = Path(__file__).resolve().parents[2]
SOURCES = pairs.sources(ROOT / "notebooks")
FORMULA = re.compile(r'id="equation-(eq-[\w-]+)".{0,200}?class="eqno">\(([\d.]+)\)?<', re.DOTALL)
FIGURE = re.compile(r'<figure[^>]*\bid="([\w-]+)".*?class="caption-number">Fig\. ([\d.]+) ?<', re.DOTALL)


def test_formulas_and_figures_have_the_numbers_of_the_pages(book):
    told = whereabouts.book()
    found = {}
    for page in told.titles:
        text = (book / f"{page}.html").read_text(encoding="utf-8")
        found |= {label: (page, number) for label, number in FORMULA.findall(text) + FIGURE.findall(text)}
    assert len(found) > 200
    assert {label: place for label, place in told.places.items() if label in found} == found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_link_into_the_book_leads_somewhere(book, source):
    base = whereabouts.book().address
    cells = nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    targets = set(re.findall(rf"\({re.escape(base)}([^)#]+)#?([^)]*)\)", text))
    assert (f"notebooks/{source.stem}.html", "") in targets
    for page, anchor in targets:
        assert (book / page).exists(), page
        assert not anchor or f'id="{anchor}"' in (book / page).read_text(encoding="utf-8"), f"{page}#{anchor}"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_recorded_numbers_are_those_of_the_book(book, source):
    made = glued(nbformat.read(book.parent / "executed" / f"{source.stem}.ipynb", as_version=4))
    assert values.stale(source, made) == []
    assert values.recorded(source).every.keys() <= made.keys()
