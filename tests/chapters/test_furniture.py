"""What chapters share they share in the package: no long hidden cell, and no twenty lines twice."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from book.tools import pairs

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("[!.]*.md"))
HIDING = ("hide-", "remove-")
LONGEST, SHARED = 25, 8  # lines without blank ones


def cells(source):
    """Return the lines of each code cell, without blank ones, with its tags."""
    found = [cell for cell in pairs.notebook(source).cells if cell.cell_type == "code"]
    return [
        ([line.rstrip() for line in cell.source.splitlines() if line.strip()], cell.metadata.get("tags", []))
        for cell in found
    ]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_no_hidden_cell_is_long(source):
    long = {
        f"{lines[0]} …": len(lines)
        for lines, tags in cells(source)
        if any(tag.startswith(HIDING) for tag in tags) and len(lines) > LONGEST
    }
    assert not long, f"hidden cells of more than {LONGEST} lines: split them, or move into the package what is general"


def test_no_two_chapters_share_a_page_of_code():
    """The lines after the imports: the head of each chapter names what it needs, and may look like another's."""
    where = defaultdict(set)
    for source in SOURCES:
        for lines, _ in cells(source)[1:]:
            for start in range(len(lines) - SHARED + 1):
                where[tuple(lines[start : start + SHARED])].add(source.stem)
    twice = {lines[0]: chapters for lines, chapters in where.items() if len(chapters) > 1}
    assert not twice, f"{SHARED} lines and more that two chapters share belong into the package"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_each_chapter_ends_with_its_numbers_and_its_provenance(source):
    (*_, (listed, shown), (told, seen)) = cells(source)[: None if source.stem != "speed" else -1]
    assert listed[-1].startswith("numbers(") and shown == ["hide-output"]
    assert len(told) == 1 and told[0].startswith("provenance(p, ") and seen == ["remove-input", "provenance"]


@pytest.mark.parametrize(
    "source", [s for s in SOURCES if "Predictions(" in s.read_text(encoding="utf-8")], ids=lambda s: s.stem
)
def test_every_prediction_of_the_text_has_its_outcome(source):
    """The numbers of the table in the text are those that are added, one after the other."""
    text = source.read_text(encoding="utf-8")
    stated = [
        int(line.split("|")[1])
        for line in text.splitlines()
        if line.startswith("| ") and line.split("|")[1].strip().isdigit()
    ]
    added = [
        int(line.removeprefix("kept.add(").split(",")[0])
        for lines, _ in cells(source)
        for line in lines
        if line.startswith("kept.add(")
    ]
    assert stated == added and added[0] == 1 and all(b == a + 1 for a, b in pairwise(added))
