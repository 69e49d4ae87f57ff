r"""Images as fields: the squared difference that the post prints, that of neighbours, and what either makes smooth.

.. math::
    E(u) = \frac12\sum_i m_i (u_i - f_i)^2 + \frac\kappa2\,\langle u, A u\rangle

for an image f that is known where the mask m is 1. With ``central``, :math:`\langle u, Au\rangle` is the sum of
:math:`((u_{i+1} - u_{i-1})/2)^2` over both axes, periodic, the post's spatial term; with ``neighbours`` it is that of
:math:`(u_i - u_j)^2` over pairs of rook neighbours, none of them across the border. Images are of shape (..., h, w).
"""

import math
from functools import cache

import torch
from torch import Tensor

STENCILS = ("central", "neighbours")
STEPS = 400  # of conjugate gradients


def central(field: Tensor) -> Tensor:
    r"""Return Au of the printed difference, :math:`(2u_i - u_{i+2} - u_{i-2})/4` along both axes, periodic.

    It ties even places to even ones and odd ones to odd ones: of an image with even sides, four interleaved ones.
    """
    return sum((2 * field - field.roll(2, dim) - field.roll(-2, dim)) / 4 for dim in (-2, -1))


def neighbours(field: Tensor) -> Tensor:
    r"""Return Au of rook neighbours, :math:`\sum_{j\sim i}(u_i - u_j)`: minus the lattice's Laplacian."""
    out = torch.zeros_like(field)
    for dim in (-2, -1):
        step, size = field.diff(dim=dim), field.shape[dim]
        out.narrow(dim, 1, size - 1).add_(step)
        out.narrow(dim, 0, size - 1).sub_(step)
    return out


def apply(field: Tensor, stencil: str) -> Tensor:
    """Return Au.

    Raises:
        ValueError: there is no such stencil.
    """
    if stencil not in STENCILS:
        raise ValueError(f"stencil must be one of {', '.join(STENCILS)}, got {stencil!r}")
    return central(field) if stencil == "central" else neighbours(field)


def invert(field: Tensor, stencil: str, shift: float, strength: float) -> Tensor:
    r"""Return :math:`(s + \kappa A)^{-1} g` in closed form, by plane waves or by cosines.

    The eigenvalues of A are :math:`\sin^2(2\pi k/n)` along each axis for ``central``, and
    :math:`2 - 2\cos(\pi k/n)` for ``neighbours``, k = 0 ... n - 1.

    Raises:
        ValueError: there is no such stencil, or s + κA is not positive.
    """
    h, w = field.shape[-2:]
    waves = [_eigenvalues(n, stencil).to(field) for n in (h, w)]
    factors = shift + strength * (waves[0][:, None] + waves[1])
    if not factors.min() > 0:
        raise ValueError(f"shift + strength·A must be positive, got shift={shift:g}, strength={strength:g}")
    if stencil == "central":
        return torch.fft.ifft2(torch.fft.fft2(field) / factors).real
    rows, columns = _cosines(h).to(field), _cosines(w).to(field)
    return rows.T @ ((rows @ field @ columns.T) / factors) @ columns


def smooth(image: Tensor, mask: Tensor | None, strength: float, stencil: str) -> Tensor:
    r"""Return the image of least E: :math:`(m + \kappa A)u = mf`.

    Without a mask in closed form, for a strength κ above :math:`-\tfrac12` (``central``); with one by conjugate
    gradients, from the mean of what is known, for a strength above 0.

    Raises:
        ValueError: E has no minimum, or there is no such stencil.
    """
    if mask is None:
        return invert(image, stencil, 1.0, strength)
    if strength <= 0:
        raise ValueError(f"where pixels are missing the strength must be above 0, got {strength:g}")
    u = filled(image, mask)
    residual = mask * image - mask * u - strength * apply(u, stencil)
    direction, size = residual.clone(), _dot(residual, residual)
    tiny = 1e-24 * _dot(mask * image, mask * image)
    for _ in range(STEPS):
        moved = mask * direction + strength * apply(direction, stencil)
        # An image that is solved stays: its quotients would be 0/0.
        going = size > tiny
        if not going.any():
            break
        length = torch.where(going, size / _dot(direction, moved).where(going, 1.0), 0.0)
        u, residual = u + length * direction, residual - length * moved
        last, size = size, _dot(residual, residual)
        direction = residual + torch.where(going, size / last.where(going, 1.0), 0.0) * direction
    return u


def filled(image: Tensor, mask: Tensor | None) -> Tensor:
    """Return images whose missing pixels have the mean of the known ones of the same image."""
    if mask is None:
        return image
    known = mask.sum((-2, -1), keepdim=True).clamp(min=1)
    return torch.where(mask > 0, image, (mask * image).sum((-2, -1), keepdim=True) / known)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1), keepdim=True)


@cache
def _eigenvalues(n: int, stencil: str) -> Tensor:
    k = torch.arange(n, dtype=torch.float64)
    if stencil == "central":
        return (2 * math.pi * k / n).sin().square()
    if stencil == "neighbours":
        return 2 - 2 * (math.pi * k / n).cos()
    raise ValueError(f"stencil must be one of {', '.join(STENCILS)}, got {stencil!r}")


@cache
def _cosines(n: int) -> Tensor:
    """Return the orthonormal matrix of cosines :math:`\\cos(\\pi k(i + ½)/n)`, a row for each k."""
    k = torch.arange(n, dtype=torch.float64)
    rows = (math.pi / n * k[:, None] * (k + 0.5)).cos() * math.sqrt(2 / n)
    rows[0] /= math.sqrt(2)
    return rows
