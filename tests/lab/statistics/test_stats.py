"""The intervals and tests, against published worked examples, their own coverage, and degenerate input."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from physnn.lab.statistics import stats
from physnn.lab.statistics.flips import sign_flip

# Student (1908), Table "Additional hours' sleep gained": ten patients, two drugs.
FIRST = pd.Series([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SECOND = pd.Series([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_student_1908():
    """Mean difference 1.58, 95 % interval [0.70, 2.46]: the textbook answer for Student's sleep data."""
    difference = stats.paired_difference(SECOND, FIRST)
    assert difference.format() == "1.58 [0.70,\xa02.46]" and difference.n == 10
    expected = scipy_stats.ttest_rel(SECOND, FIRST).confidence_interval(0.95)
    assert (difference.low, difference.high) == pytest.approx(tuple(expected))


def test_student_1908_compared():
    """t = -4.0621, p = 0.002833 (R, `t.test(extra ~ group, sleep, paired = TRUE)`); d = t / sqrt(n)."""
    comparison = stats.compare(FIRST, SECOND)
    assert comparison.difference == stats.paired_difference(FIRST, SECOND)
    assert comparison.effect * math.sqrt(10) == pytest.approx(-4.0621, abs=5e-5)
    assert comparison.t_p == pytest.approx(0.002833, abs=5e-7)


def test_student_1908_equivalent():
    """The R package TOSTER 0.4: t = -1.491 and -6.633, p = 0.9149 and 4.779e-05; 90 % interval [-2.293, -0.867]."""
    result = stats.equivalence(FIRST, SECOND, 1.0)
    assert result.p == pytest.approx(0.9149441, abs=5e-8)
    assert result.difference[1:3] == pytest.approx((-2.293005, -0.8669947), abs=5e-7)


def test_holm():
    """Two worked examples: Wikipedia's 0.01, 0.04, 0.03, 0.005; and that of stdlib's padjust."""
    p = pd.Series({"one": 0.01, "two": 0.04, "three": 0.03, "four": 0.005})
    assert stats.holm(p).to_dict() == pytest.approx({"one": 0.03, "two": 0.06, "three": 0.06, "four": 0.02})
    p = dict(enumerate([0.319, 0.201, 0.4, 0.374, 0.113]))
    assert stats.holm(p).tolist() == pytest.approx([0.957, 0.804, 0.957, 0.957, 0.565])
    assert stats.holm({"alone": 0.2}).tolist() == [0.2]


def test_holm_false_alarms():
    """Of 2,000 families of five true hypotheses, 5 % have a rejection: no more, and hardly fewer."""
    p = np.random.default_rng(0).uniform(size=(2000, 5))
    rejected = sum((stats.holm(dict(enumerate(family))) <= 0.05).any() for family in p)
    assert scipy_stats.binomtest(int(rejected), 2000, 1 - 0.99**5).pvalue > 1e-4


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


@pytest.mark.parametrize(("skewness", "rate"), [(1, 0.936), (2, 0.901), (3, 0.853)])
def test_students_interval_covers_skewed_values_as_its_docstring_says(skewness, rate):
    """Of 1,000 samples of ten from gamma laws; false-alarm rate 1e-4 each. The rates are those of 100,000."""
    shape = 4 / skewness**2
    draws = np.random.default_rng(0).gamma(shape, 1.0, (1000, 10))
    covered = sum(low < shape < high for _, low, high, _ in map(stats.mean_interval, draws))
    assert scipy_stats.binomtest(covered, 1000, rate).pvalue > 1e-4


def test_equivalence_is_the_90_percent_interval_inside_the_margin():
    rng = np.random.default_rng(0)
    for _ in range(200):
        first, second = pd.Series(rng.normal(0, 1, 10)), pd.Series(rng.normal(0, 1, 10))
        result = stats.equivalence(first, second, 0.6)
        assert (result.p <= 0.05) == (-0.6 <= result.difference.low and result.difference.high <= 0.6)


def test_equivalence_false_alarms():
    """Where the true difference is the margin, 5 % of 1,000 studies of ten pairs call it equivalence."""
    draws = np.random.default_rng(0).normal(0.2, 0.05, (1000, 10))
    zero = pd.Series(np.zeros(10))
    alarms = sum(stats.equivalence(pd.Series(draw), zero, 0.2).p <= 0.05 for draw in draws)
    assert scipy_stats.binomtest(alarms, 1000, 0.05).pvalue > 1e-4


