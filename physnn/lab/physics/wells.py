r"""Tilted double wells, one in each of D coordinates: a landscape of :math:`2^D` minima of which the best is known.

.. math::
    U(\theta) = \sum_{i=1}^D \tfrac14(\theta_i^2 - 1)^2 + c\,\theta_i, \qquad c > 0

The coordinates do not know of each other. The best minimum has all of them on the left, and each has one minimum on the
right that is worse. What a search finds can then be said on paper: noise works on all coordinates at once, and a new
start has to be lucky in all of them at once.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from scipy import integrate, optimize, stats
from torch import Tensor

from physnn.lab.physics import kramers

TILT = 0.06
STARTS = ("near", "far")
NEAR, FAR = 0.3, 2.0  # of starts: standard deviation around the worse minimum; half width of the box around zero


class Places(NamedTuple):
    """The two minima of one coordinate and the top between them, from left to right."""

    better: float
    top: float
    worse: float


class Rates(NamedTuple):
    """Escapes per step of the optimizer, out of the worse well and out of the better one."""

    there: float
    back: float

    @property
    def rest(self) -> float:
        """The share in the better well after a long time."""
        return self.there / (self.there + self.back)

    def share(self, steps: float) -> float:
        """Return the share in the better well after some steps, of walkers that start in the worse one."""
        return self.rest * -math.expm1(-(self.there + self.back) * steps)


def energy(theta: Tensor, tilt: float = TILT) -> Tensor:
    """Return U of positions of shape (..., D), of shape (...)."""
    square = theta * theta - 1
    return (square * square / 4 + tilt * theta).sum(-1)


def slope(theta: Tensor, tilt: float = TILT) -> Tensor:
    """Return the gradient of U, of the shape of the positions."""
    return theta * (theta * theta - 1) + tilt


def draw(generator: torch.Generator, count: int, dimension: int, start: str, tilt: float = TILT) -> Tensor:
    """Draw starts of shape (count, D): ``near`` the minimum that is worse in every coordinate (normal, standard
    deviation 0.3), or ``far`` (uniform in the box from -2 to 2).

    Raises:
        ValueError: there are no such starts.
    """
    _check_start(start)
    if start == "near":
        return places(tilt).worse + NEAR * torch.randn(count, dimension, generator=generator)
    return FAR * (2 * torch.rand(count, dimension, generator=generator) - 1)


def found(theta: Tensor, tilt: float = TILT) -> Tensor:
    """Tell of positions of shape (..., D) which lie in the best well: left of the top in every coordinate."""
    return (theta < places(tilt).top).all(-1)


def places(tilt: float = TILT) -> Places:
    """Return the stationary points of one coordinate.

    Raises:
        ValueError: the tilt leaves one well, or none of the two is better.
    """
    if not 0 < tilt < 2 / math.sqrt(27):
        raise ValueError(f"two wells, of which one is better, need a tilt between 0 and 0.3849, got {tilt}")
    return Places(*np.sort(np.roots([1, 0, -1, tilt]).real).tolist())


def height(tilt: float = TILT) -> float:
    """Return the height of the top over the worse minimum."""
    at = places(tilt)
    return _potential(at.top, tilt) - _potential(at.worse, tilt)


@cache
def rates(temperature: float, lr: float, damping: float, tilt: float = TILT) -> Rates:
    r"""Return the rates of one coordinate: integrals over wells and barrier, the optimizer's step, and the turnover.

    .. math::
        r_i = h_*\,\frac{\mu\,T}{\lambda_b Z_i Z_b}\;
        \frac{\Upsilon(\Delta_1)\Upsilon(\Delta_2)}{\Upsilon(\Delta_1 + \Delta_2)}, \qquad
        h_*^2 = \frac{\alpha}{1-\gamma/2}, \quad f = \frac{\gamma}{1-\gamma/2}, \quad
        \Delta_i = \frac{f J_i}{h_* T}

    with :func:`physnn.lab.physics.kramers.integral_rate` at the friction :math:`f/h_*`, and :math:`J_i` the action of
    one oscillation in well i at the height of the top (Mel'nikov & Meshkov 1986). Asymptotic for barriers high over T.

    Raises:
        ValueError: the temperature is not above 0, or as :func:`places`.
    """
    at, (friction, h) = places(tilt), _friction(temperature, lr, damping)
    edge, u_top = 4.0, _potential(at.top, tilt)

    def integral(sign: int, low: float, high: float) -> float:
        inside = lambda x: math.exp(sign * (_potential(x, tilt) - u_top) / temperature)  # noqa: E731
        return float(integrate.quad(inside, low, high, points=[p for p in at if low < p < high], limit=200)[0])

    wells = integral(-1, at.top, edge), integral(-1, -edge, at.top)
    barrier, top = integral(1, at.better, at.worse), 1 - 3 * at.top**2
    losses = [friction * action / temperature for action in actions(tilt)]
    turnover = math.prod(map(kramers.depopulation, losses)) / kramers.depopulation(sum(losses))
    several = (h * turnover * kramers.integral_rate(friction, top, temperature, well, barrier) for well in wells)
    return Rates(*several)


@cache
def exact_rates(temperature: float, lr: float, damping: float, tilt: float = TILT, cells: int = 160) -> Rates:
    """Return the rates of one coordinate from the equation itself: the slowest decay, shared by detailed balance.

    Exact for small steps: the friction and the clock are the optimizer's, as in :func:`rates`
    (:func:`physnn.lab.physics.kramers.relaxation_rate`).

    Raises:
        ValueError: as :func:`rates`.
    """
    friction, h = _friction(temperature, lr, damping)
    decay = kramers.relaxation_rate(lambda x: _potential(x, tilt), temperature, friction, edge=2.4, cells=cells)
    better = rates(temperature, lr, damping, tilt).rest  # by the integrals over the wells alone
    return Rates(h * decay * better, h * decay * (1 - better))


def actions(tilt: float = TILT) -> tuple[float, float]:
    r"""Return :math:`J = \oint p\,d\theta` at the height of the top, in the worse well and in the better one."""
    at = places(tilt)
    u_top = _potential(at.top, tilt)
    momentum = lambda x: math.sqrt(max(2 * (u_top - _potential(x, tilt)), 0.0))  # noqa: E731
    ends = [
        optimize.brentq(lambda x: _potential(x, tilt) - u_top, *bounds)
        for bounds in ((at.worse, 3.0), (-3.0, at.better))
    ]
    worse = integrate.quad(momentum, at.top, ends[0], points=[at.worse])[0]
    better = integrate.quad(momentum, ends[1], at.top, points=[at.better])[0]
    return 2 * worse, 2 * better


def lucky(start: str, dimension: int, tilt: float = TILT) -> float:
    """Return the chance that plain descent from one start ends in the best minimum: all D coordinates left of the top.

    Starts are those of :func:`draw`.

    Raises:
        ValueError: there are no such starts.
    """
    _check_start(start)
    at = places(tilt)
    one = {"near": float(stats.norm.cdf((at.top - at.worse) / NEAR)), "far": (at.top + FAR) / (2 * FAR)}
    return one[start] ** dimension


def restarts(start: str, dimension: int, count: int, tilt: float = TILT) -> float:
    """Return the chance that one of ``count`` descents ends in the best minimum: 1 - (1 - p)^count with ``lucky``."""
    return -math.expm1(count * math.log1p(-lucky(start, dimension, tilt)))


def _check_start(start: str) -> None:
    if start not in STARTS:
        raise ValueError(f"start must be one of {', '.join(STARTS)}, got {start!r}")


def _potential(x, tilt: float):
    return (x * x - 1) ** 2 / 4 + tilt * x


def _friction(temperature: float, lr: float, damping: float) -> tuple[float, float]:
    """Return friction and time step of the equation that the optimizer's positions follow (Brünger et al. 1984)."""
    if temperature <= 0:
        raise ValueError(f"over a barrier it takes a temperature above 0, got {temperature}")
    h = math.sqrt(lr / (1 - damping / 2))
    return damping / (1 - damping / 2) / h, h
