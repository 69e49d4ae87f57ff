"""Class labels: taken from a field in one-hot form, and named where they are wrong."""

import torch
from torch import Tensor

from physnn.fast.when import constant, has_numbers


def subtract_one_hot(field: Tensor, labels: Tensor) -> Tensor:
    """Return ``field``, of shape (B, C), lowered by 1 at the label of each row."""
    index = _checked(field, labels)
    try:
        # Of all ways to write this, gather has its index checked by what torch.compile makes of it, too.
        return field.scatter(1, index, field.gather(1, index) - 1)
    except RuntimeError:
        _name_wrong(labels, field.shape[1])
        raise


def subtract_one_hot_on_cpu(field: Tensor, labels: Tensor) -> Tensor:
    """Return :func:`subtract_one_hot` of what needs no gradient, in one pass."""
    index = labels.long().unsqueeze(1)
    try:
        return field.scatter_add(1, index, _minus_ones(len(field), field.dtype))
    except RuntimeError:
        _name_wrong(labels, field.shape[1])
        raise


def _checked(field: Tensor, labels: Tensor) -> Tensor:
    """Look at labels elsewhere than on a CPU first: there an index out of range is the end of the process."""
    if not labels.is_cpu and has_numbers(labels):
        if not (labels.is_cuda and torch.cuda.is_current_stream_capturing()):
            _name_wrong(labels, field.shape[1])
    return labels.long().unsqueeze(1)


def _name_wrong(labels: Tensor, classes: int) -> None:
    if not has_numbers(labels):
        return
    low, high = torch.stack(torch.aminmax(labels.long())).tolist()
    if low < 0 or high >= classes:
        raise ValueError(f"class indices must lie in 0..{classes - 1}, got {low}..{high}")


@constant
def _minus_ones(count: int, dtype: torch.dtype) -> Tensor:
    return torch.full((1, 1), -1.0, dtype=dtype, device="cpu").expand(count, 1)
