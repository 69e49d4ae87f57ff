"""Numbers are not parted from their signs, also where the number was pasted, and words are left alone."""

import pytest
from docutils import nodes

from book._ext import unbroken


def pasted(number: str) -> nodes.inline:
    return nodes.inline(number, number, classes=["pasted-text"])


def paragraph(*parts) -> nodes.paragraph:
    made = nodes.paragraph()
    made += [nodes.Text(part) if isinstance(part, str) else part for part in parts]
    unbroken.bind(None, section := nodes.section("", made), "page")
    assert section.children == [made]
    return made


def text(*parts) -> str:
    return paragraph(*parts).astext().replace("\N{NO-BREAK SPACE}", "~")


@pytest.mark.parametrize(
    ("parts", "bound"),
    [
        (["89 % of 20 ms, 3 GB"], "89~% of 20~ms, 3~GB"),
        (["It is ", pasted("10.4 [8.9, 11.8]"), " % of it"], "It is 10.4 [8.9, 11.8]~% of it"),
        ([pasted("9.6 [8.9,\n10.3] %")], "9.6 [8.9,\n10.3]~%"),
        ([nodes.strong("", nodes.Text("10")), "\n% and"], "10~% and"),
        ([nodes.math("10", "10"), " s"], "10~s"),
        (["20 seeds, 3 steps, 5 models, 2 minutes"], "20 seeds, 3 steps, 5 models, 2 minutes"),
        (["a % b, and ", pasted("many"), " %"], "a % b, and many %"),
        ([nodes.literal("", "print(10 % 3)")], "print(10 % 3)"),
        ([nodes.literal("", "", nodes.inline("", "10"), nodes.inline("", " % 3"))], "10 % 3"),
    ],
)
def test_a_sign_stays_with_its_number(parts, bound):
    assert text(*parts) == bound


def test_a_sign_belongs_to_no_number_of_another_paragraph():
    section = nodes.section("", nodes.paragraph("", "10"), nodes.paragraph("", " % is a sign"))
    unbroken.bind(None, section, "page")
    assert section.children[1].astext() == " % is a sign"


@pytest.mark.parametrize(
    ("number", "tex"), [("0.19", "c = d = 0.19"), ("−4", "c = d = -4"), ("4,000", "c = d = 4{,}000")]
)
def test_a_number_behind_an_equals_sign_is_part_of_the_formula(number, tex):
    made = paragraph("at ", nodes.math("c = d =", "c = d =", ids=["here"]), " ", pasted(number), ", with")
    (formula,) = made.findall(nodes.math)
    assert formula.astext() == tex and formula["ids"] == ["here"]
    assert made.astext() == f"at {tex}, with"


@pytest.mark.parametrize("said", ["0.19 [0.1, 0.2]", "never"])
def test_what_is_no_plain_number_stays_text(said):
    assert text(nodes.math("c =", "c ="), " ", pasted(said)) == f"c = {said}"


def test_a_formula_at_the_end_of_its_line_is_left():
    assert text("so ", nodes.math("c =", "c =")) == "so c ="
    assert text(nodes.math("c =", "c ="), " ten") == "c = ten"
