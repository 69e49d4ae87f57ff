"""Figures of rows: arms, or differences between arms, each with its interval."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physnn.lab.figures.plots.frame import draw_references, looks, new_axes, require
from physnn.lab.figures.style import COLORS, WIDTH


def intervals(
    table: pd.DataFrame,
    summary: pd.DataFrame,
    *,
    value: str = "accuracy",
    by: str = "arm",
    roles: Mapping[str, str] | None = None,
    references: Mapping[str, float] | None = None,
    xlabel: str | None = None,
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw one row per arm: a dot per seed, the mean and its interval.

    Args:
        table: Tidy rows, one per arm and seed, with the columns ``by`` and ``value``.
        summary: Index ``by``; columns ``mean``, ``low``, ``high``. Its order is the rows' order, from
            the top. Computed by the caller: a figure draws statistics, it does not choose them.
        roles: Arm (or reference) to role. Arms whose name is a role need no entry; references
            without one are drawn in the muted ink.
        references: Label to value, each a dashed vertical line named above the axes.

    Raises:
        ValueError: a column is missing, an arm has no role, or the arms of the two tables differ.
    """
    require(table, [by, value])
    require(summary, ["mean", "low", "high"])
    arms = list(summary.index)
    if set(arms) != set(table[by]):
        raise ValueError(f"summary has the arms {arms}, table has {sorted(set(table[by]))}; they must be the same")
    fig, ax = new_axes(ax, height=0.9 + 0.42 * len(arms) + (0.3 if references else 0))
    for row, (arm, (color, _)) in enumerate(zip(arms, looks(arms, roles), strict=True)):
        values = table.loc[table[by] == arm, value]
        mean, low, high = summary.loc[arm, ["mean", "low", "high"]]
        ax.scatter(values, np.full(len(values), row + 0.2), s=22, color=color, alpha=0.55, linewidth=0)
        _interval(ax, row, mean, low, high, color)
    _name_rows(ax, [str(arm) for arm in arms])
    ax.set_xlabel(xlabel or value)
    draw_references(fig, ax, references or {}, roles or {})
    return fig, ax


def differences(
    summary: pd.DataFrame,
    *,
    label: str | None = None,
    panel: str | None = None,
    roles: Mapping[str, str] | None = None,
    margin: float | None = None,
    xlabel: str = "difference",
) -> tuple[Figure, np.ndarray]:
    """Draw paired differences and their intervals against zero, one row each.

    Args:
        summary: one row per contrast, as :func:`physnn.lab.statistics.stats.comparisons` gives them, with the columns
            ``mean``, ``low`` and ``high``, and ``first`` and ``second`` or ``label``. Drawn from the top, in order.
        label: Column with the names of the rows; by default "first − second", in two lines.
        panel: Column (the model, say) by which the rows are divided into panels under one scale.
        roles: Name of a row, or its first arm, to role. Rows without one are drawn in ink.
        margin: Draws the band from −margin to margin, within which a difference counts as none.

    Raises:
        ValueError: a column is missing or not finite, a role is unknown, or the margin is not positive.
    """
    names = ["first", "second"] if label is None else [label]
    numbers = ["mean", "low", "high"]
    require(summary, [*names, *numbers, *([panel] if panel else [])], finite=numbers)
    if margin is not None and not margin > 0:
        raise ValueError(f"the margin must be positive, got {margin}")
    groups = list(summary.groupby(panel, sort=False)) if panel else [(None, summary)]
    lines = 1 if label else 2
    sizes = [len(rows) * (0.28 + 0.2 * lines) for _, rows in groups]
    fig, axes = plt.subplots(
        len(groups), 1, sharex=True, squeeze=False, height_ratios=sizes,
        figsize=(WIDTH, sum(sizes) + 0.9 + (0.35 * len(groups) if panel else 0)),
    )  # fmt: skip
    for ax, (name, rows) in zip(axes[:, 0], groups, strict=True):
        if margin is not None:
            ax.axvspan(-margin, margin, color=COLORS["grid"], linewidth=0, zorder=0.4)
        ax.axvline(0, color=COLORS["muted"], linewidth=1.2, zorder=0.6)
        for row, (mean, low, high) in enumerate(rows[numbers].itertuples(index=False)):
            key = rows[names[0]].iloc[row]
            ((color, _),) = looks([key], {key: (roles or {}).get(key, "ink")})
            _interval(ax, row, mean, low, high, color)
        _name_rows(ax, ["\n− ".join(map(str, named)) for named in rows[names].itertuples(index=False)])
        if name is not None:
            ax.set_title(str(name))
    if margin is not None:
        axes[-1, 0].annotate(
            f"±{margin:g}", (0, 0), (4, 3), xycoords=axes[-1, 0].get_xaxis_transform(), textcoords="offset points",
            color=COLORS["muted"],
        )  # fmt: skip
    axes[-1, 0].set_xlabel(xlabel)
    return fig, axes[:, 0]


