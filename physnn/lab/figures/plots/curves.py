"""Figures of curves: a metric against epochs or a coefficient, and the share of runs that is not there yet."""

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from physnn.lab.figures.plots.frame import draw_references, label_ends, looks, new_axes, require


def learning_curves(
    history: pd.DataFrame,
    *,
    x: str = "epoch",
    y: str = "accuracy",
    hue: str = "arm",
    roles: Mapping[str, str] | None = None,
    spread: str = "range",
    xlabel: str | None = None,
    ylabel: str | None = None,
    ylim: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw ``y`` against ``x``, one curve per arm with the spread of its seeds as a band.

    Args:
        history: Tidy rows with the columns ``x``, ``y`` and ``hue``, one per arm, seed and ``x``.
        roles: Arm to role, for arms whose name is not itself a role. Arms of one role share its
            colour and differ by their dashes.
        spread: ``"range"`` draws the median and the band from the lowest to the highest seed,
            ``"sd"`` the mean and one standard deviation to either side. How many seeds, the caption says.
        ylim: Given here, not afterwards, so that the labels at the curves' ends keep apart.
        ax: Axes with their scales already set; by default a new figure.

    Raises:
        ValueError: a column is missing, an arm has no role, or ``spread`` is unknown.
    """
    require(history, [x, y, hue])
    if spread not in ("range", "sd"):
        raise ValueError(f"spread={spread!r}; expected 'range' (median, lowest to highest) or 'sd' (mean, one sd)")
    fig, ax = new_axes(ax)
    ends = []
    arms = list(dict.fromkeys(history[hue]))
    for arm, (color, dash) in zip(arms, looks(arms, roles), strict=True):
        runs = history[history[hue] == arm]
        groups = runs.groupby(x)[y]
        if spread == "range":
            centre, low, high = groups.median(), groups.min(), groups.max()
        else:
            centre, sd = groups.mean(), groups.std().fillna(0.0)
            low, high = centre - sd, centre + sd
        ax.fill_between(centre.index, low, high, color=color, alpha=0.22, linewidth=0)
        ax.plot(centre.index, centre, color=color, linestyle=dash)
        ends.append((float(centre.iloc[-1]), str(arm), color))
    ax.set(xlabel=xlabel or x, ylabel=ylabel or y)
    ax.margins(x=0)
    if pd.api.types.is_integer_dtype(history[x]):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if ylim is not None:
        ax.set_ylim(ylim)
    label_ends(fig, ax, ends)
    return fig, ax


def response(
    summary: pd.DataFrame,
    *,
    x: str,
    by: str = "arm",
    roles: Mapping[str, str] | None = None,
    references: Mapping[str, float] | None = None,
    linear_below: float | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    ylim: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw a metric against a number that was varied, one curve per arm, a point and its interval at each value.

    Args:
        summary: one row per arm and value of ``x``, as ``stats.summary(table, value, by=[by, x])`` gives them: ``by``
            and ``x`` in its index or columns, and the columns ``mean``, ``low`` and ``high``.
        roles: Arm (or reference) to role, as in :func:`intervals`.
        references: Label to value of ``x``, each a dashed vertical line named above the axes.
        linear_below: Draw ``x`` on a logarithmic axis to both sides of zero, linear up to this absolute value.
        ylim: Given here, not afterwards, so that the names at the curves' ends keep apart.

    Raises:
        ValueError: a column is missing or not finite, an arm has no role or two rows of one ``x``, or
            ``linear_below`` is not positive.
    """
    summary = summary.reset_index()
    require(summary, [by, x, "mean", "low", "high"], finite=[x, "mean", "low", "high"])
    if summary.duplicated([by, x]).any():
        raise ValueError(f"an arm has several rows of one {x!r}; summarize over the seeds first")
    fig, ax = new_axes(ax)
    if linear_below is not None:
        _set_symlog(ax, linear_below, summary[x])
    arms = list(dict.fromkeys(summary[by]))
    ends = []
    for i, (arm, (color, dash)) in enumerate(zip(arms, looks(arms, roles), strict=True)):
        rows = summary[summary[by] == arm].sort_values(x)
        # Points of equal x stand side by side, so that their intervals can be told apart.
        aside = ScaledTranslation((i - (len(arms) - 1) / 2) * 4 / 72, 0, fig.dpi_scale_trans)
        at = ax.transData + aside
        ax.vlines(rows[x], rows.low, rows.high, color=color, linewidth=2.2, transform=at)
        ax.plot(rows[x], rows["mean"], color=color, linestyle=dash, linewidth=1.2, transform=at)
        ax.plot(rows[x], rows["mean"], "o", color=color, markersize=5.5, transform=at)
        for bound in ("low", "high"):  # what is drawn aside does not count by itself
            ax.update_datalim(rows[[x, bound]].to_numpy(dtype=float))
        ends.append((float(rows["mean"].iloc[-1]), str(arm), color))
    ax.set(xlabel=xlabel or x, ylabel=ylabel or "mean")
    ax.margins(x=0.04)
    ax.autoscale_view()
    if ylim is not None:
        ax.set_ylim(ylim)
    draw_references(fig, ax, references or {}, roles or {})
    label_ends(fig, ax, ends)
    return fig, ax


def survival(
    curves: pd.DataFrame,
    *,
    by: str = "arm",
    x: str = "epochs",
    roles: Mapping[str, str] | None = None,
    xlabel: str | None = None,
    ylabel: str = "share of runs not there yet",
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw the share of runs that are not there yet as steps, with its interval, and a bar where a run is censored.

    Args:
        curves: what :func:`physnn.lab.statistics.survival.kaplan_meier` returns.
        roles: Arm to role, as in :func:`learning_curves`.

    Raises:
        ValueError: a column is missing, or an arm has no role.
    """
    require(curves, [by, x, "survival", "low", "high", "censored"])
    fig, ax = new_axes(ax)
    arms = list(dict.fromkeys(curves[by]))
    last = curves[x].max()
    ends = []
    for arm, (color, dash) in zip(arms, looks(arms, roles), strict=True):
        steps = curves[curves[by] == arm].sort_values(x)
        if steps.survival.iloc[-1] == 0:  # and it stays there
            steps = pd.concat([steps, steps.iloc[-1:].assign(**{x: last, "censored": 0})])
        known = steps.low.notna() | steps.low.shift().notna()  # to the end of the last step that has an interval
        low, high = steps.low.ffill(), steps.high.ffill()
        ax.fill_between(steps[x], low, high, where=known, step="post", color=color, alpha=0.22, linewidth=0)
        ax.step(steps[x], steps.survival, where="post", color=color, linestyle=dash)
        cut = steps[steps.censored > 0]
        ax.plot(cut[x], cut.survival, "|", color=color, markersize=11, markeredgewidth=1.6)
        ends.append((steps.survival.mean(), float(steps.survival.iloc[-1]), str(arm), color))
    ax.set(xlabel=xlabel or x, ylabel=ylabel, ylim=(-0.03, 1.03), xlim=(0, last * 1.02))
    # Where curves end together, the one that took longer is named above.
    label_ends(fig, ax, [end[1:] for end in sorted(ends)])
    return fig, ax


def _set_symlog(ax: Axes, linear_below: float, values: pd.Series) -> None:
    """Make the horizontal axis symmetric-logarithmic, with a tick at zero and at powers of ten beyond the threshold.

    Matplotlib's own ticks crowd around zero.
    """
    if not linear_below > 0:
        raise ValueError(f"linear_below must be positive, got {linear_below}")
    ax.set_xscale("symlog", linthresh=linear_below)
    first, last = math.ceil(math.log10(linear_below)), math.floor(math.log10(max(values.abs().max(), linear_below)))
    most = 2 if values.min() < 0 < values.max() else 5  # to each side of zero
    powers = [10.0**power for power in range(last, first - 1, -max(1, math.ceil((last - first + 1) / most)))]
    ticks = sorted({0.0, *powers, *(-power for power in powers)})
    ticks = [tick for tick in ticks if min(values.min(), 0) <= tick <= max(values.max(), 0)]
    ax.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    ax.set_xticks([], minor=True)
