"""Figures of many small cells under one scale: images, and what arms reach over a grid of settings."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from physnn.lab.figures.style import COLORS, FONT_SIZE, WIDTH

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


def ranges(
    heats: Mapping[str, pd.DataFrame],
    good: Mapping[str, pd.DataFrame],
    *,
    roles: Mapping[str, str] | None = None,
    limits: tuple[float, float],
    ticks: Mapping[int, str],
    xlabel: str = "learning rate",
    label: str = "accuracy, %",
) -> tuple[Figure, np.ndarray]:
    """Draw what arms reach over a grid of settings as shades, a panel for each model, and frame where each is good.

    Args:
        heats: A model's name to its panel: a row for each arm and a column for each setting, in ascending order.
            Where a value is missing, as of runs that diverged, there is a cross.
        good: A model's name to a table of truth values under the same labels. They are framed from the first to the
            last.
        roles: Arm to the role whose colour its frame has; those without one are the proposal's.
        limits: Values of the lightest and the darkest shade.
        ticks: Number of a column to what stands below it.

    Raises:
        ValueError: the panels have other arms than each other, or an arm is good nowhere.
    """
    arms = list(next(iter(heats.values())).index)
    fig, axes = plt.subplots(1, len(heats), sharey=True, squeeze=False, figsize=(WIDTH, 1.22 * WIDTH))
    for ax, (model, rows) in zip(axes[0], heats.items(), strict=True):
        if list(rows.index) != arms or not good[model].loc[arms].any(axis=1).all():
            raise ValueError(f"every panel needs the arms {arms}, each good somewhere; {model!r} does not have that")
        drawn = ax.imshow(rows, aspect="auto", cmap=SEQUENTIAL, vmin=limits[0], vmax=limits[1])
        for y, arm in enumerate(arms):
            here = np.flatnonzero(good[model].loc[arm])
            left, right = here.min() - 0.5, here.max() + 0.5
            frame = [left, right, right, left, left], [y - 0.4, y - 0.4, y + 0.4, y + 0.4, y - 0.4]
            color = COLORS[(roles or {}).get(arm, "proposal")]
            ax.plot(*frame, color=color, linewidth=1.8, clip_on=False)
            gone = np.flatnonzero(rows.loc[arm].isna())
            ax.plot(gone, [y] * len(gone), "x", color=COLORS["muted"], markersize=3.5)
        ax.set_xticks(list(ticks), list(ticks.values()))
        ax.set_yticks(range(len(arms)), arms)
        ax.tick_params(length=0)
        ax.grid(False)
        ax.set(title=model)
        for spine in ax.spines.values():
            spine.set_visible(False)
    axes[0, 0].tick_params(axis="y", labelsize=FONT_SIZE - 2, labelcolor=COLORS["ink"])
    fig.supxlabel(xlabel, fontsize=FONT_SIZE)
    shape = {"location": "top", "fraction": 0.03, "pad": 0.01, "aspect": 30, "extend": "min"}
    bar = fig.colorbar(drawn, ax=axes, orientation="horizontal", **shape)
    bar.set_label(label)
    bar.outline.set_visible(False)
    return fig, axes[0]
