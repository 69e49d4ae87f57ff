"""Shares of events, against statsmodels' published values and exact enumeration of the coverage."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from physnn.lab.statistics.shares import paired_shares, share


def events(count, n):
    return pd.Series([True] * count + [False] * (n - count))


def test_wilsons_interval_is_its_formula():
    """(k + z²/2 ± z √(k(n-k)/n + z²/4)) / (n + z²)."""
    z = scipy_stats.norm.ppf(0.975)
    for k, n in ((0, 10), (3, 48), (24, 48), (10, 10)):
        middle, half = k + z**2 / 2, z * math.sqrt(k * (n - k) / n + z**2 / 4)
        found = share(events(k, n))
        assert found == pytest.approx((k / n, (middle - half) / (n + z**2), (middle + half) / (n + z**2), n), abs=1e-12)


def pairs(both, first, second, neither):
    one = [True] * (both + first) + [False] * (second + neither)
    other = [True] * both + [False] * first + [True] * second + [False] * neither
    return pd.Series(one), pd.Series(other)


def test_the_difference_of_paired_shares_is_that_of_bonett_and_price():
    """Their formula, and McNemar's exact test, worked by hand: 1 of 12 discordant pairs against 11."""
    found = paired_shares(*pairs(3, 1, 11, 33))
    pb, pc, z = 2 / 50, 12 / 50, scipy_stats.norm.ppf(0.975)
    half = z * math.sqrt((pb + pc - (pb - pc) ** 2) / 50)
    assert found.difference == pytest.approx((-10 / 48, pb - pc - half, pb - pc + half, 48))
    assert found.p == pytest.approx(2 * (1 + 12) / 2**12)


def test_shares_that_never_differ():
    found = paired_shares(*pairs(0, 0, 0, 48))
    assert found.p == 1.0 and found.difference.low < 0 < found.difference.high
    assert paired_shares(*pairs(0, 48, 0, 0)).difference.high == 1.0


@pytest.mark.parametrize("p", [0.02, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("n", [16, 48])
def test_the_intervals_cover(p, n):
    """Exactly, over the binomial law: Student's interval of zeros and ones covers 0.02 of 48 in 62 % of samples."""
    k = np.arange(n + 1)
    weight = scipy_stats.binom.pmf(k, n, p)
    covered = sum(w for i, w in zip(k, weight, strict=True) if share(events(i, n)).low <= p <= share(events(i, n)).high)
    assert covered > 0.92
    # Independent arms of this share each: the difference is zero.
    inside = 0.0
    for b in range(n + 1):
        for c in range(n + 1 - b):
            each = scipy_stats.multinomial.pmf([b, c, n - b - c], n, [p * (1 - p), p * (1 - p), 1 - 2 * p * (1 - p)])
            if each > 1e-9:
                found = paired_shares(*pairs(0, b, c, n - b - c)).difference
                inside += each * (found.low <= 0 <= found.high)
    assert inside > 0.94


@pytest.mark.parametrize("values", [[], [True, None], ["True", "False"], [0.5, 1.0]])
def test_what_is_no_event_is_refused(values):
    with pytest.raises(ValueError, match="True or False"):
        share(values)


def test_pairs_need_one_index():
    with pytest.raises(ValueError, match="one common index"):
        paired_shares(events(1, 3), events(1, 4))
