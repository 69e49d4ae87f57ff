r"""A field on a ring of classes that is pushed at one of them: how far the push is felt, on paper and measured.

For the energy :math:`q_2 |u - y|^2 + q_s |\partial u|^2 - h\,u_k`, with the central difference
:math:`(\partial u)_i = (u_{i+1} - u_{i-1})/2` of the post's loss on a ring,

.. math::
    \frac{\partial u}{\partial h} = \frac{1}{2 q_2}\,G\,e_k, \qquad
    G = \bigl(I + c\,\partial^{\mathsf T}\partial\bigr)^{-1}, \qquad c = q_s / q_2, \qquad \xi = \sqrt c .

The difference skips its neighbours: the push is felt on every other class. On an infinite line
:math:`G_r \propto \lambda^{r/2}` at even distances r, with :math:`\cosh\ln\lambda = 1 + 2/c`, so that
:math:`-2/\ln\lambda` is :math:`\xi` where that is long.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize

LONGEST = 50.0  # classes, beyond which a ring of a few cannot tell lengths apart
SHORTEST_RATIO = -0.99  # of q_s and q_2: at -1 a mode that alternates costs nothing


class Spread(NamedTuple):
    """How far a push is felt: the length in classes, 0 where it does not spread; and the share of the response's
    squares that the theory's form with this length has."""

    length: float
    share: float


def green(classes: int, ratio: float) -> np.ndarray:
    r"""Return :math:`G_r` for the distances r = 0 ... C-1 on a ring of C classes, for :math:`c =` ``ratio``.

    .. math::
        G_r = \frac1C \sum_k \frac{\cos qr}{1 + c \sin^2 q}, \qquad q = \frac{2\pi k}{C}

    A negative ratio is that of a field whose differences are favoured: it alternates.

    Raises:
        ValueError: fewer than three classes, or a ratio that is not above -1.
    """
    if classes < 3 or not ratio > -1:
        raise ValueError(f"a ring has at least 3 classes, and the ratio is above -1, got {classes} and {ratio}")
    q = 2 * np.pi * np.arange(classes) / classes
    return np.cos(np.outer(np.arange(classes), q)) @ (1 / (1 + ratio * np.sin(q) ** 2)) / classes


def spread(response: np.ndarray) -> Spread:
    """Return the length over which a response of shape (C, C), [j, k] of class j to a push at k, is felt on the ring.

    The response is averaged over k at equal distance, and :func:`green` times a free factor is fitted to it by least
    squares; the length is the root of the ratio, at most ``LONGEST``, and 0 where the ratio is negative.

    Raises:
        ValueError: the response is not square, not finite or zero.
    """
    by_distance = around(response)
    if not (np.isfinite(by_distance).all() and by_distance.any()):
        raise ValueError(f"a response must be finite and not zero, got {by_distance}")
    total = float(by_distance @ by_distance)

    def lost(ratio: float) -> float:
        form = green(len(by_distance), ratio)
        return 1 - float(form @ by_distance) ** 2 / (float(form @ form) * total)

    tried = np.concatenate([np.linspace(SHORTEST_RATIO, 0, 25), np.geomspace(1e-3, LONGEST**2, 60)])
    best = int(np.argmin([lost(ratio) for ratio in tried]))
    low, high = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
    found = optimize.minimize_scalar(lost, bounds=(low, high), method="bounded", options={"xatol": 1e-6 * max(1, high)})
    ratio = min((float(found.x), tried[best]), key=lost)
    return Spread(math.sqrt(max(ratio, 0.0)), 1 - lost(ratio))


def around(response: np.ndarray) -> np.ndarray:
    """Return the mean of a response [j, k] over all pairs with j - k = r on the ring, for r = 0 ... C-1.

    Raises:
        ValueError: it is not square.
    """
    response = np.asarray(response, float)
    if response.ndim != 2 or response.shape[0] != response.shape[1]:
        raise ValueError(f"a response has a row and a column for each class, got shape {response.shape}")
    k = np.arange(len(response))
    return np.array([response[(k + r) % len(k), k].mean() for r in k])


def hops(classes: int) -> np.ndarray:
    """Return in how many steps of two the ring leads from each class to each other, (C, C); infinite where none do."""
    apart = (np.arange(classes)[:, None] - np.arange(classes)) % classes
    ways = [np.where(d % 2 == 0, d / 2, np.inf) for d in (apart, classes - apart)]
    if classes % 2:  # all the way round, and on
        ways += [np.where(d % 2 == 0, d / 2, np.inf) for d in (apart + classes, 2 * classes - apart)]
    return np.where(apart == 0, 0.0, np.minimum.reduce(ways))
