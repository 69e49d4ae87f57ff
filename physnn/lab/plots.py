"""The house figures: one style, and the kinds of figure that chapters share.

``style()`` once at the head of a notebook, then each function takes tidy data (one row per
observation) and returns ``(fig, ax)``. Curves carry their names at their ends instead of a legend,
spread over seeds is always drawn, and a role (``"proposal"``, ``"baseline"``, ``"corrected"``,
``"theory"``) has the same colour in every figure of the book.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physnn.lab.palette import ROLES
from physnn.lab.style import COLORS, FONT_SIZE, WIDTH, style

__all__ = ["images", "intervals", "learning_curves", "style"]

# Zero is paper-white, positive is the proposal's vermillion, negative the baseline's blue.
DIVERGING = LinearSegmentedColormap.from_list(
    "physnn-diverging", ["#00365a", COLORS["baseline"], "#f7f5f0", COLORS["proposal"], "#5e2600"]
)
SEQUENTIAL = "Greys"


def learning_curves(
    history: pd.DataFrame,
    *,
    x: str = "epoch",
    y: str = "accuracy",
    hue: str = "arm",
    unit: str = "seed",
    roles: Mapping[str, str] | None = None,
    spread: str = "range",
    xlabel: str | None = None,
    ylabel: str | None = None,
    ylim: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> tuple[Figure, Axes]:
    """Draw ``y`` against ``x``, one curve per arm with the spread of its seeds as a band.

    Args:
        history: Tidy rows with the columns ``x``, ``y``, ``hue`` and ``unit``.
        roles: Arm to role, for arms whose name is not itself a role. Arms of one role share its
            colour and differ by their dashes.
        spread: ``"range"`` draws the median and the band from the lowest to the highest seed,
            ``"sd"`` the mean and one standard deviation to either side. How many seeds, the caption says.
        ylim: Given here, not afterwards, so that the labels at the curves' ends keep apart.
        ax: Axes with their scales already set; by default a new figure.

    Raises:
        ValueError: a column is missing, an arm has no role, or ``spread`` is unknown.
    """
    _require(history, [x, y, hue, unit])
    if spread not in ("range", "sd"):
        raise ValueError(f"spread={spread!r}; expected 'range' (median, lowest to highest) or 'sd' (mean, one sd)")
    fig, ax = _axes(ax)
    ends = []
    arms = list(dict.fromkeys(history[hue]))
    for arm, (color, dash) in zip(arms, _looks(arms, roles), strict=True):
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
    _label_ends(fig, ax, ends)
    return fig, ax


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
    _require(table, [by, value])
    _require(summary, ["mean", "low", "high"])
    arms = list(summary.index)
    if set(arms) != set(table[by]):
        raise ValueError(f"summary has the arms {arms}, table has {sorted(set(table[by]))}; they must be the same")
    fig, ax = _axes(ax, height=0.9 + 0.42 * len(arms) + (0.3 if references else 0))
    for row, (arm, (color, _)) in enumerate(zip(arms, _looks(arms, roles), strict=True)):
        values = table.loc[table[by] == arm, value]
        mean, low, high = summary.loc[arm, ["mean", "low", "high"]]
        ax.scatter(values, np.full(len(values), row + 0.2), s=22, color=color, alpha=0.55, linewidth=0)
        ax.plot([low, high], [row, row], color=color, linewidth=3, solid_capstyle="round")
        ax.plot(mean, row, "o", color=color, markersize=8.5, markeredgecolor=COLORS["paper"], markeredgewidth=1.5)
    ax.set_yticks(range(len(arms)), [str(arm) for arm in arms])
    ax.tick_params(axis="y", length=0, labelcolor=COLORS["ink"])
    ax.set(ylim=(len(arms) - 0.4, -0.6), xlabel=xlabel or value)
    ax.grid(axis="y", visible=False)
    ax.spines["left"].set_visible(False)
    _references(fig, ax, references or {}, roles or {})
    return fig, ax


def images(
    stack: np.ndarray,
    *,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    scale: str = "diverging",
    label: str = "",
) -> tuple[Figure, np.ndarray]:
    """Draw small images in a grid under one shared scale with one colour bar.

    Args:
        stack: Array ``(n, height, width)``, finite.
        scale: ``"diverging"`` runs from −m to m with m = max\\|stack\\| (for weights and fields),
            ``"sequential"`` from the smallest to the largest value (for pixels).
        label: What the colour means, with its unit, beside the colour bar.

    Raises:
        ValueError: ``stack`` has another shape or a non-finite value, or the titles do not fit.
    """
    stack = np.asarray(stack, dtype=float)
    if stack.ndim != 3 or not len(stack) or not np.isfinite(stack).all():
        raise ValueError(f"stack has shape {stack.shape}; expected finite numbers of shape (n, height, width), n ≥ 1")
    if titles is not None and len(titles) != len(stack):
        raise ValueError(f"{len(titles)} titles for {len(stack)} images; give one each or none")
    if scale not in ("diverging", "sequential"):
        raise ValueError(f"scale={scale!r}; expected 'diverging' or 'sequential'")
    limit = float(abs(stack).max()) or 1.0
    low, high = (-limit, limit) if scale == "diverging" else (float(stack.min()), float(stack.max()))
    columns = columns or min(5, len(stack))
    rows = -(-len(stack) // columns)
    cell = (WIDTH - 0.9) / columns
    height = rows * (cell * stack.shape[1] / stack.shape[2] + (0.28 if titles else 0.04))
    fig, axes = plt.subplots(rows, columns, figsize=(WIDTH, height + 0.1), squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for i, (ax, image) in enumerate(zip(axes.flat, stack, strict=False)):
        shown = ax.imshow(image, cmap=DIVERGING if scale == "diverging" else SEQUENTIAL, vmin=low, vmax=high)
        if titles is not None:
            ax.set_title(titles[i], pad=3, loc="center")
    bar = fig.colorbar(shown, ax=axes, label=label, fraction=0.05, pad=0.02, aspect=24)
    bar.outline.set_visible(False)
    return fig, axes


def _require(table: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"the table has no column {missing}; it has {list(table.columns)}")
    if table.empty:
        raise ValueError("the table has no rows; there is nothing to draw")


def _axes(ax: Axes | None, height: float | None = None) -> tuple[Figure, Axes]:
    if ax is not None:
        return ax.figure, ax
    return plt.subplots(figsize=(WIDTH, height or 0.62 * WIDTH))


def _looks(arms: Sequence[str], roles: Mapping[str, str] | None) -> list[tuple[str, object]]:
    """Give each arm its role's colour, and a dash of its own within the role."""
    dashes = ["-", (0, (5, 2)), (0, (1.2, 1.4)), (0, (7, 2, 1.2, 2))]
    seen: dict[str, int] = {}
    looks = []
    for arm in arms:
        role = (roles or {}).get(arm, arm)
        if role not in ROLES:
            raise ValueError(f"arm {arm!r} has no role; give roles={{{arm!r}: one of {', '.join(ROLES)}}}")
        looks.append((COLORS[role], dashes[seen.get(role, 0) % len(dashes)]))
        seen[role] = seen.get(role, 0) + 1
    return looks


