"""What the script of a sweep's page draws from: every point, and the means and smooths that go through them."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from physnn.lab.statistics.many import mean_intervals
from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.numbers import drawable, estimate, known, numeric

LEVELS = 30  # of a parameter, through whose means a line goes; among more, and among drawn ones, goes a smooth
GROUPS = 50  # of neighbours, whose means a smooth is fitted to where there are more places
PLACES = 60  # at which it is drawn
TEXTS = 1000  # points; of more than these the page holds numbers without the intervals that were glued with them
LENGTH = 300  # of a text
TIME = "seconds"


def data(asked: Asked, rows: Sequence[dict], varied: Sequence[str], glued: Sequence[str]) -> dict:
    """Return the columns of the points and the curves through them, as JSON can hold them."""
    axes = [name for name in varied if name not in asked.question.replicates]
    columns = [_parameter(name, rows, asked.drawn.get(name, ""), name in axes) for name in varied]
    columns.append({"name": "status", **_packed([row["status"] for row in rows])})
    drawn: list[tuple[str, list]] = [(TIME, [r["seconds"] if r["status"] == "done" else None for r in rows])]
    columns.append({"name": TIME, "numeric": True, "right": True, "cells": drawn[0][1], "drawn_as": True})
    taken = {column["name"] for column in columns}
    for name in glued:
        column = _value(_free(name, taken), [row["values"].get(name) for row in rows])
        columns.append(column)
        if column["drawn_as"]:
            drawn.append((column["name"], [row["values"].get(name) for row in rows]))
    by_name = {column["name"]: column for column in columns}
    places = {name: _places([_stated(row["parameters"].get(name)) for row in rows], by_name[name]) for name in axes}
    curves: dict[str, dict] = {}
    for value, cells in drawn:
        heights = np.array([one.value if (one := estimate(cell)) else np.nan for cell in cells])
        found = {name: curve(places[name], heights, by_name[name], len(axes) == 1) for name in axes}
        curves[value] = {name: line for name, line in found.items() if line}
    return {"points": [row["point"] for row in rows], "columns": columns, "curves": curves}


def curve(places: np.ndarray, heights: np.ndarray, axis: Mapping, alone: bool) -> dict | None:
    """Return the line through values: their means at each level of a parameter, or a smooth along it.

    Args:
        places: which level each value is at.
        heights: the values; NaN where there is none.
        axis: the parameter's ``levels``, ``scale``, ``threshold``, and whether it was ``drawn``.
        alone: nothing but replicates differs at a level, and the means have intervals.
    """
    there = np.isfinite(heights)
    places, heights = places[there], heights[there]
    levels, at, count = axis["levels"], np.unique(places), np.bincount(places)
    if len(at) < 2:
        return None
    count = count[at]
    if axis["scale"] != "places" and (axis["drawn"] or len(levels) > LEVELS):
        return _smooth([levels[i] for i in at], np.bincount(places, heights)[at], count, axis)
    matrix = np.full((len(at), count.max()), np.nan)
    order = np.argsort(places, kind="stable")
    lines = np.repeat(np.arange(len(at)), count)
    matrix[lines, np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)] = heights[order]
    means = mean_intervals(matrix)
    found = {"x": [levels[i] for i in at], "mean": _few_digits(means["mean"])}
    return found | ({"low": _few_digits(means.low), "high": _few_digits(means.high)} if alone else {})


def _smooth(xs: Sequence[float], total: np.ndarray, count: np.ndarray, axis: Mapping) -> dict | None:
    """Fit the cubic smoothing spline whose stiffness generalized cross-validation chooses, along the axis as drawn."""
    from scipy.interpolate import make_smoothing_spline

    bent = np.array([_bend(x, axis) for x in xs])
    if len(bent) > GROUPS:
        groups = np.arange(len(bent)) * GROUPS // len(bent)
        bent = np.bincount(groups, bent * count) / np.bincount(groups, count)
        total, count = np.bincount(groups, total), np.bincount(groups, count)
    if len(bent) < 5 or not (np.diff(bent) > 1e-9 * (bent[-1] - bent[0])).all():
        return None
    unit = (bent - bent[0]) / (bent[-1] - bent[0])
    means, size = total / count, float(np.abs(total / count).max()) or 1.0
    try:
        spline = make_smoothing_spline(unit, means / size, w=count / count.mean())
    except (ValueError, np.linalg.LinAlgError):  # values in which it finds no scale
        return None
    at = np.linspace(0, 1, PLACES)
    x = [_unbend(bent[0] + one * (bent[-1] - bent[0]), axis) for one in at]
    return {"x": _few_digits(x, 10), "mean": _few_digits(spline(at) * size), "smooth": True}


def _places(xs: Sequence[object], axis: Mapping) -> np.ndarray:
    """Return which of the axis' levels each value of its parameter is."""
    index = {level: i for i, level in enumerate(axis["levels"])}
    return np.array([index[x if axis["numeric"] else _shown(x)] for x in xs])