def grouped(
    summary: pd.DataFrame,
    *,
    label: str,
    by: str,
    roles: Mapping[str, str],
    xlabel: str = "difference",
) -> tuple[Figure, Axes]:
    """Draw differences against zero, one row per ``label``, and in it one dot with its interval per ``by``.

    Args:
        summary: one row per ``label`` and ``by``, with the columns ``mean``, ``low`` and ``high``; rows and dots are
            drawn in the order of their appearance.
        roles: Name to role, as in :func:`intervals`; those of one role differ by their markers.

    Raises:
        ValueError: a column is missing or not finite, or a name has no role.
    """
    numbers = ["mean", "low", "high"]
    require(summary, [label, by, *numbers], finite=numbers)
    rows, names = list(dict.fromkeys(summary[label])), list(dict.fromkeys(summary[by]))
    fig, ax = plt.subplots(figsize=(WIDTH, 1.2 + len(rows) * (0.2 + 0.14 * len(names))))
    ax.axvline(0, color=COLORS["muted"], linewidth=1.2, zorder=0.6)
    used: list[str] = []
    for i, (name, (color, _)) in enumerate(zip(names, looks(names, roles), strict=True)):
        some = summary[summary[by] == name].set_index(label).reindex(rows)
        at = np.arange(len(rows)) + 0.22 * (i - (len(names) - 1) / 2)
        ax.hlines(at, some.low, some.high, color=color, linewidth=2.4)
        marker = "osD^v"[used.count(color) % 5]
        used.append(color)
        ax.plot(some["mean"], at, marker, color=color, markersize=7, markeredgecolor=COLORS["paper"], label=name)
    _name_rows(ax, [str(row) for row in rows])
    ax.set_xlabel(xlabel)
    fig.legend(loc="outside upper left", frameon=False, ncols=2, handletextpad=0.2, columnspacing=1.2)
    return fig, ax


def symlog_points(ax: Axes, low: float, high: float, steps: Sequence[int] = (1, 10, 100)) -> None:
    """Make the axis of differences linear up to ±1 and logarithmic beyond, so that small and large can both be read.

    Args:
        low, high: The ends of the axis, around 0.
        steps: The sizes that are marked, on both sides of 0, as far as the axis reaches.

    Raises:
        ValueError: 0 is not between the ends.
    """
    if not low < 0 < high:
        raise ValueError(f"the axis must reach to both sides of 0, got {low} to {high}")
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xlim(low, high)
    ticks = [x for x in (*(-step for step in reversed(steps)), 0, *steps) if low <= x <= high]
    ax.set_xticks(ticks, [f"{x}".replace("-", "−") for x in ticks])
    ax.set_xticks([], minor=True)


def _interval(ax: Axes, row: int, mean: float, low: float, high: float, color: str) -> None:
    ax.plot([low, high], [row, row], color=color, linewidth=3, solid_capstyle="round")
    ax.plot(mean, row, "o", color=color, markersize=8.5, markeredgecolor=COLORS["paper"], markeredgewidth=1.5)


def _name_rows(ax: Axes, names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0, labelcolor=COLORS["ink"])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
