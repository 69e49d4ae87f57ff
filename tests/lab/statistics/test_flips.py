"""The sign-flip test against Fisher's own count, scipy's permutations, and its false alarms."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from physnn.lab.statistics.flips import LARGEST, sign_flip

# Darwin's maize, crossed less self-fertilized, in eighths of an inch; Fisher (1935), section 17.
DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]


def test_fisher_1935():
    """Section 21: of the 2^15 sums 863 are as large and positive, 5.267 % with those that are as negative."""
    assert sign_flip(DARWIN) == 2 * 863 / 2**15


@pytest.mark.parametrize("n", [2, 5, 10, 11])
def test_it_is_the_permutation_test_of_scipy(n):
    rng = np.random.default_rng(n)
    for d in (rng.normal(0.5, 1, n), rng.integers(-3, 5, n) / 10):
        expected = scipy_stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=2**n)
        assert sign_flip(d) == pytest.approx(expected.pvalue, abs=1e-12)


def test_a_few_pairs_can_show_little():
    assert sign_flip([0.1]) == 1 and sign_flip([0.1] * 5) == 2 / 32 and sign_flip([0.3] * 10) == 2 / 1024
    assert sign_flip([0.0] * 10) == 1 and sign_flip([1, -1, 2, -2]) == 1


def test_pairs_without_a_difference_change_nothing():
    assert sign_flip([0.3, 0.5, 0.8, -0.2]) == sign_flip([0.3, 0.0, 0.5, 0.0, 0.8, -0.2])


def test_ties_are_ties():
    """0.1 + 0.2 is not 0.3 in floating point: of the 8 sums of 0.1, 0.2, -0.3 all are at least 0 in size."""
    assert sign_flip([0.1, 0.2, -0.3]) == 1
    assert sign_flip([0.1, 0.2, 0.3, -0.3, 0.3]) == sign_flip([1, 2, 3, -3, 3])


@pytest.mark.parametrize("unit", [2.0**-1000, 1e-9, 1e9, 2.0**1000])
def test_it_knows_no_unit(unit):
    assert sign_flip(np.array(DARWIN) * unit) == sign_flip(DARWIN)


def test_twenty_pairs_are_counted_too():
    """A million signs, against 200,000 random ones; five standard errors."""
    d = np.random.default_rng(3).normal(0.45, 1, 20)
    signs = np.random.default_rng(0).choice([-1, 1], (200_000, 20))
    share = (abs(signs @ d) >= abs(d.sum())).mean()
    assert sign_flip(d) == pytest.approx(share, abs=5 * (share / 200_000) ** 0.5)


def test_beyond_the_largest_count_the_signs_are_drawn():
    d = np.random.default_rng(0).normal(0.25, 1, LARGEST)
    exact, drawn = sign_flip(d), sign_flip([*d, 0.0])
    assert drawn == pytest.approx(exact, abs=5 * (exact / 9_999) ** 0.5) and sign_flip([*d, 0.0]) == drawn


@pytest.mark.parametrize("law", ["norm", "cauchy", "laplace"])
def test_false_alarms(law):
    """Of 2,000 studies of ten pairs from a symmetric law 5 % are significant; false-alarm rate 1e-4 each."""
    draws = getattr(scipy_stats, law).rvs(size=(2000, 10), random_state=1)
    alarms = sum(sign_flip(d) <= 0.05 for d in draws)
    rate = np.floor(0.05 * 2**9) / 2**9  # the p of continuous differences are multiples of 2^-9
    assert scipy_stats.binomtest(alarms, 2000, rate).pvalue > 1e-4


@pytest.mark.parametrize("bad", [[], [1.0, float("nan")], [float("inf"), 1.0], [[1.0, 2.0]]])
def test_bad_differences(bad):
    with pytest.raises(ValueError, match="finite differences, at least one"):
        sign_flip(bad)
