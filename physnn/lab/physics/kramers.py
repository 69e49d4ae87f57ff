r"""Rates of escape over a barrier: Kramers' formula, its turnover at low friction, and the equation behind both.

A particle of mass 1 in a potential U at temperature T, with friction :math:`\Gamma`:

.. math::
    d\theta = p\,dt, \qquad dp = -U'(\theta)\,dt - \Gamma p\,dt + \sqrt{2\Gamma T}\,dW
"""

import math
from collections.abc import Callable

import numpy as np
from scipy import integrate, sparse
from scipy.sparse.linalg import eigs


def crossing(friction: float, top: float) -> float:
    r"""Return :math:`\sqrt{\Gamma^2/4 + \lambda_b} - \Gamma/2`: how fast a particle leaves a barrier of curvature
    :math:`\lambda_b` = ``top`` (Kramers 1940)."""
    return math.sqrt(friction**2 / 4 + top) - friction / 2


def depopulation(loss: float) -> float:
    r"""Return Mel'nikov & Meshkov's factor :math:`\Upsilon` (1986) for an energy ``loss`` per oscillation, over T.

    .. math::
        \Upsilon(\Delta) = \exp\Bigl(\frac1{2\pi}\int_{-\infty}^\infty
        \ln\bigl(1 - e^{-\Delta(y^2 + 1/4)}\bigr)\,\frac{dy}{y^2 + 1/4}\Bigr)

    It is about :math:`\Delta` where that is small, and 1 where it is large.
    """
    integrand = lambda y: math.log(-math.expm1(-loss * (y * y + 0.25))) / (y * y + 0.25)  # noqa: E731
    return math.exp(integrate.quad(integrand, 0, np.inf)[0] / math.pi)


def integral_rate(friction: float, top: float, temperature: float, well: float, barrier: float) -> float:
    r"""Return the rate of escape from one well per unit time, from integrals in place of parabolas.

    .. math::
        r = \frac{\mu}{\lambda_b}\,\frac{T}{Z\,Z_b}, \qquad
        Z = \int_\text{well} e^{-U/T}\,d\theta, \qquad Z_b = \int_\text{barrier} e^{U/T}\,d\theta

    with :math:`\mu` of :func:`crossing`, ``well`` for Z and ``barrier`` for :math:`Z_b`. With the Gaussian values
    :math:`Z = \sqrt{2\pi T/\lambda_0}` and :math:`Z_b = \sqrt{2\pi T/\lambda_b}\,e^{\Delta U/T}` it is Kramers'
    formula. At high friction :math:`\mu/\lambda_b` is :math:`1/\Gamma`, the rate that of the overdamped equation.
    """
    return crossing(friction, top) / top * temperature / (well * barrier)


def relaxation_rate(
    potential: Callable[[np.ndarray], np.ndarray],
    temperature: float,
    friction: float,
    *,
    edge: float,
    cells: int = 200,
    levels: int | None = None,
) -> float:
    r"""Return the slowest rate at which the Klein-Kramers equation forgets, exact but for the grid.

    The density is expanded in ``levels`` Hermite functions of the momentum, whose coefficients live in turn on the
    nodes and on the midpoints of ``cells`` cells between -edge and edge (Brinkman's hierarchy):

    .. math::
        \dot b_n = -\sqrt n\,A\,b_{n-1} + \sqrt{n+1}\,A^\top b_{n+1} - n\Gamma b_n, \qquad
        A = \sqrt T\,e^{-U/2T}\,\partial_\theta\,e^{U/2T}

    Of a symmetric double well it is twice the rate of escape from one well. Low friction needs many levels; None
    takes 8 over the friction, 30 at least and 250 at most, which is right to 0.5 % for frictions from 0.03 and
    barriers from 2 to 8 T at curvatures near 1.
    """
    if levels is None:
        levels = round(min(max(8 / friction, 30), 250))
    x = np.linspace(-edge, edge, 2 * cells + 1)  # nodes have even numbers, midpoints odd ones
    weight = potential(x) / (2 * temperature)
    scale = math.sqrt(temperature) * cells / (2 * edge)
    rise = np.exp(np.diff(weight))  # of exp(U/2T) from one point to the next
    difference = sparse.diags([rise * scale, -scale / rise], [1, -1], format="csr")
    parity = [np.arange(0, len(x), 2), np.arange(1, len(x), 2)]
    blocks = [[None] * levels for _ in range(levels)]
    for n in range(levels):
        here, there = parity[n % 2], parity[(n + 1) % 2]
        blocks[n][n] = -n * friction * sparse.identity(len(here))
        if n + 1 < levels:
            up = difference[there][:, here] * math.sqrt(n + 1)
            blocks[n + 1][n], blocks[n][n + 1] = -up, up.T
    start = np.ones(sum(block[n].shape[0] for n, block in enumerate(blocks)))
    slowest = eigs(sparse.bmat(blocks, format="csc"), k=3, sigma=1e-9, v0=start, return_eigenvectors=False)
    return float(np.sort(-slowest.real)[1])  # the first is 0: equilibrium
