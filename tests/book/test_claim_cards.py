"""The cards of the claims: headings in order, links to figures that say what was found, no number from elsewhere."""

import re
import sys
from pathlib import Path

import pytest
from docutils import nodes
from docutils.utils import new_document

from book.tools import claims

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import claim_cards  # noqa: E402

CLAIMS, WORKS = claims.read(ROOT / "book/claims.yml"), claims.read_works(ROOT / "book/works.yml")
LISTED = [(f"claim {each.number}", each) for each in CLAIMS] + [(each.name, each) for each in WORKS]
NAMES = [name for name, _ in LISTED]
CAPTION = re.compile(r"^    caption: \|\n((?: {6}.*\n)+)    name: ([\w-]+)$", re.MULTILINE)
# What opens a caption that describes axes, and leaves the finding to the reader
DESCRIBES = re.compile(r"(?:The share|How|Where|Whether|The primary|(?:Test |Validation )?[Aa]ccuracy|\w+ error) ")


def tree(depth: int, *classes: str) -> nodes.document:
    """Return a document with an admonition below so many sections."""
    place = document = new_document("x")
    for _ in range(depth):
        place += nodes.section()
        place = place[-1]
    place += nodes.admonition(
        "", nodes.title("", "", nodes.Text("Claim 1")), nodes.paragraph("", "Fails"), classes=classes
    )
    return document


@pytest.mark.parametrize(("depth", "level"), [(1, 2), (2, 3), (3, 4), (7, 6)])
def test_the_title_of_a_card_is_a_heading_of_the_next_level(depth, level):
    document = tree(depth, "claim", "fails")
    claim_cards.headings(None, document)
    (heading,) = document.findall(nodes.rubric)
    assert heading["classes"] == ["admonition-title", f"heading-{level}"]
    written = claim_cards.HEADING.sub(
        r"<h\2>\3</h\2>", f'<p class="admonition-title heading-{level} rubric">Claim 1</p>'
    )
    assert written == f"<h{level}>Claim 1</h{level}>"
    assert heading.astext() == "Claim 1" and not list(document.findall(nodes.title))
    assert heading.parent.index(heading) == 0


def test_other_boxes_keep_their_titles():
    document = tree(2, "brief")
    claim_cards.headings(None, document)
    assert not list(document.findall(nodes.rubric)) and list(document.findall(nodes.title))


@pytest.mark.parametrize(("name", "each"), LISTED, ids=NAMES)
def test_a_card_leads_to_a_figure_whose_caption_opens_with_a_finding(name, each):
    """Or, where formulas alone decide, to the formula."""
    page, label = ROOT / f"{each.decided['page']}.md", each.decided.get("label", "")
    if all("formula" in how for how in each.rule["effects"].values()):
        assert label.startswith("eq-")
        return
    if not page.exists():  # the numbers come before the chapter
        return
    captions = {found[1]: " ".join(found[0].split()) for found in CAPTION.findall(page.read_text(encoding="utf-8"))}
    assert label in captions, f"{page.name} has no figure {label}"
    assert not DESCRIBES.match(captions[label]), f"{label}: {captions[label]}"


@pytest.mark.parametrize(("name", "each"), LISTED, ids=NAMES)
def test_what_is_found_does_not_lean_on_the_place_of_a_number(name, each):
    """The same words stand above all numbers on the scoreboard, and above a few of them in the introduction."""
    found = [*each.says.values(), *(each.rule.get("repair") or {"found": ""}).get("missing", "").splitlines()]
    for said in found:
        assert not re.search(r"\bnumbers?\b(?: \w+)* (?:say|show|tell)s?\b|numbers (?:are )?(?:below|above)", said), (
            said
        )
