"""Formulas that a verdict may follow from, by the names that rules call them (:mod:`physnn.lab.records.effects`)."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.polynomial import Polynomial

from physnn.lab.models.layers import Layer


def stable_states(
    quadratic: float,
    quartic: float,
    sextic: float = 0.0,
    bars: bool = False,
    box: tuple[float, float] = (-math.inf, math.inf),
) -> int:
    """Count the minima of q2 d² + q4 d⁴ + q6 d⁶ over the deviations d of a box: its stable states.

    Args:
        bars: count those of the absolute value: what was a maximum below zero is one, and so is every zero.
        box: its ends; a finite one is a state too, where a wall holds what moves down towards it.
    """
    inner = Polynomial([quadratic, 2 * quartic, 3 * sextic])  # the slope is 2 d times this, in d²
    energy = Polynomial([0, 0, quadratic, 0, quartic, 0, sextic])
    places = sorted({0.0, *(s * d for d in _positive(inner) for s in (-1, 1))})
    if bars:
        zeros = _positive(Polynomial([quadratic, quartic, sextic]))
        places = sorted({*places, *(s * d for d in zeros for s in (-1, 1))})
    low, high = box
    ends = [low if math.isfinite(low) else min(places) - 1, *(d for d in places if low < d < high)]
    ends.append(high if math.isfinite(high) else max(places) + 1)
    size = abs if bars else float
    between = [size(energy((a + b) / 2)) for a, b in pairwise(ends)]  # between two places the energy is monotonic
    at = [size(energy(d)) for d in ends]
    at = [0.0 if abs(value) < 1e-12 * max(map(abs, at), default=1) else value for value in at]
    lower = [(i == 0 or at[i] < between[i - 1]) and (i == len(between) or at[i] < between[i]) for i in range(len(at))]
    lower[0] &= math.isfinite(low)
    lower[-1] &= math.isfinite(high)
    return sum(lower)


def _positive(polynomial: Polynomial) -> list[float]:
    """Return the positive d whose squares are roots of a polynomial in d²."""
    roots = polynomial.trim().roots()
    return [math.sqrt(x.real) for x in np.atleast_1d(roots) if x.imag == 0 and x.real > 0]


def million_parameters(widths: list[int], layer: str, bias: bool) -> float:
    """Count the trainable scalars of a network of layers (:class:`physnn.lab.models.layers.Layer`), in millions."""
    return sum(Layer(layer, bias).size(n, m) for n, m in pairwise(widths)) / 1e6


def percent_more(widths: list[int], layer: str, bias: bool) -> float:
    """Return by how many percent such a network has more than one of plain layers with biases, at the same widths."""
    return 100 * (million_parameters(widths, layer, bias) / million_parameters(widths, "linear", True) - 1)


FORMULAS: dict[str, Callable[..., float]] = {
    "stable-states": stable_states,
    "million-parameters": million_parameters,
    "percent-more": percent_more,
}
