"""The small figures of a sweep's page: one glued value against one parameter."""

import math
import random
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean, median

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physnn.lab.figures import style
from physnn.lab.sweeping.numbers import Estimate, estimate, numeric

SIZE = (3.4, 2.3)  # inches; one figure then fills a phone, and three stand side by side on a desktop
DOTS = 1000  # in one panel; of more points so many are chosen
LEVELS = 30  # of a parameter; the line goes through the mean at each, or through those of GROUPS groups of more
GROUPS = 20


def panel(parameter: str, xs: Sequence[object], values: Sequence[object]) -> str:
    """Draw values against a parameter as an SVG element: a dot per point, a line through the means.

    Parameters that are numbers have an axis of numbers, logarithmic where they are uneven and span a factor of 30;
    others have one place per value. Of more than ``DOTS`` points so many are drawn, chosen by chance, and the line goes
    through the means of all.
    """
    numbers = numeric(xs)
    keyed = [(x if numbers else str(x), one) for x, value in zip(xs, values, strict=True) if (one := estimate(value))]
    levels = sorted({x for x, _ in keyed}) if numbers else list(dict.fromkeys(x for x, _ in keyed))
    places = levels if numbers else list(range(len(levels)))
    place = dict(zip(levels, places, strict=True))
    pairs = [(place[x], one) for x, one in keyed]
    with mpl.style.context([*style.SHEETS, {"path.simplify": False}]):
        fig = Figure(figsize=SIZE)
        ax = fig.add_subplot()
        if len(pairs) > DOTS:
            _many(ax, random.Random(0).sample(pairs, DOTS))
        else:
            _few(ax, pairs)
        if len(places) > 1:
            ax.plot(*_means(pairs, numbers), color=style.COLORS["ink"], linewidth=1.6)
        ax.set_xlabel(parameter, parse_math=False)
        _axis(ax, levels, places, numbers)
        ax.margins(0.08)
        drawn = style.svg(fig)
    return _inline(drawn)


def legend(against: Mapping[str, Sequence[object]]) -> str:
    """Say what the panels show of points with these values of their parameters."""
    points = len(next(iter(against.values())))
    many = [name for name, xs in against.items() if numeric(xs) and len(set(xs)) > LEVELS]
    means = "The line goes through the means"
    if many:
        means += f"; against {', '.join(many)}, which have many values, through those of {GROUPS} groups of neighbours"
    if points > DOTS:
        drawn = f"A dot is a point: {DOTS:,} of {points:,} are drawn, chosen by chance, without the intervals glued"
        return f"{drawn}. {means}, of all points."
    return f"A dot is a point; its bar is the interval where one was glued. {means}."


def _few(ax: Axes, pairs: Sequence[tuple[float, Estimate]]) -> None:
    muted = style.COLORS["muted"]
    bars = [(x, one) for x, one in pairs if one.low < one.high]
    ax.plot(*_strokes([(x, one.low, one.high) for x, one in bars]), color=muted, linewidth=1)
    at, heights = [x for x, _ in pairs], [one.value for _, one in pairs]
    ax.plot(at, heights, "o", color=muted, markersize=5, alpha=0.7, markeredgewidth=0)


def _many(ax: Axes, pairs: Sequence[tuple[float, Estimate]]) -> None:
    """Draw dots as strokes without length: in a fraction of the bytes, and of the browser's time."""
    dots = _strokes([(x, one.value, one.value) for x, one in pairs])
    ax.plot(*dots, color=style.COLORS["muted"], linewidth=3, alpha=0.5, solid_capstyle="round")


def _strokes(ends: Sequence[tuple[float, float, float]]) -> tuple[list[float], list[float]]:
    """Return vertical lines, given as (x, low, high), as one line with gaps."""
    gap = math.nan
    return [at for x, _, _ in ends for at in (x, x, gap)], [y for _, low, high in ends for y in (low, high, gap)]


def _means(pairs: Sequence[tuple[float, Estimate]], numbers: bool) -> tuple[list[float], list[float]]:
    """Return where the line goes: through the mean at every place, or of every group of neighbours among many."""
    heights: dict[float, list[float]] = {}
    for x, one in sorted(pairs):
        heights.setdefault(x, []).append(one.value)
    places = list(heights)
    if not numbers or len(places) <= LEVELS:
        return places, [fmean(heights[x]) for x in places]
    ends = [i * len(places) // GROUPS for i in range(GROUPS + 1)]
    groups = [places[a:b] for a, b in pairwise(ends)]
    return [median(group) for group in groups], [fmean(y for x in group for y in heights[x]) for group in groups]


def _axis(ax: Axes, levels: Sequence, places: Sequence[float], numbers: bool) -> None:
    """Choose the scale of a parameter and its ticks."""
    if numbers and _logarithmic(levels):
        ax.set_xscale("symlog" if levels[0] <= 0 else "log", **_threshold(levels))
    if _apart(ax, places):
        ax.set_xticks(places, _labels(levels) if numbers else [_short(level) for level in levels], parse_math=False)
        ax.set_xticks([], minor=True)
    elif not numbers:  # no room for texts, and their numbers would say nothing
        ax.set_xticks([])
    elif ax.get_xscale() == "linear":
        ax.xaxis.set_major_locator(MaxNLocator(4))
        if levels[-1] - levels[0] > 0.01 * max(map(abs, levels)):  # else three digits would all be the same
            ax.xaxis.set_major_formatter("{x:.3g}")


def _labels(levels: Sequence[float]) -> list[str]:
    """Write numbers with three digits, or as many as tell them apart."""
    written = ([f"{level:.{digits}g}" for level in levels] for digits in range(3, 18))
    return next((texts for texts in written if len(set(texts)) == len(levels)), [f"{level:.17g}" for level in levels])


def _logarithmic(levels: Sequence[float]) -> bool:
    """Tell whether levels span a factor of 30 unevenly, most of them low; even seeds and uniform draws do not."""
    gaps = [b - a for a, b in pairwise(levels)]
    sizes = [abs(level) for level in levels if level]
    uneven = len(levels) > 2 and max(sizes) >= 30 * min(sizes) and max(gaps) >= 5 * min(gaps)
    return uneven and median(sizes) < 0.3 * max(sizes)


def _threshold(levels: Sequence[float]) -> dict[str, float]:
    """Return where a logarithmic axis that holds zero turns linear: at the level nearest to it."""
    return {"linthresh": min(abs(level) for level in levels if level)} if levels[0] <= 0 else {}


def _apart(ax: Axes, places: Sequence[float]) -> bool:
    """Tell whether there is room for a label at every place."""
    at = ax.get_xaxis().get_transform().transform(places)
    return len(at) < 2 or min(b - a for a, b in pairwise(at)) > 0.15 * (at[-1] - at[0])


def _short(text: str) -> str:
    return text if len(text) <= 12 else f"{text[:6]}…{text[-5:]}"  # long texts differ at their ends


def _inline(svg: str) -> str:
    """Take from an SVG file what a page needs once, or not at all: prologue, metadata, styles and unused ids."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", body, flags=re.DOTALL)
    return re.sub(r' id="[A-Za-z0-9]+_\d+"', "", body).replace("<svg", '<svg aria-hidden="true"', 1)
