"""How far two predictions are from each other: by their probabilities, and by what they would answer."""

import torch
from torch import Tensor


def variation(first: Tensor, second: Tensor) -> Tensor:
    r"""Return the mean total variation of two predictions, :math:`\frac12\sum_c |p_c - q_c|`, in [0, 1].

    Args:
        first: log-probabilities of shape (..., N, C).
        second: others, of a shape that goes with it.

    Returns:
        Of shape (...). Source: Izmailov et al. (2021), section 4.
    """
    return (first.exp() - second.exp()).abs().sum(-1).mean(-1) / 2


def agreement(first: Tensor, second: Tensor) -> Tensor:
    """Return the share of samples to which two predictions give one answer, of shape (...), in [0, 1]."""
    return (first.argmax(-1) == second.argmax(-1)).to(torch.promote_types(first.dtype, second.dtype)).mean(-1)
