"""Wins and losses after Holm: a table by hand, and how often chance alone makes a winner."""

import numpy as np
import pandas as pd
import pytest

from physnn.lab.statistics.standings import lost, standings, won
from physnn.lab.statistics.stats import compare, holm

NOISE = pd.Series([0.01, -0.02, 0.015, 0.0, -0.005, 0.02, -0.01, 0.005, 0.01, -0.025])


def around(mean, sign=1):
    return mean + sign * NOISE


VALUES = {
    "first": {"own": around(3.0), "net": around(2.0, -1), "trees": around(1.0, -1)},
    "second": {"own": around(2.0), "net": around(1.0, -1), "trees": around(3.0, -1)},
    "third": {"own": around(1.0), "net": around(1.0), "trees": around(0.5, -1)},
}


def test_a_table_by_hand():
    found = standings(VALUES, "own", ["net", "trees"])
    assert found.standing.tolist() == ["ahead", "ahead", "ahead", "behind", "open", "ahead"]
    assert won(found).to_dict() == {"first": True, "second": False, "third": False}
    assert lost(found).to_dict() == {"first": False, "second": True, "third": False}
    assert found["mean"].tolist() == pytest.approx([1, 2, 1, -1, 0, 0.5]) and (found.n == 10).all()
    p = [compare(VALUES[a]["own"], VALUES[a][b]).t_p for a, b in zip(found.problem, found.rival, strict=True)]
    assert found.holm_p.tolist() == pytest.approx(holm(pd.Series(p)).tolist())


def test_the_correction_is_over_all_problems():
    """A difference of t = 2.5, p = 0.03, stands alone, and not among twelve comparisons."""
    rng = np.random.default_rng(0)
    shift = 0.4 + 0.5 * (NOISE - NOISE.mean()) / NOISE.std()
    assert 0.03 < compare(shift, 0 * shift).t_p < 0.04
    values = {"first": {"own": shift, "net": 0 * shift, "trees": 0 * shift}}
    assert won(standings({"first": {**values["first"]}}, "own", ["net"])).all()
    values |= {str(i): {name: pd.Series(rng.normal(size=10)) for name in ("own", "net", "trees")} for i in range(5)}
    assert not won(standings(values, "own", ["net", "trees"]))["first"]


def test_chance_seldom_makes_a_winner():
    """Six problems, two rivals, no difference: any win or loss in at most 5 % of 100 draws, to three deviations."""
    rng, hits = np.random.default_rng(3), 0
    for _ in range(100):
        drawn = {str(i): {name: pd.Series(rng.normal(size=10)) for name in ("own", "net", "trees")} for i in range(6)}
        found = standings(drawn, "own", ["net", "trees"])
        hits += bool(won(found).any() or lost(found).any())
    assert hits / 100 <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5


@pytest.mark.parametrize(
    ("values", "against", "message"),
    [
        (VALUES, ["cells"], r"first has no values of \['cells'\]"),
        (VALUES, [], "standings need problems and rivals"),
        ({}, ["net"], "standings need problems and rivals"),
    ],
)
def test_bad_input(values, against, message):
    with pytest.raises(ValueError, match=message):
        standings(values, "own", against)
