"""Figures of the cells of a factorial: one small panel each, two to a row."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from physnn.lab.figures.plots.frame import looks, require
from physnn.lab.figures.style import COLORS, FONT_SIZE, WIDTH
from physnn.lab.statistics.stats import written_number

MARKS = (("-", "o"), ((0, (5, 2)), "s"))  # of two groups: a dash and a marker
OUTCOMES = {"learns": "corrected", "at chance": "grid", "diverged": "ink"}


def budgets(
    curves: pd.DataFrame,
    *,
    cell: str = "arm",
    by: str = "model",
    roles: Mapping[str, str] | None = None,
    reference: str | None = None,
    ylabel: str = "expected lowest error, %",
) -> tuple[Figure, np.ndarray]:
    """Draw the error of the best against the number of trials, one panel per cell, with its spread as a band.

    Both axes are logarithmic, so that two percent and ninety can both be read.

    Args:
        curves: columns ``cell``, ``by`` (at most two values: a full and a dashed line), ``trials``, ``mean``, ``low``
            and ``high``: 100 less what :func:`physnn.lab.statistics.budget.expected_best` says of accuracies in
            percent.
        roles: Cell to role; cells without one are drawn in ink.
        reference: Cell whose curves are repeated, thin, in every other panel.

    Raises:
        ValueError: a column is missing or not finite, ``by`` has more than two values, or a role is unknown.
    """
    numbers = ["trials", "mean", "low", "high"]
    require(curves, [cell, by, *numbers], finite=numbers)
    cells, groups = _names(curves, cell, by)
    fig, axes = _panels(len(cells), 1.6, sharey=True)
    for ax, name in zip(axes.flat, cells, strict=False):
        (color, _), (ghost, _) = _look(name, roles), _look(reference or name, roles)
        for group, (dash, _) in zip(groups, MARKS, strict=False):
            if reference not in (None, name):
                rows = curves[(curves[cell] == reference) & (curves[by] == group)]
                ax.plot(rows.trials, rows["mean"], color=ghost, linestyle=dash, linewidth=0.9)
            rows = curves[(curves[cell] == name) & (curves[by] == group)]
            ax.fill_between(rows.trials, rows.low, rows.high, color=color, alpha=0.16, linewidth=0)
            ax.plot(rows.trials, rows["mean"], color=color, linestyle=dash, linewidth=1.8)
        ax.set(xscale="log", yscale="log", xlim=(1, curves.trials.max()))
        ticks = [t for t in (1, 3, 10, 30, 100, 300) if t <= curves.trials.max()]
        ax.set_xticks(ticks, [str(t) for t in ticks])
        ax.set_xticks([], minor=True)
        low, high = ax.get_ylim()
        ticks = [t for t in (1, 2, 5, 10, 20, 50, 100) if low <= t <= high]
        ax.set_yticks(ticks, [str(t) for t in ticks])
        ax.set_yticks([], minor=True)
        ax.set_title(name, color=color, fontsize=FONT_SIZE - 1)
    _name_groups(fig, groups, dashes=True)
    fig.supxlabel("random trials", fontsize=FONT_SIZE)
    fig.supylabel(ylabel, fontsize=FONT_SIZE)
    return fig, axes


def importances(
    table: pd.DataFrame,
    *,
    cell: str = "arm",
    by: str = "model",
    roles: Mapping[str, str] | None = None,
) -> tuple[Figure, np.ndarray]:
    """Draw importances, one panel per cell, a row for each parameter; above it how much the forest explains.

    Args:
        table: columns ``cell``, ``by`` (at most two values: a disc and an open square), ``parameter``, ``mean``,
            ``low`` and ``high``, as :func:`physnn.lab.statistics.importance.importances` gives the last three, and
            ``score``, the same in all rows of a cell and group.
        roles: Cell to role; cells without one are drawn in ink.

    Raises:
        ValueError: as :func:`budgets`.
    """
    numbers = ["mean", "low", "high", "score"]
    require(table, [cell, by, "parameter", *numbers], finite=numbers)
    cells, groups = _names(table, cell, by)
    parameters = list(dict.fromkeys(table.parameter))
    fig, axes = _panels(len(cells), 0.55 + 0.26 * len(parameters), sharey=True)
    for ax, name in zip(axes.flat, cells, strict=False):
        ((color, _),) = [_look(name, roles)]
        scores = []
        for i, (group, (_, marker)) in enumerate(zip(groups, MARKS, strict=False)):
            rows = table[(table[cell] == name) & (table[by] == group)]
            at = rows.parameter.map(parameters.index) + (0.16 if i else -0.16) * (len(groups) - 1)
            ax.hlines(at, rows.low, rows.high, color=color, linewidth=2)
            face = COLORS["paper"] if i else color
            ax.plot(rows["mean"], at, marker, color=color, markerfacecolor=face, markersize=5)
            scores += [written_number(value, ".2f") for value in rows.score[:1]]
        ax.axvline(0, color=COLORS["muted"], linewidth=1, zorder=0.6)
        ax.set_title(f"{name}\nR² {', '.join(scores)}", color=color, fontsize=FONT_SIZE - 1)
        ax.grid(axis="y", visible=False)
    axes.flat[0].set_yticks(range(len(parameters)), parameters)
    axes.flat[0].set_ylim(len(parameters) - 0.4, -0.6)
    _name_groups(fig, groups, dashes=False)
    fig.supxlabel("importance", fontsize=FONT_SIZE)
    return fig, axes


def outcomes(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    row: str,
    column: str = "model",
    outcome: str = "outcome",
    xlabel: str | None = None,
    ylabel: str | None = None,
) -> tuple[Figure, np.ndarray]:
    """Draw what became of runs over two hyperparameters, as maps under one key; a dot marks where the seeds disagree.

    Args:
        table: one row for each run, with the columns ``x`` and ``y`` (positive, drawn as powers of ten and as they
            are), ``row`` and ``column`` (of the panels) and ``outcome``: learns, at chance or diverged. Of several
            runs in one place the worst counts.

    Raises:
        ValueError: a column is missing, an outcome unknown, or a place has no run.
    """
    require(table, [x, y, row, column, outcome])
    kinds = list(OUTCOMES)
    if unknown := set(table[outcome]) - set(kinds):
        raise ValueError(f"outcomes are {', '.join(kinds)}, got {sorted(unknown)}")
    rank = table.assign(rank=table[outcome].map(kinds.index))
    rows, columns = list(dict.fromkeys(table[row])), list(dict.fromkeys(table[column]))
    xs, ys = sorted(set(table[x])), sorted(set(table[y]))
    places = rank.groupby([row, column, y, x])["rank"]
    if len(places) != len(rows) * len(columns) * len(xs) * len(ys):
        raise ValueError(f"every place of the {len(rows)} by {len(columns)} maps needs a run")
    worst, best = places.max(), places.min()
    fig, axes = plt.subplots(
        len(rows), len(columns), sharex=True, sharey=True, squeeze=False,
        figsize=(WIDTH, 0.9 + len(rows) * (0.4 + 0.21 * len(ys))),
    )  # fmt: skip
    for i, j in np.ndindex(axes.shape):
        ax, place = axes[i, j], (rows[i], columns[j])
        for (b, a), kind in worst.loc[place].items():
            at = (xs.index(a) - 0.46, ys.index(b) - 0.46)
            color = COLORS[OUTCOMES[kinds[kind]]]
            ax.add_patch(plt.Rectangle(at, 0.92, 0.92, facecolor=color, linewidth=0))
            if best.loc[(*place, b, a)] != kind:
                dot = COLORS["ink" if kinds[kind] == "at chance" else "paper"]
                ax.plot(xs.index(a), ys.index(b), "o", color=dot, markersize=3)
        ax.set_xlim(-0.6, len(xs) - 0.4)
        ax.set_ylim(-0.6, len(ys) - 0.4)
        ax.set_xticks(range(0, len(xs), 3), [_power(a) for a in xs[::3]])
        ax.set_yticks(range(len(ys)), [f"{b:g}" for b in ys], fontsize=FONT_SIZE - 2.5)
        ax.tick_params(length=0)
        ax.grid(visible=False)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_title(rows[i] if i else f"{columns[j]}\n{rows[i]}", fontsize=FONT_SIZE - 1.5)
    keys = [Patch(facecolor=COLORS[token], label=kind) for kind, token in OUTCOMES.items()]
    fig.legend(handles=keys, loc="outside upper left", ncols=3, frameon=False, handlelength=1, columnspacing=1.4)
    fig.supxlabel(xlabel or x, fontsize=FONT_SIZE)
    fig.supylabel(ylabel or y, fontsize=FONT_SIZE)
    return fig, axes


def _names(table: pd.DataFrame, cell: str, by: str) -> tuple[list[str], list[str]]:
    groups = list(dict.fromkeys(table[by]))
    if len(groups) > len(MARKS):
        raise ValueError(f"{by!r} has {groups}; these panels tell {len(MARKS)} apart")
    return list(dict.fromkeys(table[cell])), groups


def _panels(count: int, height: float, **shared: bool) -> tuple[Figure, np.ndarray]:
    rows = -(-count // 2)
    fig, axes = plt.subplots(rows, 2, sharex=True, squeeze=False, figsize=(WIDTH, rows * height + 0.7), **shared)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return fig, axes


def _look(name: str, roles: Mapping[str, str] | None) -> tuple[str, object]:
    return looks([name], {name: (roles or {}).get(name, "ink")})[0]


def _name_groups(fig: Figure, groups: Sequence[str], dashes: bool) -> None:
    """Say above the panels which line, or which marker, is which group."""
    if len(groups) < 2:
        return
    keys = []
    for i, (group, (dash, marker)) in enumerate(zip(groups, MARKS, strict=False)):
        face = COLORS["paper"] if i else COLORS["ink"]
        line = {"linestyle": dash} if dashes else {"linestyle": "", "marker": marker, "markerfacecolor": face}
        keys.append(plt.Line2D([], [], color=COLORS["ink"], label=group, **line))
    fig.legend(handles=keys, loc="outside upper left", ncols=len(keys), frameon=False)


def _power(value: float) -> str:
    exponent = np.log10(value)
    if abs(exponent - round(exponent)) > 1e-6:
        return f"{value:g}"
    return f"$10^{{{round(exponent)}}}$"
