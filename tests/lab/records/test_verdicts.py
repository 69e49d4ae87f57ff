"""Verdicts: conditions that effects meet, also where runs are late, and the rules that are refused."""

import pytest

from physnn.lab.records.effects import Effect
from physnn.lab.records.rules import Condition
from physnn.lab.records.verdicts import judge, meets
from physnn.lab.statistics.stats import Interval
from tests.lab.records.by_hand import RULE, record


@pytest.fixture
def results(tmp_path):
    """A study by hand: a beats b by 2 points; of its four rates one is near its best, of b's two, and one diverges."""
    record(tmp_path / "small", a=0.92, b=0.90)
    return tmp_path


@pytest.mark.parametrize(
    ("conditions", "verdict"),
    [
        ({"holds": ["gain above 0"]}, "holds"),
        ({"holds": ["gain above 3"], "fails": ["gain below 3"]}, "fails"),
        ({"holds": ["level above 95"], "part": ["level covers 92"]}, "part"),
        ({"part": [["gain above 3"], ["gain within 4"]], "fails": ["gain below 0", "gain atmost −4"]}, "part"),
        ({"holds": ["gain below −1"]}, "undecided"),
        ({"holds": ["near above 0"], "fails": ["near below 0"]}, "undecided"),
    ],
)
def test_a_rule_gives_the_verdict_whose_conditions_are_met(results, conditions, verdict):
    judgement = judge(RULE | conditions, results)
    assert judgement.verdict == verdict
    shown = {name: effect.interval for name, effect in judgement.effects.items()}
    assert shown["level"].mean == pytest.approx(92.1) and shown["level"].n == 3
    assert shown["gain"].mean == pytest.approx(2.1)
    assert shown["near"].mean == pytest.approx(-25) and shown["near"].n == 4
    assert shown["lost"].mean == pytest.approx(-25)


def test_a_repair_says_nothing_about_the_verdict(results):
    repair = {"found": "With it.", "missing": "Without."}
    for when, repaired in (("gain above 0", True), ("gain above 3", False)):
        for conditions, verdict in (
            ({"fails": ["gain above 1"]}, "fails"),
            ({"untestable": "No scale."}, "untestable"),
        ):
            judgement = judge(RULE | conditions | {"repair": repair | {"when": [when]}}, results)
            assert (judgement.verdict, judgement.repaired) == (verdict, repaired)
            assert judgement.effects and judgement.reason == conditions.get("untestable", "")


def test_without_a_rule_or_a_record_a_claim_is_undecided(results):
    (results / "small" / "provenance.json").unlink()
    for rule in (None, RULE | {"holds": ["gain above 0"]}):
        judgement = judge(rule, results)
        assert (judgement.verdict, judgement.reason) == ("undecided", "not yet measured")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"holds": ["gains above 0"]}, "gains above 0"),
        ({"holds": ["gain > 0"]}, "gain > 0"),
        ({"holds": ["level within 1"]}, "only a contrast"),
        ({"holds": ["gain above 0"], "fails": ["gain above 1"]}, "'holds' and of 'fails' can both be met"),
        ({"holds": ["gain above 0"], "untestable": "No scale."}, "not testable as stated has no conditions"),
        ({"effects": {"x": {"study": "small", "arm": "c", "column": "test_accuracy"}}}, r"no arms \['c'\]"),
    ],
)
def test_a_rule_that_fits_nothing_is_refused(results, change, message):
    with pytest.raises(ValueError, match=message):
        judge(RULE | change, results)


@pytest.mark.parametrize(
    ("condition", "met"),
    [("gain atleast 2", True), ("gain atleast 3", False), ("gain atmost 3", True), ("gain atmost −2", False)],
)
def test_a_mean_can_be_bounded(results, condition, met):
    assert (judge(RULE | {"holds": [condition]}, results).verdict == "holds") == met


def test_a_bound_of_a_time_meets_what_the_true_time_meets():
    """Three runs that are not there at the end: they took longer, and nobody knows how much."""
    interval = Interval(100.0, 100.0, 100.0, 3)
    every = "above 99, below 101, atleast 100, atmost 100, covers 100"
    met_by = {(0, 0): every, (3, 0): "above 99, atleast 100", (0, 3): "below 101, atmost 100", (3, 3): ""}
    for censored, met in met_by.items():
        effect = Effect(interval, censored=censored)
        for text in every.split(", "):
            relation, bound = text.split()
            assert meets(effect, Condition("time", relation, float(bound))) == (text in met)
