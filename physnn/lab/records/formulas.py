"""Formulas that a verdict may follow from, by the names that rules call them (:mod:`physnn.lab.records.verdicts`)."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from physnn.lab.models.layers import Layer


def stable_states(quadratic: float, quartic: float, sextic: float = 0.0) -> int:
    """Count the minima of q2 d² + q4 d⁴ + q6 d⁶ over all deviations d: its stable states.

    Its slope is 2 d (q2 + 2 q4 d² + 3 q6 d⁴). So d = 0 is one where the first coefficient that is not 0 is positive,
    and ±d are two where the bracket goes through 0 upwards.
    """
    bracket = np.polynomial.Polynomial([quadratic, 2 * quartic, 3 * sextic]).trim()  # in d²
    roots = bracket.roots()
    squares = roots[(np.imag(roots) == 0) & (np.real(roots) > 0)].real
    first = next((each for each in (quadratic, quartic, sextic) if each), 0.0)
    return int(first > 0) + 2 * int((bracket.deriv()(squares) > 0).sum())


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
