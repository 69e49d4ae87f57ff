"""The update of the optimizer as functions of lists of tensors: the readable form, and two that call torch less often.

Every function changes ``params`` and ``velocities`` in place. ``noise`` has variance 1, or is None at temperature 0.
The schemes and their laws stand in :class:`physnn.Langevin`; ``"gjf"`` is ``"post"`` with another noise, so that
there are two updates only.
"""

import torch

SCHEMES = ("post", "gjf", "baoa")


def single_tensor(scheme, params, grads, velocities, noise, *, lr, damping, noise_std, weight_decay) -> None:
    """Update one tensor after the other: the readable form."""
    for i, (theta, g, v) in enumerate(zip(params, grads, velocities, strict=True)):
        if weight_decay:
            g = g.add(theta, alpha=weight_decay)
        if scheme == "baoa":
            v.add_(g, alpha=-lr)
            theta.add_(v, alpha=0.5)
            v.mul_(1 - damping)
        else:
            v.mul_(1 - damping).add_(g, alpha=-lr)
        if noise is not None:
            v.add_(noise[i], alpha=noise_std)
        theta.add_(v, alpha=0.5 if scheme == "baoa" else 1)


def multi_tensor(scheme, params, grads, velocities, noise, *, lr, damping, noise_std, weight_decay) -> None:
    """Update all tensors of one device and type at once: the same numbers, fewer calls."""
    if weight_decay:
        grads = torch._foreach_add(grads, params, alpha=weight_decay)
    if scheme == "baoa":
        torch._foreach_add_(velocities, grads, alpha=-lr)
        torch._foreach_add_(params, velocities, alpha=0.5)
        torch._foreach_mul_(velocities, 1 - damping)
    else:
        torch._foreach_mul_(velocities, 1 - damping)
        torch._foreach_add_(velocities, grads, alpha=-lr)
    if noise is not None:
        torch._foreach_add_(velocities, noise, alpha=noise_std)
    torch._foreach_add_(params, velocities, alpha=0.5 if scheme == "baoa" else 1)


def scale(tensors, factor) -> None:
    """Multiply every tensor by ``factor``."""
    if tensors:
        torch._foreach_mul_(tensors, factor)


def can_fuse(scheme, params, damping) -> bool:
    """Tell whether torch has its fused SGD, a private function, not for momentum 0, for such contiguous tensors."""
    known = scheme != "baoa" and damping != 1
    return known and hasattr(torch, "_fused_sgd_") and params[0].device.type in ("cpu", "cuda")


def fused(params, grads, velocities, kicks, *, lr, damping, weight_decay) -> None:
    """Take a step of ``"post"`` or ``"gjf"`` in one pass; ``kicks``, the scaled noise, is overwritten.

    SGD with momentum is b <- (1 - damping) b + g, theta <- theta - lr b. With lr = -1 and the kick minus lr times the
    gradient for g, b is the velocity. All tensors are contiguous.
    """
    torch._foreach_add_(kicks, grads, alpha=-lr)
    torch._fused_sgd_(
        params,
        kicks,
        velocities,
        weight_decay=-lr * weight_decay,
        momentum=1 - damping,
        lr=-1.0,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
