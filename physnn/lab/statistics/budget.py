"""How much tuning an arm needs: the expected best of n trials, and how many trials are good."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import gammaln

from physnn.lab.statistics.stats import digits_of


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
    i, n = np.arange(1, len(y) + 1), np.arange(1, len(y) + 1)[:, None]
    ways = np.where(i >= n, _log_choose(np.maximum(i - 1, n - 1), n - 1), -np.inf)
    p = np.exp(ways - _log_choose(len(y), n))
    below = p.cumsum(1)
    tail = (1 - spread) / 2
    low, high = (y[(below >= q - 1e-9).argmax(1)] for q in (tail, 1 - tail))
    return pd.DataFrame({"mean": p @ y, "low": low, "high": high}, index=pd.Index(n[:, 0], name="trials"))


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


def _log_choose(n: np.ndarray | int, k: np.ndarray) -> np.ndarray:
    return gammaln(np.add(n, 1)) - gammaln(k + 1) - gammaln(n - k + 1)


def _finite(values: Sequence[float]) -> np.ndarray:
    y = np.asarray(values, dtype=float)
    if not y.size or not all(map(math.isfinite, y)):
        raise ValueError(f"trials need finite values, at least one, got {list(y)}; give one that diverged a guess's")
    return y
