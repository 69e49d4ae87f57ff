r"""Allen and Cahn's flow on pixels: neighbours pull, a double well sharpens, and what is known of an image holds.

.. math::
    E(u) = \frac12\sum_i m_i (u_i - f_i)^2 + \frac\kappa2 \sum_{i\sim j} (u_i - u_j)^2 + w \sum_i W(u_i), \qquad
    W(u) = u^2 (1 - u)^2

The wells lie at the gray values 0 and 1; outside of these W goes on as a parabola, so that its curvature is at most 2.
Without known pixels a wall at rest is :math:`\tfrac12(1 + \tanh(x/\ell))` with
:math:`\ell = \sqrt{2\kappa/w}`, and a drop loses area at the rate :math:`2\pi\kappa`. Source: Allen & Cahn (1979).
"""

import math

import torch
from torch import Tensor

from physnn.lab.physics.pixels import invert, neighbours, smooth

STEPS = 400


def energy(u: Tensor, image: Tensor, mask: Tensor | None, strength: float, well: float) -> Tensor:
    """Return E of images of shape (..., h, w), of shape (...)."""
    off = (u - image) if mask is None else mask * (u - image)
    inside = u.clamp(0, 1)
    height = (inside * (1 - inside)).square() + (u - inside).square()
    density = off.square() / 2 + strength / 2 * u * neighbours(u) + well * height
    return density.sum((-2, -1))


def step(u: Tensor, image: Tensor, mask: Tensor | None, strength: float, well: float, dt: float = math.inf) -> Tensor:
    r"""Take a semi-implicit step down E: what is convex at its end, what is not at its beginning.

    .. math::
        \Bigl(\frac1{\Delta t} + 1 + w + \kappa A\Bigr) u' =
        \Bigl(\frac1{\Delta t} + 1 - m + w\Bigr) u + m f - w\,W'(u)

    The added w is half of the largest curvature of the well, so that E never rises, whatever the step; ``dt=inf`` goes
    farthest. Where nothing is known it is a step of :math:`\Delta t/(1 + (1 + w)\Delta t)` in time.
    """
    known = torch.ones_like(u) if mask is None else mask
    inside = u.clamp(0, 1)
    slope = 2 * well * (inside * (1 - inside) * (1 - 2 * inside) + u - inside)
    pull = (1 / dt + 1 + well - known) * u + known * image - slope
    return invert(pull, "neighbours", 1 / dt + 1 + well, strength)


def relax(image: Tensor, mask: Tensor | None, strength: float, well: float, steps: int = STEPS) -> Tensor:
    """Return where the flow ends that starts from the minimum without the well; a local minimum of E.

    Raises:
        ValueError: a coefficient is not above 0, or below 0 for the well.
    """
    if not (strength > 0 and well >= 0):
        raise ValueError(f"strength must be above 0, and well not below, got {strength} and {well}")
    u = smooth(image, mask, strength, "neighbours").clamp(0, 1)
    for _ in range(steps if well else 0):
        u = step(u, image, mask, strength, well)
    return u
