"""Fields on a lattice: normalization by the maximum, central differences with a boundary rule, and their transposes."""

import torch
from torch import Tensor


def normalize(field: Tensor, norm: str) -> Tensor:
    """Divide by max|field| over the batch or over each sample; where that is 0, by 1."""
    axes = tuple(range(field.dim())) if norm == "batch" else tuple(range(1, field.dim()))
    peak = field.abs().amax(axes, keepdim=True)
    return field / torch.where(peak == 0, 1.0, peak)  # a NaN stays one


def spatial_axes(phi: Tensor) -> tuple[int, ...]:
    return (1,) if phi.dim() == 2 else tuple(range(2, phi.dim()))


def difference(field: Tensor, axis: int, boundary: str) -> Tensor:
    """Return the central difference (f[i+1] - f[i-1]) / 2 along ``axis``, at every index."""
    return jump(field, axis, boundary) / 2


def jump(field: Tensor, axis: int, boundary: str) -> Tensor:
    """Return 2 ∂f, f[i+1] - f[i-1] along ``axis``, with what the boundary rule puts beyond the ends."""
    size = field.shape[axis]
    if boundary == "one-sided" and size < 2:
        raise ValueError(f"boundary='one-sided' needs at least two indices along each axis, got {tuple(field.shape)}")
    first, last = field.narrow(axis, 0, 1), field.narrow(axis, -1, 1)
    if boundary == "periodic":
        before, after = last, first
    elif boundary == "zero":
        before, after = torch.zeros_like(first), torch.zeros_like(last)
    elif boundary == "replicate":
        before, after = first, last
    else:  # one-sided: linear extrapolation by one step makes the central difference a one-step difference
        before, after = 2 * first - field.narrow(axis, 1, 1), 2 * last - field.narrow(axis, -2, 1)
    padded = torch.cat([before, field, after], axis)
    return padded.narrow(axis, 2, size) - padded.narrow(axis, 0, size)


def add_transposed_jump(out: Tensor, field: Tensor, axis: int, boundary: str, alpha: float) -> None:
    """Add 2 alpha ∂ᵀf to ``out``: f[i-1] - f[i+1], with what transposing the boundary rule puts beyond the ends."""
    size = field.shape[axis]
    first, last = field.narrow(axis, 0, 1), field.narrow(axis, -1, 1)
    if boundary == "periodic":
        parts = [last, field, first]
    elif boundary == "zero":
        parts = [torch.zeros_like(first), field, torch.zeros_like(last)]
    elif boundary == "replicate":
        parts = [-first, field, -last]
    else:
        parts = [-2 * first, 2 * first, field.narrow(axis, 1, size - 2), 2 * last, -2 * last]
    padded = torch.cat(parts, axis)
    out.add_(padded.narrow(axis, 0, size), alpha=alpha).sub_(padded.narrow(axis, 2, size), alpha=alpha)
