"""The small figures of a sweep's page: one glued value against one parameter."""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from physnn.lab.figures import style

SIZE = (3.4, 2.3)  # inches; one figure then fills a phone, and three stand side by side on a desktop
NUMBER = r"[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
ESTIMATE = re.compile(rf"({NUMBER})(?: \[({NUMBER}),\s({NUMBER})\])?")


class Estimate(NamedTuple):
    """A number, and the ends of its interval where one was glued with it."""

    value: float
    low: float
    high: float


def estimate(value: object) -> Estimate | None:
    """Read a number, or a text that is one: ``93.2``, ``−1,204`` or ``93.2 [92.8, 93.6]``; None for anything else."""
    if isinstance(value, str):
        match = ESTIMATE.fullmatch(value.strip())
        if match is None:
            return None
        parts = [float(part.replace("−", "-").replace(",", "")) for part in match.groups() if part]
        return Estimate(*parts) if len(parts) == 3 else Estimate(*parts * 3)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return Estimate(*[float(value)] * 3)


def drawable(values: Iterable[object]) -> bool:
    """Tell whether values are worth drawing: numbers, some of them different, beside missing and infinite ones."""
    known = {value for value in values if value is not None and not (isinstance(value, float) and value - value != 0)}
    return len(known) > 1 and all(estimate(value) for value in known)


def panel(parameter: str, xs: Sequence[object], values: Sequence[object]) -> str:
    """Draw values against a parameter as an SVG element: a dot per point, a line through the means.

    Parameters that are numbers have an axis of numbers, logarithmic where they are uneven and span a factor of 30;
    others have one place per value.
    """
    pairs = [(x, found) for x, value in zip(xs, values, strict=True) if (found := estimate(value))]
    levels = sorted({x for x, _ in pairs}) if _numbers(xs) else list(dict.fromkeys(str(x) for x, _ in pairs))
    places = levels if _numbers(xs) else list(range(len(levels)))
    place = dict(zip(levels, places, strict=True))
    at = [place[x if _numbers(xs) else str(x)] for x, _ in pairs]
    with mpl.style.context(style.SHEETS):
        fig = Figure(figsize=SIZE)
        ax = fig.add_subplot()
        ink, muted = style.COLORS["ink"], style.COLORS["muted"]
        for x, (_, found) in zip(at, pairs, strict=True):
            if found.low < found.high:
                ax.plot([x, x], [found.low, found.high], color=muted, linewidth=1)
        ax.plot(at, [found.value for _, found in pairs], "o", color=muted, markersize=5, alpha=0.7, markeredgewidth=0)
        means = [fmean(found.value for x, (_, found) in zip(at, pairs, strict=True) if x == one) for one in places]
        if len(places) > 1:
            ax.plot(places, means, color=ink, linewidth=1.6)
        ax.set_xlabel(parameter, parse_math=False)
        if _numbers(xs) and _logarithmic(levels):
            ax.set_xscale("symlog" if levels[0] <= 0 else "log", **_threshold(levels))
        if _apart(ax, places):
            texts = [f"{level:.3g}" if _numbers(xs) else _short(level) for level in levels]
            ax.set_xticks(places, texts, parse_math=False)
            ax.set_xticks([], minor=True)
        elif ax.get_xscale() == "linear" and _numbers(xs):
            ax.xaxis.set_major_locator(MaxNLocator(4))
            ax.xaxis.set_major_formatter("{x:.3g}")
        ax.margins(0.08)
        drawn = style.svg(fig)
    return _inline(drawn)


def _numbers(xs: Sequence[object]) -> bool:
    return all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in xs)


def _logarithmic(levels: Sequence[float]) -> bool:
    """Tell whether levels span a factor of 30 unevenly; seeds from 1 to 100 do not."""
    gaps = [b - a for a, b in pairwise(levels)]
    sizes = [abs(level) for level in levels if level]
    return len(levels) > 2 and max(sizes) >= 30 * min(sizes) and max(gaps) >= 5 * min(gaps)


def _threshold(levels: Sequence[float]) -> dict[str, float]:
    """Return where a logarithmic axis that holds zero turns linear: at the level nearest to it."""
    return {"linthresh": min(abs(level) for level in levels if level)} if levels[0] <= 0 else {}


def _apart(ax: Axes, places: Sequence[float]) -> bool:
    """Tell whether there is room for a label at every place."""
    at = ax.get_xaxis().get_transform().transform(places)
    return len(at) < 2 or min(b - a for a, b in pairwise(at)) > 0.15 * (at[-1] - at[0])


def _short(text: str) -> str:
    return text if len(text) <= 12 else f"{text[:11]}…"


def _inline(svg: str) -> str:
    """Take from an SVG file what a page needs once, or not at all: prologue, metadata, styles and unused ids."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", body, flags=re.DOTALL)
    return re.sub(r' id="[A-Za-z0-9]+_\d+"', "", body).replace("<svg", '<svg aria-hidden="true"', 1)
