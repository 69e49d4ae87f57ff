"""What a notebook shows outside the book: no MyST is left, nothing is lost, and every link leads into the book."""

import re
from pathlib import Path

import nbformat
import pytest

from book.tools import pairs, plain, whereabouts
from book.tools.values import Values
from book.tools.whereabouts import Book, Work

ROOT = Path(__file__).resolve().parents[2]
SITE, CODE = "https://site/", "https://code/blob/main"
BOOK = Book(
    SITE,
    "https://code",
    {"notebooks/x": "Of x", "book/notation": "Notation"},
    {"eq-start": ("notebooks/x", "3.1"), "fig-end": ("notebooks/y", "4.2")},
    {"a2020": Work("A and B", "2020", "https://doi.org/1"), "b2021": Work("C et al.", "2021", "https://doi.org/2")},
)
VALUES = Values({"gap": "−1.2 [−2, −1]", "rate": 0.25, "n": 4}, {"minutes": "1.5"})
HERE = plain.Plain(BOOK, "notebooks/x", VALUES)


@pytest.mark.parametrize(
    ("myst", "expected"),
    [
        ("It is {glue:text}`gap` %, {glue:text}`n` times.", "It is −1.2 [−2, −1] %, 4 times."),
        ("{glue:text}`rate:.1e` of {glue:text}`live-n`, {glue:text}`minutes`", "2.5e-01 of `live-n`, `minutes`"),
        ("of another: {glue:text}`../notebooks/y.ipynb::n:.2f`.", "of another: `n`."),
        (
            "$$\na = b\n$$ (eq-start)\n\nsee {eq}`eq-start`",
            f"$$\na = b \\tag{{3.1}}\n$$\n\nsee [(3.1)]({SITE}notebooks/x.html#equation-eq-start)",
        ),
        ("In {numref}`fig-end`.", f"In [Fig. 4.2]({SITE}notebooks/y.html#fig-end)."),
        ("{eq}`eq-new`, {numref}`fig-new`", "(new), (new)"),
        (
            "So {cite:p}`a2020,b2021` and {cite:t}`b2021`",
            "So ([A and B, 2020](https://doi.org/1), [C et al., 2021](https://doi.org/2)) "
            "and [C et al. (2021)](https://doi.org/2)",
        ),
        ("Of {ref}`claim 19 <claim-19>`,", f"Of [claim 19]({SITE}book/scoreboard.html#claim-19),"),
        ("of {class}`physnn.Langevin`, $1-\\gamma$", "of `physnn.Langevin`, $1-\\gamma$"),
        (
            ":::{admonition} In short\n:class: brief\n\nQuestion\n: Does it?\n\nAnswer\n: {glue:text}`minutes`.\n:::",
            "> **In short**\n>\n> **Question.** Does it?\n>\n> **Answer.** 1.5.",
        ),
        (
            ":::{admonition} Answers\n:class: dropdown\n\nAfter {glue:text}`minutes`.\n:::",
            "> <details>\n> <summary>Answers</summary>\n>\n> After `minutes`.\n>\n> </details>",
        ),
        ("a `{literal}` and `code`", "a `{literal}` and `code`"),
    ],
)
def test_one_construct_at_a_time(myst, expected):
    assert HERE.markdown(myst) == expected


@pytest.mark.parametrize(
    ("myst", "expected"),
    [
        ("[](../book/notation.md)", f"[Notation]({SITE}book/notation.html)"),
        ("[words](x.ipynb#there)", f"[words]({SITE}notebooks/x.html#there)"),
        ("[word](../README.md)", f"[word]({CODE}/README.md)"),
        ("[](other.ipynb)", f"[notebooks/other.ipynb]({CODE}/notebooks/other.ipynb)"),
        ("[out](https://example.org/a.md)", "[out](https://example.org/a.md)"),
        ("`[](x.ipynb)` and f[a](b)", "`[](x.ipynb)` and f[a](b)"),
    ],
)
def test_links_lead_to_pages_or_to_the_repository(myst, expected):
    assert HERE.markdown(myst) == expected


def test_a_text_is_no_markdown():
    odd = plain.Plain(BOOK, "", Values({"odd": "a_b* < |∂u| `x` $1"}))
    assert odd.markdown("{glue:text}`odd`") == r"a\_b\* \< \|∂u\| \`x\` \$1"


def test_a_caption_has_its_number_and_leads_to_its_figure():
    figure = {"mystnb": {"figure": {"caption": "All fall, as {eq}`eq-start` says.\n", "name": "fig-end"}}}
    cell = nbformat.v4.new_code_cell("1", metadata=figure)
    formula = f"[(3.1)]({SITE}notebooks/x.html#equation-eq-start)"
    assert HERE.caption(cell) == f"**[Fig. 4.2]({SITE}notebooks/y.html#fig-end).** All fall, as {formula} says."
    assert HERE.caption(nbformat.v4.new_code_cell("1")) == ""


@pytest.mark.parametrize("source", pairs.sources(ROOT / "notebooks"), ids=lambda path: path.stem)
def test_the_committed_notebooks_are_plain(source):
    cells = nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert plain.of(source).note in texts[0] and f"notebooks/{source.stem}.html" in texts[0]
    for text in texts:
        assert not re.search(r"\{[\w:]+\}`|^:::|\]\(\s*\)|\[\]\(|\$\$ *\(", text, re.MULTILINE), text
        prose = re.sub(r"`[^`]*`|\$[^$]*\$", "", text)
        assert all(target.startswith("https://") for target in re.findall(r"\]\(([^)]+)\)", prose)), text
    figures = [cell for cell in pairs.notebook(source).cells if "figure" in cell.metadata.get("mystnb", {})]
    captions = [cell.source for cell in cells if pairs.is_caption(cell.id)]
    assert len(captions) == len(figures)
    assert all(re.match(r"\*\*\[Fig\. [\d.]+\]\(https://", caption) for caption in captions)


def test_works_are_named_as_in_the_book():
    works = whereabouts.book().works
    assert works["gronbech2013"].authors == "Grønbech-Jensen and Farago"
    assert works["kirkpatrick1983"].authors == "Kirkpatrick et al."
    assert works["post2024"] == Work("The post", "2024", whereabouts.book().page("book/references"))
    assert all(re.fullmatch(r"https://[^\s()]+", work.address) for work in works.values()), "Markdown would cut it"
    assert all(work.authors and not re.search(r"[{}\\]", work.authors) for work in works.values())
