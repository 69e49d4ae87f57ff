"""The first screen: its facts, its figure and its date follow from the judgements, whatever they are."""

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from book.figures import verdicts
from book.tools import cards, claims, front
from book.tools.project import BookError
from physnn.lab.figures.palette import TOKENS
from physnn.lab.records.effects import Effect
from physnn.lab.records.verdicts import Judgement
from physnn.lab.statistics.stats import Interval

ROOT = Path(__file__).resolve().parents[2]
RULE = {
    "written": "before",
    "effects": {
        "own": {"label": "own", "study": "s", "spec": ".2f", "unit": "%"},
        "plain": {"label": "plain", "study": "s", "spec": ".2f", "unit": "%"},
    },
    "holds": ["own above 0"],
}
EFFECTS = {"own": Effect(Interval(91.234, 91.1, 91.4, 7)), "plain": Effect(Interval(94.5, 94.4, 94.6, 7))}
FRONT = {"number": "{own} against {plain} %", "text": "are right: {own}, over {n} seeds."}


def claim(number: int, **more) -> claims.Claim:
    return claims.Claim(number, "Experimental Results", ["Accuracy | 89% | 85%"], "Whether.", RULE, {}, {}, **more)


def board(verdicts: list[str], works: list[str] = (), folder: Path = Path("none")) -> claims.Board:
    listed = [claim(i + 1, **({"front": FRONT} if i == 0 else {})) for i in range(len(verdicts))]
    judged = {each.number: Judgement(verdict, EFFECTS) for each, verdict in zip(listed, verdicts, strict=True)}
    places = [
        (claims.Work(f"It {v}.", "Whether.", RULE, {}, {}, f"does {i}", FRONT), Judgement(v, EFFECTS))
        for i, v in enumerate(works)
    ]
    return claims.Board(listed, judged, [], folder, places)


@pytest.mark.parametrize(
    ("judged", "number", "text"),
    [
        (["holds"], "1 of 1", "claims and questions of the post holds as it stands."),
        (["fails", "fails", "part"], "0 of 3", "hold as they stand; 1 holds in part and 2 fail."),
        (
            ["holds", "holds", "part", "part", "fails", "untestable", "undecided"],
            "2 of 7",
            "hold as they stand; 2 hold in part, 1 fails, 1 is not testable as stated and 1 is undecided.",
        ),
    ],
)
def test_the_first_fact_counts_the_verdicts(judged, number, text):
    first = re.findall(r"^- \*\*(.+?)\*\* (.+)$", front.answer(board(judged)), re.MULTILINE)[0]
    assert first[0] == number and first[1].endswith(text)


@pytest.mark.parametrize(("section", "said"), [("Challenges", True), ("Experimental Results", False)])
def test_that_only_its_own_difficulties_hold_is_said(section, said):
    made = board(["holds", "fails", "holds"])
    made = replace(made, claims=[replace(each, section=section) for each in made.claims])
    text = front.answer(made)
    assert ("hold as they stand, both of them difficulties that it names itself; 1 fails." in text) == said


def test_a_fact_has_its_number_in_short_and_its_interval_in_the_text():
    facts = re.findall(r"^- \*\*(.+?)\*\* (.+)$", front.answer(board(["fails"], ["holds"])), re.MULTILINE)
    assert facts[1:] == [("91.2 against 94.5 %", "are right: 91.23 [91.10,\xa091.40] %, over 7 seeds.")] * 2


@pytest.mark.parametrize(("verdict", "there"), [("holds", 3), ("part", 3), ("fails", 2), ("undecided", 2)])
def test_what_does_not_work_is_no_fact(verdict, there):
    answer = front.answer(board(["fails"], [verdict]))
    assert answer.count("- **") == there
    came = verdicts.WORKING[verdict]
    assert f"does 0 – {came}" in answer and f"it works in {int(verdict == 'holds')}" in answer


def test_what_is_not_measured_yet_is_said_to_be_so():
    waiting = board(["fails"], ["holds", "undecided"])
    waiting.works[1] = (waiting.works[1][0], Judgement("undecided", {}, reason="not yet measured"))
    said = verdicts.caption(waiting)
    assert "Of 2 places" in said and "it works in 1; 1 is not yet measured." in said
    assert "does 1 – not yet measured" in verdicts.alt(waiting)


def test_the_date_is_that_of_the_youngest_study_that_counts(tmp_path):
    for study, date in (("s", "2026-03-09"), ("other", "2026-04-01")):
        (tmp_path / study).mkdir()
        (tmp_path / study / "provenance.json").write_text(f'{{"date": "{date}"}}')
    assert front.measured(board(["fails"], folder=tmp_path)) == "9 March 2026"
    assert front.measured(board(["fails"])) == ""


def test_the_figure_follows_the_theme_and_is_the_same_each_time():
    drawn = verdicts.draw(board(["holds", "fails", "part", "untestable"], ["holds", "part"]))
    assert drawn == verdicts.draw(board(["holds", "fails", "part", "untestable"], ["holds", "part"]))
    root = ElementTree.fromstring(drawn)
    width = float(root.get("width").removesuffix("pt"))
    assert 358 / width * 12.5 > 12, "its letters are too small on a phone of 390 px, in px"
    for name in ("corrected", "proposal", "theory", "baseline", "paper"):
        assert f": {TOKENS[name].light}" in drawn and TOKENS[name].dark in drawn


def test_the_figure_shows_as_many_claims_as_there_are():
    """The widths of the bar's parts are as their counts."""
    drawn = verdicts.draw(board(["holds"] + ["fails"] * 3))
    bars = re.findall(r'd="M ([\d.]+) [\d.]+\nL ([\d.]+) [^"]*"[^>]*style="fill: (#\w+); stroke: #fffdf8', drawn)
    width = {color: float(right) - float(left) for left, right, color in bars}
    assert width[TOKENS["proposal"].light] == pytest.approx(3 * width[TOKENS["corrected"].light], rel=1e-3)


@pytest.mark.parametrize("judged", [["undecided"], ["holds"] * 30])
def test_any_board_can_be_drawn(judged):
    bare = replace(board(judged), claims=[replace(each, front=None) for each in board(judged).claims])
    assert verdicts.draw(bare).startswith("<?xml") and "- **" in front.answer(bare)


def test_the_introduction_opens_with_the_answer_and_where_to_take_it_along():
    text = (ROOT / "book/intro.md").read_text(encoding="utf-8")
    head, _, rest = text.partition("\n## ")
    assert "{include} answer.md" in head and len(head.partition("```{include}")[0].split()) < 40
    base = yaml.safe_load((ROOT / "_config.yml").read_text())["html"]["baseurl"]
    for place in (f"{base}physnn-book.zip", f"{base}physnn-book.epub", "colab.research.google.com", "CITATION.cff"):
        assert place in head
    assert "In June 2024" in rest


def test_a_front_says_a_number_and_what_it_is_of(tmp_path):
    row = {"number": 1, "section": "Benefits", "quote": ["Fast"], "test": "Whether.", "rule": RULE}
    row |= {"says": {"holds": "It is."}, "decided": {"page": "notebooks/first"}, "front": {"number": "{own}"}}
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump([row]))
    with pytest.raises(BookError, match="a front has `number` and `text`"):
        claims.read(path)
    path.write_text(yaml.safe_dump([row | {"front": FRONT}]))
    assert claims.read(path)[0].front == FRONT


def test_the_words_of_all_verdicts_are_there():
    assert set(verdicts.WORDS) == set(cards.BADGES) and set(verdicts.WORKING) == set(cards.WORKING)
    assert set(verdicts.ROLES) == set(cards.LOOKS.values())
