"""How well a sample matches a density: by counts in cells, and by the modes it has found."""

import torch
from torch import Tensor


def counts(index: Tensor, size: int) -> Tensor:
    """Return how often each of ``size`` numbers stands in each row of ``index`` (R, n): shape (R, size)."""
    return torch.zeros(len(index), size, dtype=torch.float64).scatter_add_(
        1, index, torch.ones_like(index, dtype=torch.float64)
    )


def total_variation(first: Tensor, second: Tensor) -> Tensor:
    r"""Return the total variation of two samples, given by counts of shape (..., K), between 0 and 1.

    .. math::
        \tfrac12 \sum_k \left| \frac{n_k}{\sum n} - \frac{m_k}{\sum m} \right|

    Two samples of one density differ too: that is the floor of what a sampler can reach.
    """
    one, two = (each / each.sum(-1, keepdim=True) for each in (first, second))
    return (one - two).abs().sum(-1) / 2


def covered(found: Tensor, shares: Tensor, few: float) -> Tensor:
    """Return the share of modes that have at least half of what they should, of shape (R,).

    Args:
        found: how many walkers of each row are in each mode, of shape (R, M).
        shares: of the density, of shape (M,).
        few: modes with a smaller share are not asked for.
    """
    asked = shares >= few
    own = found / found.sum(-1, keepdim=True)
    return (own >= shares / 2)[:, asked].double().mean(1)
