"""Performance profiles: a table by hand, the zeros and the failures, and what holds for every table."""

import math

import numpy as np
import pandas as pd
import pytest

from physnn.lab.statistics.profiles import performance_profile, performance_ratios

COSTS = pd.DataFrame({"a": [1.0, 4.0, 3.0], "b": [2.0, 2.0, 3.0], "c": [3.0, 1.0, math.nan]}, ["p", "q", "r"])


def test_a_table_by_hand():
    found = performance_profile(COSTS, [1, 2, 3, 4, 100])
    assert found["a"].tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1, 1])
    assert found["b"].tolist() == pytest.approx([1 / 3, 1, 1, 1, 1])
    assert found["c"].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert found.index.name == "factor" and list(found) == ["a", "b", "c"]


def test_zeros_and_failures():
    costs = pd.DataFrame({"a": [0.0, 0.0], "b": [0.0, 1e-9], "c": [1.0, math.nan]})
    assert performance_ratios(costs).to_numpy().tolist() == [[1, 1, math.inf], [1, math.inf, math.inf]]
    assert performance_profile(costs, [1.0, 1e12]).to_numpy().tolist() == [[1, 0.5, 0]] * 2


def test_what_holds_for_every_table():
    """Units do not matter, shares grow, somebody is best on each problem, and a factor is met at its own ratio."""
    rng = np.random.default_rng(1)
    costs = pd.DataFrame(rng.gamma(1.0, size=(30, 4)))
    at = np.sort(performance_ratios(costs).to_numpy().ravel())
    profile = performance_profile(costs, at)
    assert (profile.diff().dropna() >= 0).all(axis=None) and (profile.iloc[-1] == 1).all()
    assert profile.iloc[0].sum() >= 1
    scaled = costs.mul(rng.uniform(0.1, 10, 30), axis=0)
    pd.testing.assert_frame_equal(performance_profile(scaled, at), profile)


@pytest.mark.parametrize(
    ("costs", "at", "message"),
    [
        (COSTS * -1, [1], "costs must be at least 0"),
        (COSTS * math.nan, [1], "with one on every problem"),
        (COSTS.iloc[:0], [1], "costs must be"),
        (COSTS, [0.5], "factors must be finite and at least 1, got"),
        (COSTS, [math.inf], "factors must be finite"),
        (COSTS, [], "factors must be finite"),
    ],
)
def test_bad_input(costs, at, message):
    with pytest.raises(ValueError, match=message):
        performance_profile(costs, at)
