"""Figures of many small images under one scale."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from physnn.lab.figures.style import COLORS, WIDTH

# Zero is paper-white, positive is the proposal's vermillion, negative the baseline's blue.
DIVERGING = LinearSegmentedColormap.from_list(
    "physnn-diverging", ["#00365a", COLORS["baseline"], "#f7f5f0", COLORS["proposal"], "#5e2600"]
)
SEQUENTIAL = "Greys"


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
