"""What chance gives: scores of coherence when the same values lie in random places."""

import torch
from torch import Tensor

from physnn.lab.metrics.fields import dirichlet


def moran_moments(field: Tensor, dims: int = 2) -> tuple[Tensor, Tensor]:
    r"""Return mean and variance of Moran's I over all permutations of a field's values, each of shape (...).

    With W ordered pairs of rook neighbours, :math:`Q = \sum d_i^2` of the numbers of neighbours, and the kurtosis
    :math:`b = m_4/m_2^2`, the mean is :math:`-1/(n-1)` and

    .. math::
        \begin{aligned}
        \mathbb E[I^2] = \frac{1}{W^2}\Bigl[ & 2W\,\frac{n-b}{n-1} + 4(Q-W)\,\frac{2b-n}{(n-1)(n-2)} \\
        & + (W^2 + 2W - 4Q)\,\frac{3(n-2b)}{(n-1)(n-2)(n-3)}\Bigr]
        \end{aligned}

    the three counts being those of pairs of pairs that share two places, one, and none. Source: Cliff and Ord (1981),
    the variance under randomization. Shapes as in :func:`physnn.lab.metrics.fields.moran`; NaN for a constant field.

    Raises:
        ValueError: the field has fewer than four values, or not ``dims`` dimensions of at least two.
    """
    sizes = field.shape[-dims:]
    n = sizes.numel()
    if dims not in (1, 2) or field.dim() < dims or n < 4 or min(sizes) < 2:
        raise ValueError(f"the moments need four values or more, along {dims} axes, got {tuple(field.shape)}")
    degrees = _degrees(sizes)
    w, q = degrees.sum().item(), degrees.square().sum().item()
    axes = tuple(range(-dims, 0))
    z = field - field.mean(axes, keepdim=True)
    z = z.masked_fill(field.amax(axes, keepdim=True) == field.amin(axes, keepdim=True), float("nan"))
    b = z.pow(4).mean(axes) / z.square().mean(axes).square()
    same = 2 * w * (n - b) / (n - 1)
    chained = 4 * (q - w) * (2 * b - n) / ((n - 1) * (n - 2))
    apart = (w * w + 2 * w - 4 * q) * 3 * (n - 2 * b) / ((n - 1) * (n - 2) * (n - 3))
    mean = torch.full_like(b, -1 / (n - 1))
    return mean, (same + chained + apart) / (w * w) - mean.square()


def over_orders(outputs: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return the Dirichlet energy of outputs (N, C) along the class index for random orders of the classes.

    One value for each of ``count`` orders, the mean over samples. An order is the same for all samples.

    Raises:
        ValueError: ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    orders = [torch.randperm(outputs.shape[-1], generator=generator) for _ in range(count)]
    return torch.stack([dirichlet(outputs[:, order], 1).nanmean() for order in orders])


def _degrees(sizes: torch.Size) -> Tensor:
    """Return the number of rook neighbours of each place."""
    degrees = torch.zeros(sizes, dtype=torch.float64)
    for dim, size in enumerate(sizes):
        degrees.narrow(dim, 1, size - 1).add_(1)
        degrees.narrow(dim, 0, size - 1).add_(1)
    return degrees
