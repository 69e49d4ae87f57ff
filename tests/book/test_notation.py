"""Letters that once meant two things mean one: they stand in the formulas of the pages whose meaning they have."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("[!.]*.md"))
# The letter, its meaning in book/notation.md, and the chapters that need it.
LETTERS = {
    r"\kappa": ("stiffness", {"free-energy", "images", "network-in-a-field"}),
    r"\rho": ("without scale", {"dynamic-weights", "layer-terms", "reading-the-network"}),
    r"\eta": ("noise", {"as-printed", "generation", "geometry", "langevin", "optimizer-terms"}),
    "D": ("Dirichlet", {"coherence"}),
    "G": ("Green", {"free-energy", "reading-the-network"}),
    "P": (
        "numbers",
        {
            "free-energy",
            "langevin",
            "optimizer-terms",
            "archaeology",
            "exploration",
            "reading-the-network",
            "heat-bath",
        },
    ),
    r"\lambda": (
        "curvature",
        {
            "free-energy",
            "dynamic-weights",
            "langevin",
            "optimizer-terms",
            "together",
            "exploration",
            "images",
            "network-in-a-field",
            "heat-bath",
        },
    ),
}


def formulas(page: str) -> str:
    """Return the formulas of a page without their words, and nothing of its code."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\$\$(.*?)\$\$|(?<!\\)\$([^$\n]+)\$", prose, re.DOTALL)
    return re.sub(r"\\(?:text|operatorname|mathrm)\{[^}]*\}", "", "\n".join(a or b for a, b in found))


def letter(name: str) -> str:
    return rf"{re.escape(name)}(?![A-Za-z])" if name[0] == "\\" else rf"(?<![A-Za-z\\]){name}(?![A-Za-z])"


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_stands_where_it_has_its_meaning(name):
    used = {page.stem for page in CHAPTERS if re.search(letter(name), formulas(page.read_text("utf-8")))}
    assert used <= LETTERS[name][1]
    meaning = [row for row in (ROOT / "book/notation.md").read_text("utf-8").splitlines() if LETTERS[name][0] in row]
    assert any(re.search(letter(name), row) for row in meaning)


@pytest.mark.parametrize("page", [*CHAPTERS, ROOT / "book/notation.md"], ids=lambda page: page.name)
def test_the_decay_is_a_curvature_with_its_index(page):
    text = page.read_text("utf-8")
    assert not re.search(r"decay \$\\lambda(?!_w)|g ?\+ ?\\lambda(?!_w)|λ(?!_w)[^\n]*`?weight_decay", text)


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.name)
def test_the_rapidity_has_no_letter_of_its_own(page):
    assert not re.search(r"\\(?:cosh|sinh|tanh) ?\\eta", page.read_text("utf-8"))
