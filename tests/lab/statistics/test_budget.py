"""The expected best of n trials, against all draws written out, and the share of good trials."""

from itertools import combinations

import numpy as np
import pytest

from physnn.lab.statistics import budget


def test_the_best_of_all_draws():
    values = np.random.default_rng(0).normal(size=9)
    found = budget.expected_best(values)
    assert found.index.tolist() == list(range(1, 10)) and found.index.name == "trials"
    for n, row in found.iterrows():
        best = np.array([max(several) for several in combinations(values, n)])
        assert row["mean"] == pytest.approx(best.mean())
        for bound, q in (("low", 0.1), ("high", 0.9)):
            assert row[bound] == pytest.approx(np.quantile(best, q, method="inverted_cdf"))


def test_one_trial_is_the_mean_and_all_are_the_best():
    values = np.random.default_rng(1).uniform(size=200)
    found = budget.expected_best(values, spread=0.95)
    assert found["mean"].iloc[0] == pytest.approx(values.mean())
    assert found.iloc[-1].tolist() == pytest.approx([values.max()] * 3)
    assert found["mean"].is_monotonic_increasing and (found.low <= found.high).all()


def test_it_is_unbiased_where_drawing_with_replacement_is_too_low():
    """The best of 5 uniform values is 5/6 on average; of 10 trials, Dodge et al.'s estimate is below it."""
    rng, n = np.random.default_rng(2), 5
    ours, theirs = [], []
    for _ in range(4000):
        y = np.sort(rng.uniform(size=10))
        ours.append(budget.expected_best(y)["mean"][n])
        share = np.arange(11) / 10
        theirs.append(y @ np.diff(share**n))
    error = np.std(ours) / len(ours) ** 0.5
    assert np.mean(ours) == pytest.approx(5 / 6, abs=4 * error)
    assert np.mean(theirs) < 5 / 6 - 10 * error


def test_equal_values_and_one_value():
    assert budget.expected_best([0.5, 0.5, 0.5]).to_numpy() == pytest.approx(0.5)
    assert budget.expected_best([0.3]).loc[1].tolist() == pytest.approx([0.3] * 3)


def test_the_share_of_trials_near_the_best():
    assert budget.share_near_best([90.0, 89.0, 88.9, 10.0], 1.0) == 0.5
    assert budget.share_near_best([3.0, 2.0], 0.0) == 0.5


@pytest.mark.parametrize("values", [[], [0.1, float("nan")]])
def test_trials_without_a_value_are_refused(values):
    with pytest.raises(ValueError, match="finite values, at least one"):
        budget.expected_best(values)
    with pytest.raises(ValueError, match="finite values, at least one"):
        budget.share_near_best(values, 1.0)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match=r"spread must be between 0 and 1.*got 1"):
        budget.expected_best([0.1], spread=1)
    with pytest.raises(ValueError, match=r"within must be at least 0.*got -1"):
        budget.share_near_best([0.1], -1)


def test_exact_ties_are_near_the_best():
    for percent in range(50, 100):
        values = [percent / 100, (percent - 3) / 100, (percent - 4) / 100]
        assert budget.share_near_best(values, 0.03) == 2 / 3


def test_regret_is_what_more_trials_gain():
    values = np.random.default_rng(3).normal(size=40)
    mean = budget.expected_best(values)["mean"]
    assert budget.regret(values, 3, 17) == pytest.approx(mean[17] - mean[3])
    other = np.random.default_rng(4).normal(size=40)
    found = budget.regret_interval(values, 3, 17, other)
    assert found.mean == pytest.approx(budget.regret(values, 3, 17) - budget.regret(other, 3, 17)) and found.n == 40
    assert budget.regret_interval(values, 3, 17, values)[:3] == pytest.approx((0, 0, 0))
    assert budget.regret_interval([0.5] * 9, 1, 4)[:3] == pytest.approx((0, 0, 0))


def test_the_interval_of_regret_covers_it():
    """Of uniform values the best of n is n/(n+1). Of 100 intervals 95 % cover, fewer than 87 once in 1,000."""
    rng, true, covered = np.random.default_rng(5), 8 / 9 - 2 / 3, 0
    for _ in range(100):
        _, low, high, _ = budget.regret_interval(rng.uniform(size=60), 2, 8)
        covered += low <= true <= high
    assert covered >= 87


@pytest.mark.parametrize(("trials", "of"), [(0, 4), (4, 4), (2, 6)])
def test_regret_needs_more_trials_than_it_is_of(trials, of):
    with pytest.raises(ValueError, match=rf"must be 1 <= trials < of <= 5, .* got {trials} and {of}"):
        budget.regret([0.1, 0.2, 0.3, 0.4, 0.5], trials, of)


def test_arms_of_unequal_trials_have_no_difference_of_regret():
    with pytest.raises(ValueError, match="need the same trials, got 4 and 3"):
        budget.regret_interval([0.1, 0.2, 0.3, 0.4], 1, 2, [0.1, 0.2, 0.3])
