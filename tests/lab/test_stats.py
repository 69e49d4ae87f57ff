"""The intervals, against a published worked example and against scipy's own tests."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from physnn.lab import stats

# Student (1908), Table "Additional hours' sleep gained": ten patients, two drugs.
FIRST = pd.Series([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SECOND = pd.Series([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_student_1908():
    """Mean difference 1.58, 95 % interval [0.70, 2.46]: the textbook answer for Student's sleep data."""
    difference = stats.paired_difference(SECOND, FIRST)
    assert difference.format() == "1.58 [0.70, 2.46]" and difference.n == 10
    expected = scipy_stats.ttest_rel(SECOND, FIRST).confidence_interval(0.95)
    assert (difference.low, difference.high) == pytest.approx(tuple(expected))


def test_pairs_are_matched_by_index():
    shuffled = FIRST.sample(frac=1, random_state=0)
    assert stats.paired_difference(SECOND, shuffled) == stats.paired_difference(SECOND, FIRST)
    with pytest.raises(ValueError, match="one common index"):
        stats.paired_difference(SECOND, FIRST.iloc[1:])


def test_interval_covers_at_its_rate():
    """Of 2,000 intervals of 8 normal values, 95 % hold the mean; false-alarm rate 1e-4."""
    draws = np.random.default_rng(0).normal(3.0, 2.0, (2000, 8))
    covered = sum(interval.low < 3.0 < interval.high for interval in map(stats.mean_interval, draws))
    assert scipy_stats.binomtest(covered, 2000, 0.95).pvalue > 1e-4


def test_summary_keeps_the_order_of_the_arms():
    table = pd.DataFrame({"arm": ["b", "a", "b", "a"], "value": [1.0, 5.0, 3.0, 5.0]})
    summary = stats.summary(table, "value")
    assert summary.index.tolist() == ["b", "a"] and summary.n.tolist() == [2, 2]
    assert summary.loc["a", ["mean", "low", "high"]].tolist() == [5.0, 5.0, 5.0]


def test_negative_numbers_have_a_minus_sign():
    assert stats.Interval(-0.016, -0.02, 0.01, 5).format("+.1f", 100) == "−1.6 [−2.0, +1.0]"


@pytest.mark.parametrize("values", [[1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_bad_values(values):
    with pytest.raises(ValueError, match="at least two finite values"):
        stats.mean_interval(values)
