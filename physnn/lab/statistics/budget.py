"""How much tuning an arm needs: the expected best of n trials, and how many trials are good."""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import gammaln
from scipy.stats import bootstrap

from physnn.lab.statistics.stats import Interval, digits_of


def expected_best(values: Sequence[float], spread: float = 0.8) -> pd.DataFrame:
    r"""Return the mean and the spread of the best of n trials, for n from 1 to N, the number of trials.

    The n trials are drawn from the N without replacement. With the values in ascending order,

    .. math::
        P(\text{best of } n \text{ is } y_{(i)}) = \binom{i-1}{n-1} \Big/ \binom{N}{n}

    The mean is the unbiased estimate of what n trials give (Tang et al. 2020), where that of Dodge et al. (2019), who
    draw with replacement, is too low. ``low`` and ``high`` are the quantiles of this law that hold the share
    ``spread`` of all draws. They say how much luck is in n trials out of *these* N, and meet at n = N, where no luck
    is left; they say nothing about other N trials.

    Args:
        values: one for each trial, higher is better. A trial that diverged has the value of a guess.

    Returns:
        ``mean``, ``low`` and ``high``, indexed by n as ``trials``.

    Raises:
        ValueError: there are no values, one is not finite, or ``spread`` is not between 0 and 1.
    """
    y = np.sort(_finite(values))
    if not 0 < spread < 1:
        raise ValueError(f"spread must be between 0 and 1, both excluded, got {spread}")
    n = np.arange(1, len(y) + 1)[:, None]
    p = _chances(len(y), n)
    below = p.cumsum(1)
    tail = (1 - spread) / 2
    low, high = (y[(below >= q - 1e-9).argmax(1)] for q in (tail, 1 - tail))
    return pd.DataFrame({"mean": p @ y, "low": low, "high": high}, index=pd.Index(n[:, 0], name="trials"))


def regret(values: Sequence[float], trials: int, of: int) -> float:
    r"""Return by how much the expected best of few trials stays behind that of many, in the unit of the values.

    .. math::
        \operatorname{E}[\max \text{ of } n_{\text{of}}] - \operatorname{E}[\max \text{ of } n_{\text{trials}}]

    each as :func:`expected_best` estimates it.

    Raises:
        ValueError: as :func:`expected_best`, or not 1 <= trials < of <= N.
    """
    y = np.sort(_finite(values))
    return float(_regret_weights(len(y), trials, of) @ y)


def regret_interval(
    values: Sequence[float], trials: int, of: int, against: Sequence[float] | None = None, seed: int = 0
) -> Interval:
    """Return :func:`regret`, or that of an arm less that of another, with a 95 % interval by resampling trials.

    A bootstrap (BCa, 2,000 resamples) of the N trials; those of two arms are resampled in pairs, in their order. N
    should be several times ``of``: a resample holds some trials twice, and the best of ``of`` is then one of fewer.

    Raises:
        ValueError: as :func:`regret`, or the arms have not as many trials.
    """
    arms = [_finite(values)] if against is None else [_finite(values), _finite(against)]
    if len({len(arm) for arm in arms}) > 1:
        raise ValueError(f"two arms need the same trials, got {len(arms[0])} and {len(arms[1])}")

    def statistic(*several: np.ndarray, axis: int = -1) -> np.ndarray:
        sorted_ = (np.moveaxis(np.sort(each, axis), axis, -1) for each in several)
        found = [each @ _regret_weights(each.shape[-1], trials, of) for each in sorted_]
        return found[0] - sum(found[1:])

    mean = float(statistic(*arms))
    if all(np.ptp(arm) == 0 for arm in arms) or (against is not None and np.array_equal(*arms)):
        return Interval(mean, mean, mean, len(arms[0]))
    rng = np.random.default_rng(seed)
    found = bootstrap(arms, statistic, paired=True, n_resamples=2000, random_state=rng)
    low, high = found.confidence_interval
    return Interval(mean, float(low), float(high), len(arms[0]))


@cache
def _regret_weights(size: int, trials: int, of: int) -> np.ndarray:
    """Return what the values in ascending order are multiplied by."""
    if not 1 <= trials < of <= size:
        raise ValueError(
            f"trials and of must be 1 <= trials < of <= {size}, the number of values, got {trials} and {of}"
        )
    many, few = _chances(size, np.array([[of], [trials]]))
    return many - few


def share_near_best(values: Sequence[float], within: float) -> float:
    """Return the share of trials whose value is at most ``within`` below the best one, to twelve digits; it counts too.

    Raises:
        ValueError: there are no values, one is not finite, or ``within`` is negative.
    """
    return float(near_best(pd.Series(values, dtype=float), within).mean())


def near_best(values: pd.Series, within: float) -> pd.Series:
    """Tell of each trial whether its value is at most ``within`` below the best one, to twelve digits.

    Raises:
        ValueError: as :func:`share_near_best`.
    """
    y = _finite(values)
    if not within >= 0:
        raise ValueError(f"within must be at least 0, in the unit of the values, got {within}")
    return pd.Series((y.max() - y).round(digits_of(y)) <= within, values.index)


def _chances(size: int, n: np.ndarray) -> np.ndarray:
    """Return the chance of each of ``size`` values, in ascending order, to be the best of n."""
    i = np.arange(1, size + 1)
    ways = np.where(i >= n, _log_choose(np.maximum(i - 1, n - 1), n - 1), -np.inf)
    return np.exp(ways - _log_choose(size, n))


def _log_choose(n: np.ndarray | int, k: np.ndarray) -> np.ndarray:
    return gammaln(np.add(n, 1)) - gammaln(k + 1) - gammaln(n - k + 1)


def _finite(values: Sequence[float]) -> np.ndarray:
    y = np.asarray(values, dtype=float)
    if not y.size or not all(map(math.isfinite, y)):
        raise ValueError(f"trials need finite values, at least one, got {list(y)}; give one that diverged a guess's")
    return y
