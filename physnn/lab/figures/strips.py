"""Rows of small pictures, each row with its name: what several models make, or one of them in the course of time."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from physnn.lab.figures.style import FONT_SIZE, WIDTH

GAP = 0.12  # between two pictures, in widths of one


def strips(
    rows: Mapping[str, np.ndarray],
    *,
    heads: Sequence[str] | None = None,
    limits: tuple[float, float] = (-1.0, 1.0),
) -> tuple[Figure, Axes]:
    """Draw rows of pictures from white, the lower limit, to black, the upper one; what lies beyond is cut.

    Args:
        rows: A row's name to its pictures, of shape (n, height, width), finite, all of one size. Rows may have
            different n; they begin at the left.
        heads: What stands above the columns; by default nothing. Rows with fewer pictures have fewer columns.

    Raises:
        ValueError: pictures have other shapes than each other, or a value is not finite, or the heads do not fit.
    """
    stacks = {name: np.asarray(stack, dtype=float) for name, stack in rows.items()}
    sizes = {stack.shape[1:] for stack in stacks.values()}
    if len(sizes) != 1 or any(stack.ndim != 3 or not len(stack) for stack in stacks.values()):
        shapes = {name: stack.shape for name, stack in stacks.items()}
        raise ValueError(f"every row needs pictures (n, height, width) of one size, n ≥ 1, got {shapes}")
    if broken := [name for name, stack in stacks.items() if not np.isfinite(stack).all()]:
        raise ValueError(f"pictures must be finite; some of {broken} are not")
    columns = max(map(len, stacks.values()))
    if heads is not None and len(heads) != columns:
        raise ValueError(f"{len(heads)} heads for {columns} columns; give one each or none")
    ((height, width),) = sizes
    tall, step = height / width, 1 + GAP
    cell = (WIDTH - 0.082 * max(map(len, stacks))) / (columns * step)  # what the names leave
    fig, ax = plt.subplots(figsize=(WIDTH, cell * len(stacks) * (tall + GAP) + (0.5 if heads else 0.2)))
    for i, stack in enumerate(stacks.values()):
        top = i * (tall + GAP)
        for j, picture in enumerate(stack):
            ax.imshow(
                picture, cmap="Greys", vmin=limits[0], vmax=limits[1], extent=(j * step, j * step + 1, top + tall, top)
            )
    ax.set_yticks([i * (tall + GAP) + tall / 2 for i in range(len(stacks))], list(stacks))
    ax.set_xticks([j * step + 0.5 for j in range(columns)] if heads else [], list(heads or []))
    ax.tick_params(length=0, labelsize=FONT_SIZE - 1.5, top=False, bottom=False, labeltop=True, labelbottom=False)
    ax.set(xlim=(0, columns * step - GAP), ylim=(len(stacks) * (tall + GAP) - GAP, 0), aspect="equal")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    return fig, ax
