"""Comparison at equal accuracy: paths by hand, and nothing beyond their ends."""

import math

import numpy as np
import pandas as pd
import pytest

from physnn.lab.statistics.matching import first_passage, matched, matched_lower


def test_between_two_points_a_path_is_straight():
    assert first_passage([0.8, 0.9, 1.0], [4.0, 2.0, 3.0], 0.85) == pytest.approx(3.0)
    assert first_passage([0.8, 0.9, 1.0], [4.0, 2.0, 3.0], 0.9) == pytest.approx(2.0)
    assert first_passage([0.9, 0.8], [1.0, 2.0], 0.875) == pytest.approx(1.25), "a path may fall"


def test_the_first_step_that_passes_counts():
    """Up to 0.9, down to 0.8, up again: 0.85 is passed three times."""
    assert first_passage([0.8, 0.9, 0.8, 1.0], [0.0, 1.0, 5.0, 9.0], 0.85) == pytest.approx(0.5)
    assert first_passage([0.8, 0.8, 0.9], [1.0, 7.0, 3.0], 0.8) == pytest.approx(1.0), "a step that stands still"


@pytest.mark.parametrize("at", [0.79, 1.01, math.nan])
def test_nothing_is_extrapolated(at):
    assert math.isnan(first_passage([0.8, 0.9, 1.0], [4.0, 2.0, 3.0], at))


def test_a_path_of_one_point_has_that_point():
    assert first_passage([0.8], [4.0], 0.8) == 4.0
    assert math.isnan(first_passage([0.8], [4.0], 0.9))


def test_every_seed_has_its_own_path():
    path = pd.DataFrame({"seed": [0, 1, 0, 1], "clean": [0.8, 0.8, 0.9, 0.84], "error": [4.0, 8.0, 2.0, 6.0]})
    at = pd.Series([0.85, 0.82, 0.9, 0.8], index=pd.Index([0, 1, 2, 1.5], name="seed"))
    found = matched(path, at, "error", "clean")
    assert found.iloc[:2].tolist() == pytest.approx([3.0, 7.0]) and found.iloc[2:].isna().all()
    assert found.index.equals(at.index)


def test_what_does_not_fit_is_refused():
    path = pd.DataFrame({"seed": [0, 0], "clean": [0.8, 0.9], "error": [4.0, 2.0]})
    with pytest.raises(ValueError, match="nll"):
        matched(path, pd.Series([0.85]), "nll", "clean")
    with pytest.raises(ValueError, match="one value"):
        matched(path, pd.Series([0.85, 0.85], index=[0, 0]), "error", "clean")
    with pytest.raises(ValueError, match="as many"):
        first_passage([0.1, 0.2], [1.0], 0.1)


@pytest.mark.parametrize(
    ("x", "y", "at", "value"),
    [
        ([0, 1, 2], [5, 6, np.nan], 1, 6),  # at a vertex beside a lost value
        ([0, 1, 2], [np.nan, 6, 7], 1, 6),
        ([np.nan, 1, np.nan], [4, 6, 8], 1, 6),  # its neighbours are lost
        ([0, np.nan, 2], [5, 6, 7], 1, np.nan),  # nothing is taken across a gap
        ([2, 0, 1], [5, 6, 7], 1, 5.5),  # the first passage, not the exact point after it
        ([0, 1, 2], [5, 6, np.nan], 1.5, np.nan),
        ([0, 1], [5, 6], np.nan, np.nan),
    ],
)
def test_points_that_are_lost(x, y, at, value):
    assert first_passage(x, y, at) == pytest.approx(value, nan_ok=True)


def test_a_row_without_a_seed_is_refused():
    path = pd.DataFrame({"seed": [1, np.nan], "test_accuracy": [0.1, 0.2], "y": [1.0, 2.0]})
    with pytest.raises(ValueError, match="1 of 2 rows have no seed"):
        matched(path, pd.Series({1: 0.1}), "y")


def test_two_runs_meet_where_the_lower_one_ends():
    """Seed 0: the first ends at 0.8, where the second passes between its epochs; seed 1: the other way round."""
    first = pd.DataFrame({
        "seed": [0, 0, 0, 1, 1, 1], "clean": [0.1, 0.9, 0.8, 0.1, 0.6, 0.9], "error": [9.0, 5.0, 4.0, 9.0, 8.0, 2.0]
    })  # fmt: skip
    second = pd.DataFrame(
        {"seed": [0, 0, 1, 1, 2], "clean": [0.1, 0.9, 0.1, 0.7, 0.5], "error": [7.0, 3.0, 9.0, 6.0, 1.0]}
    )
    found = matched_lower(first, second, "error", "clean")
    assert found.index.tolist() == [0, 1]
    assert found.loc[0].tolist() == pytest.approx([4.0, 7 - 4 * 0.7 / 0.8]), (
        "its end, not where it passed on its way up"
    )
    assert found.loc[1].tolist() == pytest.approx([8 - 6 * 0.1 / 0.3, 6.0])
    swapped = matched_lower(second, first, "error", "clean")
    assert swapped["first"].tolist() == found["second"].tolist()
    with pytest.raises(ValueError, match=r"the path has no columns \['height'\]"):
        matched_lower(first, second, "height", "clean")
