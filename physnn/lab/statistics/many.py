"""Thousands of intervals at once, as a large sweep needs them."""

import numpy as np
import pandas as pd
from scipy import stats


def mean_intervals(values: np.ndarray) -> pd.DataFrame:
    r"""Return :func:`physnn.lab.statistics.stats.mean_interval` of each row of a matrix, up to rounding.

    .. math::
        \bar x \pm t_{0.975,\,n-1}\, s/\sqrt n

    What is not finite is left out. A row with a single value has its mean and no interval, one with none has neither.

    Args:
        values: of shape (rows, most values of a row), filled up with NaN.

    Returns:
        ``mean``, ``low``, ``high`` and ``n``, of each row.
    """
    held = np.where(np.isfinite(values), values, np.nan)
    n = np.isfinite(held).sum(axis=1)
    largest = np.nan_to_num(abs(held)).max(axis=1, initial=0)
    unit = np.ldexp(1.0, np.clip(np.frexp(largest)[1], -1021, 1023))  # in it no square overflows or vanishes
    held = held / unit[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.nansum(held, axis=1) / n
        sem = np.sqrt(np.nansum((held - mean[:, None]) ** 2, axis=1) / (n - 1) / n)
    half = stats.t.ppf(0.975, np.maximum(n - 1, 1)) * np.where(n > 1, sem, np.nan)
    first = np.take_along_axis(held, np.isfinite(held).argmax(axis=1)[:, None], axis=1)
    same = (n > 1) & (np.isnan(held) | (held == first)).all(axis=1)  # then rounding makes no interval either
    mean, half = np.where(same, first[:, 0], mean), np.where(same, 0.0, half)
    return pd.DataFrame({"mean": unit * mean, "low": unit * (mean - half), "high": unit * (mean + half), "n": n})
