"""Formulas that a verdict may follow from, by the names that rules call them (:mod:`physnn.lab.records.verdicts`)."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from physnn.lab.models.layers import Layer


def stable_states(quadratic: float, quartic: float, sextic: float = 0.0) -> int:
    """Count the minima of q2 d² + q4 d⁴ + q6 d⁶ over all deviations d: its stable states."""
    slope = np.polynomial.Polynomial([0, 2 * quadratic, 0, 4 * quartic, 0, 6 * sextic]).trim()
    at = slope.roots()
    real = at[np.abs(at.imag) < 1e-9].real
    return int((slope.deriv()(real) > 0).sum())


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
