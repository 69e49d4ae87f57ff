"""Figures of one measure against another: families of networks as paths, single networks as points beside them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physnn.lab.figures.plots.frame import looks, new_axes, require
from physnn.lab.figures.style import COLORS


def paths(
    summary: pd.DataFrame,
    *,
    x: str,
    by: str,
    roles: Mapping[str, str],
    aside: Mapping[str, tuple[float, float]] | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw each family through its points in their order, and who has one point as a larger dot, named beside it.

    Args:
        summary: rows in the order of their paths, with the columns ``by``, ``x``, ``mean``, ``low`` and ``high``.
        roles: Name to role, as in :func:`physnn.lab.figures.plots.intervals`.
        aside: Name to the shift of its label from its last point, in points of type; to the left where the first
            is negative. By default to the right.

    Raises:
        ValueError: a column is missing or not finite, or a name has no role.
    """
    numbers = [x, "mean", "low", "high"]
    require(summary, [by, *numbers], finite=numbers)
    fig, ax = new_axes(ax)
    names = list(dict.fromkeys(summary[by]))
    for name, (color, dash) in zip(names, looks(names, roles), strict=True):
        rows = summary[summary[by] == name]
        alone = len(rows) == 1
        ax.vlines(rows[x], rows.low, rows.high, color=color, linewidth=2)
        if not alone:
            ax.plot(rows[x], rows["mean"], color=color, linestyle=dash, linewidth=1.4)
        ax.plot(
            rows[x], rows["mean"], "o", color=color, markersize=8.5 if alone else 5, markeredgecolor=COLORS["paper"],
            markeredgewidth=1.2, zorder=3 if alone else 2,
        )  # fmt: skip
        right, up = (aside or {}).get(name, (8, 0))
        ax.annotate(
            name, (rows[x].iloc[-1], rows["mean"].iloc[-1]), (right, up), textcoords="offset points", color=color,
            ha="center" if right == 0 else "left" if right > 0 else "right", va="center", annotation_clip=False,
        )  # fmt: skip
    ax.set(xlabel=xlabel or x, ylabel=ylabel or "mean")
    ax.margins(x=0.04, y=0.08)
    return fig, ax


def percent_ticks(ax: Axes, low: float, high: float) -> None:
    """Show accuracies in percent so that equal factors of the error are equal lengths: 80, 90, 95, 98, 99 and so on."""
    ax.set_xscale("function", functions=(_odds, _from_odds))
    ticks = [at for at in (50, 60, 70, 80, 85, 90, 93, 95, 97, 98, 99, 99.5) if low <= at <= high]
    ax.set_xticks(ticks, [f"{at:g}" for at in ticks])
    ax.set_xticks([], minor=True)
    ax.set_xlim(low, high)


def _odds(percent: np.ndarray) -> np.ndarray:
    return -np.log(np.clip(100 - np.asarray(percent, dtype=float), 1e-3, None))


def _from_odds(value: np.ndarray) -> np.ndarray:
    return 100 - np.exp(-np.asarray(value, dtype=float))