def _parameter(name: str, rows: Sequence[dict], drawn: str, axis: bool) -> dict:
    xs = [_stated(row["parameters"].get(name)) for row in rows]
    numbers = numeric(xs)
    column = {"name": name, "numeric": numbers, "right": numbers, "axis": axis, "drawn": bool(drawn) and numbers}
    column |= {"cells": list(xs)} if numbers else _packed([_shown(x) for x in xs])
    levels = sorted(set(xs)) if numbers else list(dict.fromkeys(map(_shown, xs)))
    scale = "linear" if numbers else "places"
    if numbers and (drawn == "log" or (drawn != "uniform" and _uneven(levels))):
        scale = "log" if levels[0] > 0 else "symlog"
    threshold = min((abs(level) for level in levels if level), default=1) if scale == "symlog" else None
    return column | {"levels": levels, "scale": scale, "threshold": threshold}


def _value(name: str, values: Sequence[object]) -> dict:
    numbers = known(values)
    cells = [_shown(value) for value in values]
    if numbers and len(values) > TEXTS:
        cells = [one.value if (one := estimate(value)) else _shown(value) for value in values]
    return {"name": name, "numeric": numbers, "right": numbers, "drawn_as": drawable(values), **_packed(cells)}


def _stated(value: object) -> object:
    return "none" if value is None else value


def _shown(value: object) -> object:
    """Return a value as the script can hold it."""
    if value is None or isinstance(value, bool):
        return None if value is None else str(value)
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = str(value)
    return text if len(text) <= LENGTH else f"{text[:LENGTH]}…"


def _packed(cells: Sequence[object]) -> dict:
    """Return a column; where few words repeat, the words and which of them each cell is."""
    if any(isinstance(cell, str) for cell in cells):
        words = list(dict.fromkeys(cells))
        if 2 * len(words) < len(cells):
            place = {word: i for i, word in enumerate(words)}
            return {"words": words, "codes": [place[cell] for cell in cells]}
    return {"cells": [float(f"{cell:.7g}") if isinstance(cell, float) and cell else cell for cell in cells]}


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"glued.{name}"
    taken.add(name)
    return name


def _uneven(levels: Sequence[float]) -> bool:
    """Tell whether levels span a factor of 30 unevenly, most of them low; even seeds and uniform draws do not."""
    gaps = [b - a for a, b in pairwise(levels)]
    sizes = [abs(level) for level in levels if level]
    uneven = len(levels) > 2 and max(sizes) >= 30 * min(sizes) and max(gaps) >= 5 * min(gaps)
    return uneven and median(sizes) < 0.3 * max(sizes)


def _bend(x: float, axis: Mapping) -> float:
    if axis["scale"] == "log":
        return math.log10(x)
    return math.copysign(math.log10(1 + abs(x) / axis["threshold"]), x) if axis["scale"] == "symlog" else x


def _unbend(x: float, axis: Mapping) -> float:
    if axis["scale"] == "log":
        return 10**x
    return math.copysign((10 ** abs(x) - 1) * axis["threshold"], x) if axis["scale"] == "symlog" else float(x)


def _few_digits(values: Sequence[float], digits: int = 7) -> list[float | None]:
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values]
