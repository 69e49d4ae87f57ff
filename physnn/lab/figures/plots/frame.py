"""What the figures share: checks, axes, the looks of arms, names at the ends of curves and on reference lines."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physnn.lab.figures.palette import ROLES
from physnn.lab.figures.style import COLORS, FONT_SIZE, WIDTH


def require(table: pd.DataFrame, columns: Sequence[str], finite: Sequence[str] = ()) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"the table has no column {missing}; it has {list(table.columns)}")
    if table.empty:
        raise ValueError("the table has no rows; there is nothing to draw")
    for column in finite:
        if not np.isfinite(table[column]).all():
            raise ValueError(f"{column!r} must be finite to be drawn, got {table[column].tolist()}")


def new_axes(ax: Axes | None, height: float | None = None) -> tuple[Figure, Axes]:
    if ax is not None:
        return ax.figure, ax
    return plt.subplots(figsize=(WIDTH, height or 0.62 * WIDTH))


def looks(arms: Sequence[str], roles: Mapping[str, str] | None) -> list[tuple[str, object]]:
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


def draw_references(fig: Figure, ax: Axes, references: Mapping[str, float], roles: Mapping[str, str]) -> None:
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


def label_ends(fig: Figure, ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
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
