"""The update of the optimizer as functions of lists of tensors: the readable form, and two that call torch less often.

Every function changes ``params`` and ``velocities`` in place. ``noise`` has variance 1, or is None at temperature 0.
The schemes and their laws stand in :class:`physnn.Langevin`; ``"gjf"`` is ``"post"`` with another noise, so that
there are two updates only.
"""

import functools
from typing import Any

import torch
from torch import Tensor

SCHEMES = ("post", "gjf", "baoa")
Tensors = list[Tensor]
Number = float | Tensor


def noise_variance(scheme: str, lr: Number, damping: Number, temperature: Number) -> Number:
    r"""Return the variance of a step's kick: :math:`2\gamma\alpha T`, and :math:`(2-\gamma)\gamma\alpha T` for
    ``"baoa"``."""
    spread = 2 - damping if scheme == "baoa" else 2
    return spread * damping * lr * temperature


def single_tensor(
    scheme: str,
    params: Tensors,
    grads: Tensors,
    velocities: Tensors,
    noise: Tensors | None,
    *,
    lr: Number,
    momentum: Number,
    noise_std: Number,
    weight_decay: Number,
) -> None:
    """Update one tensor after the other: the readable form.

    It takes tensors for numbers: those of R systems, say, of shape (R, 1, ...) for parameters of shape (R, ...).
    ``momentum`` is 1 - damping.
    """
    for i, (theta, g, v) in enumerate(zip(params, grads, velocities, strict=True)):
        if isinstance(weight_decay, Tensor):
            g = g.addcmul(theta, weight_decay)
        elif weight_decay:
            g = g.add(theta, alpha=weight_decay)
        if scheme == "baoa":
            _add(v, g, -lr)
            theta.add_(v, alpha=0.5)
            v.mul_(momentum)
        else:
            _add(v.mul_(momentum), g, -lr)
        if noise is not None:
            _add(v, noise[i], noise_std)
        theta.add_(v, alpha=0.5 if scheme == "baoa" else 1)


def _add(tensor: Tensor, other: Tensor, factor: Number) -> None:
    """Add ``factor * other`` in place."""
    if isinstance(factor, Tensor):
        tensor.addcmul_(other, factor)
    else:
        tensor.add_(other, alpha=factor)


def multi_tensor(
    scheme: str,
    params: Tensors,
    grads: Tensors,
    velocities: Tensors,
    noise: Tensors | None,
    *,
    lr: float,
    momentum: float,
    noise_std: float,
    weight_decay: float,
) -> None:
    """Update all tensors of one device and type at once: the same numbers, fewer calls."""
    if weight_decay:
        grads = each("add", grads, params, alpha=weight_decay)
    if scheme == "baoa":
        each("add_", velocities, grads, alpha=-lr)
        each("add_", params, velocities, alpha=0.5)
        each("mul_", velocities, momentum)
    else:
        each("mul_", velocities, momentum)
        each("add_", velocities, grads, alpha=-lr)
    if noise is not None:
        each("add_", velocities, noise, alpha=noise_std)
    each("add_", params, velocities, alpha=0.5 if scheme == "baoa" else 1)


def each(name: str, tensors: Tensors, other: Tensors | float, **options: float) -> Any:
    """Call the method ``name`` of every tensor with ``other``, a number or a list: at once, where torch can."""
    if not tensors:
        return []
    together = getattr(torch, f"_foreach_{name}", None)  # a private function
    if together is not None:
        return together(tensors, other, **options)
    others = other if isinstance(other, list) else [other] * len(tensors)
    return [getattr(tensor, name)(value, **options) for tensor, value in zip(tensors, others, strict=True)]


def can_fuse(scheme: str, params: Tensors, momentum: float) -> bool:
    """Tell whether torch's fused SGD, a private function, not for momentum 0, takes such contiguous tensors."""
    return scheme != "baoa" and momentum != 0 and _fused_works(params[0].device.type)


@functools.cache
def _fused_works(device_type: str) -> bool:
    if device_type not in ("cpu", "cuda"):
        return False
    theta, kick, v = (torch.full((1,), value, device=device_type) for value in (1.0, 2.0, 4.0))
    try:
        fused([theta], [kick], [v], [torch.zeros_like(v)], lr=-1.0, momentum=0.5, weight_decay=0.0)
    except (AttributeError, TypeError, RuntimeError):  # no such function, or one that takes other arguments
        return False
    return theta.item() == 5.0 and v.item() == 4.0


def fused(
    params: Tensors,
    grads: Tensors,
    velocities: Tensors,
    kicks: Tensors,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Take a step of ``"post"`` or ``"gjf"`` in one pass; ``kicks``, the scaled noise, is overwritten.

    SGD with momentum m is b <- m b + g, theta <- theta - lr b. With lr = -1 and the kick minus lr times the
    gradient for g, b is the velocity. All tensors are contiguous.
    """
    each("add_", kicks, grads, alpha=-lr)
    torch._fused_sgd_(
        params,
        kicks,
        velocities,
        weight_decay=-lr * weight_decay,
        momentum=momentum,
        lr=-1.0,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
