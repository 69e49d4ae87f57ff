"""Maps of what came of a grid of two settings, under the lines that theory draws there."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from physnn.lab.figures.style import COLORS, FONT_SIZE, WIDTH

# The lightest value is gray, so that a place without any is told from the lowest one.
SHADES = LinearSegmentedColormap.from_list("physnn-shades", colormaps["Greys"](np.linspace(0.14, 0.95, 64)))
Dash = tuple[float, tuple[float, ...]]
DASHES: tuple[Dash, ...] = ((0, ()), (0, (5, 2)), (0, (1.2, 1.4)), (0, (7, 2, 1.2, 2)))


def phase_map(
    maps: Mapping[str, Mapping[str, pd.DataFrame]],
    lines: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    *,
    limits: Mapping[str, tuple[float, float]],
    xlabel: str,
    ylabel: str,
) -> tuple[Figure, np.ndarray]:
    """Draw what several arms come to over two settings as shades, a row for each quantity and a column for each arm.

    Args:
        maps: A quantity's name to its arms' panels: a row for each value of the setting upwards and a column for each
            of the other, both above 0 and in ascending order, drawn in logarithms. Where a value is missing, as of
            runs that diverged, there is a cross.
        lines: An arm to the named lines of its panels, each with places x and y. A name has one dash in all of them.
        limits: A quantity to the values of its lightest and its darkest shade.

    Raises:
        ValueError: the panels have other arms or settings than each other, or a setting is not above 0 or not in order.
    """
    arms = list(next(iter(maps.values())))
    first = next(iter(maps.values()))[arms[0]]
    for name, panels in maps.items():
        alike = all(
            panel.index.equals(first.index) and panel.columns.equals(first.columns) for panel in panels.values()
        )
        if list(panels) != arms or not alike:
            raise ValueError(
                f"every quantity needs the arms {arms} over the same settings; {name!r} does not have that"
            )
    names = list(dict.fromkeys(name for drawn in lines.values() for name in drawn))
    dashes = dict(zip(names, DASHES, strict=False))
    right, up = _edges(first.columns), _edges(first.index)
    fig, axes = plt.subplots(
        len(maps), len(arms), sharex=True, sharey=True, squeeze=False, figsize=(WIDTH, 0.9 + 1.75 * len(maps))
    )
    for row, (name, panels) in zip(axes, maps.items(), strict=True):
        low, high = limits[name]
        for ax, (arm, panel) in zip(row, panels.items(), strict=True):
            values = np.ma.masked_invalid(panel.to_numpy(dtype=float))
            shown = ax.pcolormesh(right, up, values, cmap=SHADES, vmin=low, vmax=high)
            _cross(ax, panel)
            for line, (x, y) in lines.get(arm, {}).items():
                drawn = ax.plot(x, y, color=COLORS["theory"], linestyle=dashes[line], linewidth=1.8)
                drawn[0].set_path_effects([withStroke(linewidth=3.6, foreground=COLORS["paper"])])
            ax.set(xscale="log", yscale="log", xlim=right[[0, -1]], ylim=up[[0, -1]])
            ax.set_xticks(*_powers(right))
            ax.set_yticks(*_powers(up))
            ax.minorticks_off()
            ax.grid(visible=False)
            if ax in axes[0]:
                ax.set_title(arm)
        bar = fig.colorbar(shown, ax=row, label=name, fraction=0.05, pad=0.02, aspect=16)
        bar.outline.set_visible(False)
    keys = [Line2D([], [], color=COLORS["theory"], linestyle=dash, label=name) for name, dash in dashes.items()]
    if keys:
        fig.legend(handles=keys, loc="outside upper left", frameon=False, ncols=2, columnspacing=1.4)
    fig.supxlabel(xlabel, fontsize=FONT_SIZE)
    fig.supylabel(ylabel, fontsize=FONT_SIZE)
    return fig, axes


def _edges(values: pd.Index) -> np.ndarray:
    """Return where cells around ascending values end, halfway in logarithms."""
    numbers = values.to_numpy(dtype=float)
    if len(numbers) < 2 or not (numbers > 0).all() or not (np.diff(numbers) > 0).all():
        raise ValueError(f"settings must be two or more numbers above 0, in ascending order, got {numbers.tolist()}")
    logs = np.log(numbers)
    half = np.diff(logs) / 2
    edges: np.ndarray = np.exp(np.concatenate([[logs[0] - half[0]], logs[:-1] + half, [logs[-1] + half[-1]]]))
    return edges


def _powers(edges: np.ndarray) -> tuple[list[float], list[str]]:
    """Return the powers of ten between the ends, and how they are written."""
    low, high = np.log10(edges[[0, -1]])
    ticks = [10.0**power for power in range(int(np.ceil(low)), int(np.floor(high)) + 1)]
    return ticks, [f"{tick:g}" for tick in ticks]


def _cross(ax: Axes, panel: pd.DataFrame) -> None:
    """Mark the places without a value."""
    rows, columns = np.nonzero(panel.isna().to_numpy())
    at = panel.columns.to_numpy(dtype=float)[columns], panel.index.to_numpy(dtype=float)[rows]
    ax.plot(*at, "x", color=COLORS["muted"], markersize=5)
