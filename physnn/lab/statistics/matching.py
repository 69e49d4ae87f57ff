"""Comparison at equal clean accuracy: what a family of networks has where it is as accurate as another network.

A path is a family in an order: the epochs of one run, which could be stopped at each, or arms whose penalty grows
weaker. Between its points it is taken as straight.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from physnn.lab.statistics.stats import named


def first_passage(x: Sequence[float], y: Sequence[float], at: float) -> float:
    r"""Return y on the first step of a path that passes ``at`` in x; NaN where none does.

    .. math::
        y_k + \frac{a - x_k}{x_{k+1} - x_k}\,(y_{k+1} - y_k), \qquad k = \min\{j : a \in [x_j, x_{j+1}]\}

    Nothing is extrapolated: an accuracy that the path does not reach has no value. On a step that does not move in x
    the value is that of its first point. A point whose x is NaN is on no step, and its neighbours stand for themselves.

    Raises:
        ValueError: x and y differ in length.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"a path needs as many values as places, got {y.shape} and {x.shape}")
    points = np.flatnonzero(x == at)
    passing = np.flatnonzero((np.minimum(x[:-1], x[1:]) < at) & (at < np.maximum(x[:-1], x[1:])))
    if len(points) and (not len(passing) or points[0] <= passing[0]):
        return float(y[points[0]])
    if not len(passing):
        return math.nan
    k = passing[0]
    return float(y[k] + (at - x[k]) / (x[k + 1] - x[k]) * (y[k + 1] - y[k]))


def matched(path: pd.DataFrame, at: pd.Series, value: str, along: str = "test_accuracy") -> pd.Series:
    """Return for each seed what the path of that seed has in ``value`` where its ``along`` is ``at``.

    Args:
        path: rows in the order of the path, with the columns ``seed``, ``along`` and ``value``.
        at: the other network's ``along``, indexed by seed.

    Returns:
        A value for each seed of ``at``; NaN where its path does not reach it, or there is no path of that seed.

    Raises:
        ValueError: a column is missing, a row has no seed, or ``at`` has a seed twice.
    """
    if missing := {"seed", along, value} - set(path):
        raise ValueError(f"the path has no columns {sorted(missing)}; it has {list(path.columns)}")
    named(path, "seed")
    if at.index.has_duplicates:
        raise ValueError(f"one value for each seed, got {list(at.index)}")
    paths = dict(iter(path.groupby("seed", sort=False)))
    found = {
        seed: first_passage(paths[seed][along], paths[seed][value], there) if seed in paths else math.nan
        for seed, there in at.items()
    }
    return pd.Series(found, dtype=float, name=value).rename_axis(at.index.name)


def matched_lower(
    first: pd.DataFrame, second: pd.DataFrame, value: str, along: str = "validation_accuracy"
) -> pd.DataFrame:
    """Return for each seed what two runs have in ``value`` where both have the ``along`` of the one that ends lower.

    Of that one it is the value at its end; the other is taken where its path first passes there, as if it had been
    stopped.

    Args:
        first, second: rows of all epochs, in their order, with the columns ``seed``, ``along`` and ``value``.

    Returns:
        The columns ``first`` and ``second``, a row for each seed of both; NaN where a run has no number at that place.

    Raises:
        ValueError: as :func:`matched`.
    """
    sides = {"first": first, "second": second}
    for rows in sides.values():
        if missing := {"seed", along, value} - set(rows):
            raise ValueError(f"the path has no columns {sorted(missing)}; it has {list(rows.columns)}")
    ends = {name: rows.groupby("seed").last() for name, rows in sides.items()}
    places = pd.concat({name: end[along] for name, end in ends.items()}, axis=1).dropna()
    lower = places.min(axis=1)
    found = {
        name: matched(rows, lower, value, along).mask(places[name] == lower, ends[name][value])
        for name, rows in sides.items()
    }
    return pd.DataFrame(found)