def test_comparisons_of_a_family():
    rng = np.random.default_rng(0)
    rows = [(arm, seed, rng.normal(i, 1)) for i, arm in enumerate("abc") for seed in range(8)]
    table = pd.DataFrame(rows, columns=["model", "run", "loss"]).sample(frac=1, random_state=0)
    contrasts = [("c", "a"), ("b", "a"), ("c", "b")]
    result = stats.comparisons(table, contrasts, "loss", by="model", pair="run")
    assert list(zip(result["first"], result["second"], strict=True)) == contrasts
    one = stats.compare(*(table[table.model == arm].set_index("run").loss for arm in ("b", "a")))
    assert tuple(result.loc[1, ["mean", "low", "high", "n", "effect", "t_p", "flip_p"]]) == pytest.approx(
        (*one.difference, *one[1:])
    )
    assert result.holm_p.tolist() == stats.holm(result.t_p).tolist()


def test_a_missing_seed_is_an_error_and_not_left_out():
    table = pd.DataFrame({"arm": ["a", "a", "b", "b"], "seed": [0, 1, 0, 2], "value": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(ValueError, match=r"one common index, got \[0, 1\] and \[0, 2\]"):
        stats.comparisons(table, [("a", "b")], "value")


@pytest.mark.parametrize("method", stats.METHODS)
def test_identical_pairs(method):
    same = stats.compare(FIRST, FIRST, method)
    assert same == ((0, 0, 0, 10), 0, 1, 1)
    assert stats.equivalence(FIRST, FIRST, 0.2) == ((0, 0, 0, 10), 0)


@pytest.mark.parametrize("method", stats.METHODS)
def test_equal_differences_up_to_rounding(method):
    """0.1 apart on paper, and not twice the same in floating point."""
    second = pd.Series([97.21, 96.41, 0.3, 55.55, 98.7])
    comparison = stats.compare(second + 0.1, second, method)
    assert comparison == ((0.1, 0.1, 0.1, 5), math.inf, 0, 0.0625)
    assert stats.compare(second, second + 0.1, method).effect == -math.inf
    assert stats.equivalence(second + 0.1, second, 0.2).p == 0
    assert stats.equivalence(second + 0.1, second, 0.1).p == 1


def test_the_sign_flip_test_is_that_of_the_differences():
    """What is equal on paper is equal: all eight sums of 0.1, 0.2 and -0.3 are as large as the one that was seen."""
    assert stats.compare(FIRST, SECOND).flip_p == sign_flip([round(10 * d) for d in FIRST - SECOND])
    second = pd.Series([97.21, 96.41, 0.3])
    assert stats.compare(second + np.array([0.1, 0.2, -0.3]), second).flip_p == 1


@pytest.mark.parametrize("method", stats.METHODS)
def test_two_values_of_any_size(method):
    for values in ([1.0, 2.0], [1e-9, 2e-9], [1e9, 3e9]):
        mean, low, high, n = stats.mean_interval(values, method)
        assert low < mean < high and n == 2


def test_summary_keeps_the_order_of_the_arms():
    table = pd.DataFrame({"arm": ["b", "a", "b", "a"], "value": [1.0, 5.0, 3.0, 5.0]})
    summary = stats.summary(table, "value")
    assert summary.index.tolist() == ["b", "a"] and summary.n.tolist() == [2, 2]
    assert summary.loc["a", ["mean", "low", "high"]].tolist() == [5.0, 5.0, 5.0]


def test_summary_by_several_columns():
    table = pd.DataFrame({"arm": ["b", "a"] * 4, "q": [1, 1, 2, 2] * 2, "value": range(8)})
    summary = stats.summary(table, "value", by=["arm", "q"])
    assert summary.index.names == ["arm", "q"] and summary.index.tolist() == [("b", 1), ("a", 1), ("b", 2), ("a", 2)]
    assert summary.loc[("a", 2), ["mean", "n"]].tolist() == [5, 2]


def test_negative_numbers_have_a_minus_sign():
    assert stats.Interval(-0.016, -0.02, 0.01, 5).format("+.1f", 100) == "−1.6 [−2.0,\xa0+1.0]"


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [1.0, float("inf")]])
def test_bad_values(values):
    with pytest.raises(ValueError, match="at least two finite values"):
        stats.mean_interval(values)