def _references(fig: Figure, ax: Axes, references: Mapping[str, float], roles: Mapping[str, str]) -> None:
    """Draw named vertical lines; a name that would touch its left neighbour's is lifted above it."""
    right, level = -np.inf, 0
    for label, at in sorted(references.items(), key=lambda item: item[1]):
        color = COLORS[roles.get(label, "muted")]
        ax.axvline(at, color=color, linestyle=(0, (4, 3)), linewidth=1.4, zorder=0.5)
        name = ax.annotate(
            label, (at, 1), (0, 4), xycoords=ax.get_xaxis_transform(), textcoords="offset points",
            ha="center", color=color, annotation_clip=False,
        )  # fmt: skip
        fig.draw_without_rendering()
        box = name.get_window_extent()
        level = level + 1 if box.x0 < right + 0.08 * fig.dpi else 0
        name.set_position((0, 4 + level * 1.3 * FONT_SIZE))
        right = max(right, box.x1) if level else box.x1


def _label_ends(fig: Figure, ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Name each curve at its right end, pushing names apart where curves end close together.

    The name of a curve that ends outside the axes stands at their edge.
    """
    low, high = sorted(ax.get_ylim())
    ends = [(min(max(y, low), high), name, color) for y, name, color in ends]
    fig.draw_without_rendering()
    points = 72 / fig.dpi
    natural = [ax.transData.transform((0, y))[1] * points for y, _, _ in ends]
    for i, moved in zip(np.argsort(natural), _spread(sorted(natural), 1.25 * FONT_SIZE), strict=True):
        y, name, color = ends[i]
        ax.annotate(
            name, (1, y), (7, moved - natural[i]), xycoords=ax.get_yaxis_transform(),
            textcoords="offset points", va="center", color=color, annotation_clip=False,
        )  # fmt: skip


def _spread(positions: Sequence[float], gap: float) -> list[float]:
    """Return ``positions`` (ascending) moved as little as needed to be at least ``gap`` apart.

    Neighbours that collide form a block around their common mean, and blocks merge: the
    pool-adjacent-violators solution of the least-squares problem.
    """
    blocks: list[list[float]] = []  # [mean of position − i·gap over the block, members]
    for i, position in enumerate(positions):
        blocks.append([position - i * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + mean * count) / (blocks[-1][1] + count),
                blocks[-1][1] + count,
            ]
    means = [mean for mean, count in blocks for _ in range(int(count))]
    return [mean + i * gap for i, mean in enumerate(means)]
