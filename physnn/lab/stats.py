"""Intervals and tests, thin over scipy: every chapter computes them here."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats


class Interval(NamedTuple):
    """A mean with its 95 % interval, and the number of values behind it."""

    mean: float
    low: float
    high: float
    n: int

    def format(self, spec: str = ".2f", scale: float = 1.0) -> str:
        """Write ``mean [low, high]``, each multiplied by ``scale``."""
        mean, low, high = (format(scale * value, spec).replace("-", "−") for value in self[:3])
        return f"{mean} [{low}, {high}]"


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean and its 95 % Student interval.

    Raises:
        ValueError: fewer than two values, or one that is not finite.
    """
    values = _finite(values)
    mean, half = float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * values.sem())
    return Interval(mean, mean - half, mean + half, len(values))


def paired_difference(first: pd.Series, second: pd.Series) -> Interval:
    """Return the mean of ``first - second`` over their common index (the seeds), with its 95 % Student interval.

    Raises:
        ValueError: the indices differ, or as :func:`mean_interval`.
    """
    if set(first.index) != set(second.index) or first.index.has_duplicates or second.index.has_duplicates:
        raise ValueError(f"paired values need one common index, got {list(first.index)} and {list(second.index)}")
    return mean_interval(first - second)


def summary(table: pd.DataFrame, value: str, by: str = "arm") -> pd.DataFrame:
    """Return one row per ``by``, in order of appearance: mean, low, high and n of ``value``."""
    groups = table.groupby(by, sort=False)[value]
    rows = {name: mean_interval(group)._asdict() for name, group in groups}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)


def _finite(values: Sequence[float]) -> pd.Series:
    values = pd.Series(values, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"an interval needs at least two finite values, got {list(values)}")
    return values