TABLE = pd.DataFrame({"arm": ["a", "b"], "seed": [0, 0], "value": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.mean_interval([1.0, 2.0], "percentile"), "one of student, bootstrap-t, got 'percentile'"),
        (lambda: stats.compare(FIRST, SECOND.replace(1.9, float("nan"))), "leave its seed out"),
        (lambda: stats.comparisons(TABLE, [("a", "c")], "value"), r"pairs of \['a', 'b'\]"),
        (lambda: stats.comparisons(TABLE, [], "value"), "pairs of"),
        (lambda: stats.comparisons(TABLE, [("a", "b")], "value"), "at least two finite values"),
        (lambda: stats.holm({}), "at least one"),
        (lambda: stats.holm({"a": float("nan")}), "got {'a': nan}"),
        (lambda: stats.equivalence(FIRST, SECOND, 0), "must be positive"),
        (lambda: stats.equivalence(FIRST, SECOND, float("nan")), "must be positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_intervals_are_written_row_by_row():
    table = pd.DataFrame({"arm": ["b", "b", "a", "a"], "y": [1.0, 3.0, -2.0, -2.0]})
    summary = stats.summary(table, "y")
    assert stats.intervals(summary) == [stats.mean_interval([1, 3]), stats.Interval(-2.0, -2.0, -2.0, 2)]
    assert all(isinstance(each.n, int) for each in stats.intervals(summary))
    written = stats.written(summary, ".1f", 10)
    assert list(written.index) == ["b", "a"] and written["a"] == "−20.0 [−20.0,\xa0−20.0]"
    assert stats.written(stats.comparisons(table.assign(seed=[0, 1, 0, 1]), [("a", "b")], "y")).iloc[0][:5] == "−4.00"


def test_a_small_p_is_not_written_as_zero():
    assert [stats.written_p(p) for p in (0.0004, 0.001, 0.25)] == ["<\xa00.001", "0.001", "0.250"]


@pytest.mark.parametrize("unit", [2.0**power for power in (-1000, -660, 660, 1000)])  # exact factors
@pytest.mark.parametrize("method", stats.METHODS)
def test_intervals_and_tests_know_no_unit(unit, method):
    first, second = (pd.Series(np.random.default_rng(seed).normal(size=8)) for seed in (1, 2))
    expected, found = (stats.compare(u * first, u * second, method) for u in (1.0, unit))
    assert tuple(found.difference)[:3] == pytest.approx([unit * x for x in expected.difference[:3]], rel=1e-9, abs=0)
    assert found[1:] == pytest.approx(expected[1:], rel=1e-6)
    equal = [stats.equivalence(u * first, u * second, 0.5 * u).p for u in (1.0, unit)]
    assert equal[0] == pytest.approx(equal[1], rel=1e-6)


def test_two_hypotheses_of_one_name_are_adjusted_each():
    found = stats.holm(pd.Series([0.04, 0.01, 0.02], ["a", "b", "a"]))
    assert found.index.tolist() == ["a", "b", "a"]
    assert found.tolist() == pytest.approx([0.04, 0.03, 0.04])


def test_rows_without_a_name_are_not_left_out_silently():
    table = pd.DataFrame({"arm": ["a", "a", "b", "b", None], "seed": [1, 2, 1, 2, 2], "y": [1.0, 2, 3, 5, 4]})
    with pytest.raises(ValueError, match="1 of 5 rows have no arm"):
        stats.summary(table, "y")
    with pytest.raises(ValueError, match="1 of 5 rows have no arm or no seed"):
        stats.comparisons(table, [("a", "b")], "y")


@pytest.mark.parametrize(
    ("value", "spec", "said"),
    [(-0.0004, ".3f", "0.000"), (-0.0004, "+.3f", "+0.000"), (-0.0006, ".3f", "−0.001"), (-12.0, ".0f", "−12")],
)
def test_a_zero_has_no_minus(value, spec, said):
    assert stats.written_number(value, spec) == said
