"""What the optimizer refuses to step on: gradients that are sparse, or not finite."""

import cmath
import math

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from physnn.state import has_values


def check_gradients(params: list[Tensor], finite: bool) -> None:
    """Raise on a gradient that is sparse or, if ``finite``, holds a value that is not finite.

    Raises:
        RuntimeError: a gradient is sparse.
        FloatingPointError: a value is infinite or NaN.
    """
    grads = [p.grad for p in params if p.grad is not None]
    for grad in grads:
        if grad.is_sparse:
            raise RuntimeError("Langevin does not support sparse gradients; use a dense one (sparse=False)")
    if not finite or _sums_are_finite([grad for grad in grads if has_values(grad)]):
        return
    bad = [i for i, grad in enumerate(grads) if has_values(grad) and not grad.isfinite().all()]
    if bad:  # else only the sum overflowed
        i, wrong = bad[0], grads[bad[0]]
        raise FloatingPointError(
            f"the gradient of parameter {i} (shape {tuple(wrong.shape)}) has "
            f"{int((~wrong.isfinite()).sum())} values that are not finite; nothing was updated. "
            "Lower lr, or look for a division by zero in the loss"
        )


def _sums_are_finite(grads: list[Tensor]) -> bool:
    """Sum the gradients, several times cheaper than a look at each value: what is not finite leaves no sum finite."""
    grads = [torch.view_as_real(g) if g.dtype is torch.complex32 else g for g in grads]  # which has no sum of its own
    elsewhere = [g for g in grads if g.device.type != "cpu"]
    if elsewhere and not math.isfinite(get_total_norm(elsewhere)):
        return False
    return all(cmath.isfinite(g.sum().item()) for g in grads if g.device.type == "cpu")
