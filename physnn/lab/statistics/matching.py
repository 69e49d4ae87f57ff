"""Comparison at equal clean accuracy: what a family of networks has where it is as accurate as another network.

A path is a family in an order: the epochs of one run, which could be stopped at each, or arms whose penalty grows
weaker. Between its points it is taken as straight.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd


def first_passage(x: Sequence[float], y: Sequence[float], at: float) -> float:
    r"""Return y on the first step of a path that passes ``at`` in x; NaN where none does.

    .. math::
        y_k + \frac{a - x_k}{x_{k+1} - x_k}\,(y_{k+1} - y_k), \qquad k = \min\{j : a \in [x_j, x_{j+1}]\}

    Nothing is extrapolated: an accuracy that the path does not reach has no value. On a step that does not move in x
    the value is that of its first point.

    Raises:
        ValueError: x and y differ in length.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"a path needs as many values as places, got {y.shape} and {x.shape}")
    if len(x) == 1:
        return float(y[0]) if x[0] == at else math.nan
    low, high = np.minimum(x[:-1], x[1:]), np.maximum(x[:-1], x[1:])
    passing = np.flatnonzero((low <= at) & (at <= high))
    if not len(passing) or math.isnan(at):
        return math.nan
    k = passing[0]
    share = (at - x[k]) / (x[k + 1] - x[k]) if x[k + 1] != x[k] else 0.0
    return float(y[k] + share * (y[k + 1] - y[k]))


def matched(path: pd.DataFrame, at: pd.Series, value: str, along: str = "test_accuracy") -> pd.Series:
    """Return for each seed what the path of that seed has in ``value`` where its ``along`` is ``at``.

    Args:
        path: rows in the order of the path, with the columns ``seed``, ``along`` and ``value``.
        at: the other network's ``along``, indexed by seed.

    Returns:
        A value for each seed of ``at``; NaN where its path does not reach it, or there is no path of that seed.

    Raises:
        ValueError: a column is missing, or ``at`` has a seed twice.
    """
    if missing := {"seed", along, value} - set(path):
        raise ValueError(f"the path has no columns {sorted(missing)}; it has {list(path.columns)}")
    if at.index.has_duplicates:
        raise ValueError(f"one value for each seed, got {list(at.index)}")
    paths = dict(iter(path.groupby("seed", sort=False)))
    found = {
        seed: first_passage(paths[seed][along], paths[seed][value], there) if seed in paths else math.nan
        for seed, there in at.items()
    }
    return pd.Series(found, dtype=float, name=value).rename_axis(at.index.name)
