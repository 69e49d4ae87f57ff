r"""Total variation: images of few edges, also where pixels are missing.

.. math::
    E(u) = \frac12\sum_i m_i (u_i - f_i)^2 + \lambda \sum_i |\nabla u|_i, \qquad
    |\nabla u|_i = \sqrt{(u_{i+\hat x} - u_i)^2 + (u_{i+\hat y} - u_i)^2}

with no differences across the border. Source: Rudin, Osher & Fatemi (1992).
"""

import torch
from torch import Tensor

from physnn.lab.physics.pixels import filled

STEPS = 500


def total_variation(image: Tensor) -> Tensor:
    """Return the sum of the gradient's length, of images of shape (..., h, w) the shape (...)."""
    return _gradient(image).square().sum(0).sqrt().sum((-2, -1))


def denoise(image: Tensor, mask: Tensor | None, weight: float, steps: int = STEPS) -> Tensor:
    r"""Return images of least E, by the primal-dual steps of Chambolle & Pock (2011), with :math:`\tau\sigma = 1/8`.

    Raises:
        ValueError: the weight λ is not above 0.
    """
    if not weight > 0:
        raise ValueError(f"weight must be above 0, got {weight}")
    known = torch.ones_like(image) if mask is None else mask
    u = filled(image, mask)
    dual, ahead = torch.zeros_like(_gradient(u)), u
    tau = sigma = 8**-0.5
    for _ in range(steps):
        dual = dual + sigma * _gradient(ahead)
        dual = dual / (dual.square().sum(0).sqrt() / weight).clamp(min=1)
        last = u
        u = u - tau * _transposed(dual)
        u = (u + tau * known * image) / (1 + tau * known)
        ahead = 2 * u - last
    return u


def _gradient(image: Tensor) -> Tensor:
    """Return forward differences, of shape (2, ..., h, w); 0 at the border."""
    out = torch.zeros(2, *image.shape, dtype=image.dtype, device=image.device)
    out[0, ..., :-1, :] = image.diff(dim=-2)
    out[1, ..., :, :-1] = image.diff(dim=-1)
    return out


def _transposed(dual: Tensor) -> Tensor:
    """Return the transpose of :func:`_gradient`, minus a divergence."""
    out = torch.zeros_like(dual[0])
    out[..., 1:, :] += dual[0, ..., :-1, :]
    out[..., :-1, :] -= dual[0, ..., :-1, :]
    out[..., :, 1:] += dual[1, ..., :, :-1]
    out[..., :, :-1] -= dual[1, ..., :, :-1]
    return out
