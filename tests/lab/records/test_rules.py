"""The rules of verdicts: what they read, and that two of a rule's verdicts cannot be met at once."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from physnn.lab.records import rules
from physnn.lab.records.effects import Effect
from physnn.lab.records.verdicts import meets
from physnn.lab.statistics.stats import equivalence, mean_interval

EFFECTS = {"gain": {}, "level": {}}
RELATIONS = ("above", "below", "atleast", "atmost", "covers", "within")


def overlap(**ways):
    return rules.overlap({verdict: rules.alternatives(texts, EFFECTS) for verdict, texts in ways.items()})


@pytest.mark.parametrize(
    ("holds", "fails", "exclusive"),
    [
        (["gain above 0"], ["gain below 0"], True),
        (["gain above 0"], ["gain within 0.2"], False),  # small, and surely above zero
        (["gain above 0", "gain atleast 0.2"], ["gain within 0.2"], True),
        (["gain atleast 1"], ["gain atmost 1"], False),
        (["gain atleast 1"], ["gain below 1"], True),
        (["gain covers 0"], ["gain above 0"], True),
        (["gain covers 0"], ["gain atleast 5"], False),
        (["gain covers 0", "gain covers 3"], ["gain below 3"], True),
        (["gain above 0"], ["level below 0"], False),  # nothing is known of the two together
        (["gain above 0", "level above 0"], ["gain below 0", "level above 1"], True),
        ([["gain above 0"], ["level above 0"]], ["gain below 0"], False),  # by the second way
        ([["gain above 0"], ["gain above 1"]], ["gain below 0"], True),
        ([], ["gain below 0"], True),
    ],
)
def test_verdicts_that_exclude_each_other_are_told_from_others(holds, fails, exclusive):
    assert overlap(holds=holds, fails=fails) == (None if exclusive else ("holds", "fails"))


condition = st.tuples(st.sampled_from(RELATIONS), st.sampled_from([-2, -1, 0, 1, 2]))


def samples():
    """Effects of every kind: wide and narrow, around and at the bounds of the conditions."""
    shape = np.array([-1.0, -0.2, 0.3, 0.9])
    for centre, width in itertools.product(np.arange(-3, 3.01, 0.5), (0, 1e-3, 0.2, 2, 6)):
        first = pd.Series(centre + width * (shape - shape.mean()))
        yield Effect(mean_interval(first), (first, 0 * first))


SAMPLES = list(samples())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(condition, min_size=1, max_size=3), st.lists(condition, min_size=1, max_size=3))
def test_no_effect_meets_two_verdicts_that_are_said_to_exclude_each_other(first, second):
    ways = {
        name: [[rules.Condition("gain", relation, float(abs(bound) or 1) if relation == "within" else float(bound))
                for relation, bound in several]]
        for name, several in (("holds", first), ("fails", second))
    }  # fmt: skip
    if rules.overlap(ways) is None:
        for effect in SAMPLES:
            met = [all(meets(effect, each) for each in needed) for (needed,) in ways.values()]
            assert not all(met), f"{effect.interval} meets both"


def test_the_ninety_percent_interval_lies_in_the_bounds_that_within_is_taken_for():
    inside = [effect for effect in SAMPLES if equivalence(*effect.pair, 1.0).p <= 0.05]
    assert inside and all(abs(effect.interval.mean) < 1 for effect in inside)


@pytest.mark.parametrize("text", ["gain > 0", "gains above 0", "gain above", "gain above x"])
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match="a condition reads"):
        rules.alternatives([text], EFFECTS)
