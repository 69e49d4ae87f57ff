"""Coherence of fields: how alike neighbours are, on grids and on chains."""

import math

from torch import Tensor


def moran(field: Tensor, dims: int = 2) -> Tensor:
    r"""Return Moran's I of fields of shape (..., H, W), or chains (..., L) with ``dims=1``; NaN for a constant one.

    .. math::
        I = \frac{n}{W}\,\frac{\sum_{i\sim j} z_i z_j}{\sum_i z_i^2}, \qquad z = f - \operatorname{mean} f

    over the W ordered pairs of rook neighbours, without periodic ones. About 1 is smooth and -1 a chessboard; the
    mean over all permutations of the values is :math:`-1/(n-1)`. Source: Moran (1950).

    Raises:
        ValueError: ``dims`` is not 1 or 2, or the field is not of floats or has no neighbours; so do the next two.
    """
    z, pairs = _neighbours(field, dims)
    axes = tuple(range(-dims, 0))
    products = sum((a * b).sum(axes) for a, b in pairs)
    return (products / _edges(field, dims) / z.square().mean(axes)).to(field.dtype)


def geary(field: Tensor, dims: int = 2) -> Tensor:
    r"""Return Geary's C, of shape (...), at least 0; NaN for a constant field.

    .. math::
        C = \frac{n-1}{2W}\,\frac{\sum_{i\sim j} (z_i - z_j)^2}{\sum_i z_i^2}

    Its mean over all permutations of the values is 1, and smooth is small. Source: Geary (1954). Shapes and symbols
    as in :func:`moran`.
    """
    n = field[(0,) * (field.dim() - dims)].numel() if field.dim() >= dims else 0
    return dirichlet(field, dims) * (n - 1) / (2 * _edges(field, dims))


def dirichlet(field: Tensor, dims: int = 2) -> Tensor:
    r"""Return the normalized Dirichlet energy :math:`\sum_{i\sim j}(z_i - z_j)^2 / \sum_i z_i^2`, each pair once.

    A Rayleigh quotient of the graph's Laplacian: on a chain of n from :math:`2 - 2\cos(\pi/n)` (half a cosine) to
    below 4 (alternating signs), on a grid to below 8; NaN for a constant field. It is Geary's C times W/(n - 1).
    Shapes and symbols as in :func:`moran`.
    """
    z, pairs = _neighbours(field, dims)
    axes = tuple(range(-dims, 0))
    return (sum((a - b).square().sum(axes) for a, b in pairs) / z.square().sum(axes)).to(field.dtype)


def _neighbours(field: Tensor, dims: int) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """Return z, in double precision and in units of the largest value, and for each axis its values beside neighbours.

    So a field of small numbers has squares, and one on a high plateau keeps its digits.
    """
    if dims not in (1, 2) or field.dim() < dims:
        raise ValueError(f"a field needs dims of 1 or 2 and that many axes, got dims={dims}, {tuple(field.shape)}")
    if max(field.shape[-dims:]) < 2 or not field.is_floating_point():
        raise ValueError(f"a field needs floats with neighbours, got {field.dtype}, {tuple(field.shape)}, dims={dims}")
    axes = tuple(range(-dims, 0))
    z = field.double() / field.abs().amax(axes, keepdim=True).double()
    z -= z.mean(axes, keepdim=True)
    # The mean of equal values is not always that value: without this, rounding would pass for a field.
    z = z.masked_fill(field.amax(axes, keepdim=True) == field.amin(axes, keepdim=True), float("nan"))
    sizes = [(axis, z.shape[axis] - 1) for axis in axes]
    return z, [(z.narrow(axis, 0, size), z.narrow(axis, 1, size)) for axis, size in sizes]


def _edges(field: Tensor, dims: int) -> int:
    """Return W/2, the number of pairs of neighbours, each once."""
    sizes = field.shape[-dims:]
    return sum(math.prod(sizes) // size * (size - 1) for size in sizes)
