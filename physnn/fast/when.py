"""When the hand-written backward passes of layer and loss apply, and what stands in for them where they do not."""

from collections.abc import Callable, Hashable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

Key = ParamSpec("Key")
KEPT = 128  # constants of one kind, at most
PLAIN = (Tensor, nn.Parameter)  # other types stand for something else: fake, distributed, traced

# Private to torch; where one is missing, we behave as if the answer were the cautious one.
_functorch = getattr(torch._C, "_functorch", None)
_transforms_are_active: Callable[[], bool] = getattr(torch._C, "_are_functorch_transforms_active", lambda: True)
_is_batched: Callable[[Tensor], bool] = getattr(_functorch, "is_batchedtensor", lambda _: True)
_is_batched_by_the_old_vmap: Callable[[Tensor], bool] = getattr(_functorch, "is_legacy_batchedtensor", lambda _: True)
_count_modes: Callable[[], int] = getattr(torch._C, "_len_torch_dispatch_stack", lambda: 0)
_is_tracing: Callable[[], bool] = getattr(torch.jit, "is_tracing", lambda: False)


def is_traced() -> bool:
    """Say whether somebody looks on who is to see every operation, or for whom numbers may not be read.

    So do ``torch.compile``, ``torch.export``, the transforms of ``torch.func``, ``torch.jit.trace``, and the modes
    that take each operation for themselves, as ``FakeTensorMode`` and ``make_fx``.
    """
    return torch.compiler.is_compiling() or _transforms_are_active() or _count_modes() > 0 or _is_tracing()


def has_numbers(tensor: Tensor) -> bool:
    """Say whether the numbers of ``tensor`` can be read here and now."""
    return not is_traced() and type(tensor) in PLAIN and not tensor.is_meta


def type_of_autocast(tensor: Tensor) -> torch.dtype | None:
    """Return the type that products of ``tensor`` take in the autocast region that we are in, or None outside."""
    device = tensor.device.type
    if device == "meta" or not torch.is_autocast_enabled(device):  # torch knows no autocast there
        return None
    return torch.get_autocast_dtype(device)


def applies(fused: bool | None, *tensors: Tensor | None) -> bool:
    """Say whether to take the hand-written backward pass for an operation on ``tensors``.

    It is taken unless ``fused`` is False, or nothing here needs a gradient, or somebody looks on (:func:`is_traced`),
    or a tensor is of a type of its own or has no numbers, or takes part in forward-mode differentiation. These cases
    get the composed form, which is the same numbers.
    """
    if fused is False or not torch.is_grad_enabled() or is_traced() or torch.is_inference_mode_enabled():
        return False
    forward_mode = getattr(forward_ad, "_current_level", 0) >= 0
    needed = False
    for tensor in tensors:
        if tensor is None:
            continue
        if type(tensor) not in PLAIN or tensor.is_meta:
            return False
        if forward_mode and forward_ad.unpack_dual(tensor).tangent is not None:
            return False
        needed = needed or tensor.requires_grad
    return needed


def is_batched(grad: Tensor) -> bool:
    """Say whether ``grad`` stands for many, in a vmap over the backward pass: no number can be read from it."""
    return _is_batched(grad) or _is_batched_by_the_old_vmap(grad)


def differentiable_backward(
    composed: Callable[..., Tensor], inputs: Sequence[Any], needed: Sequence[bool], grad: Tensor
) -> tuple[Tensor | None, ...]:
    """Return the gradients of ``composed(*inputs)``, with a graph of their own in grad mode.

    A hand-written backward pass works in place and from what it has kept; the composed form stands in when autograd
    runs it to differentiate it again (``create_graph=True``), or for many gradients together, and where numbers
    overflow.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        out = composed(*inputs)
    wanted = [x for x, need in zip(inputs, needed, strict=True) if need]
    # Computed outside of the autocast region that the first pass may have been in, out can be of a wider type.
    grads = iter(torch.autograd.grad(out, wanted, grad.to(out.dtype), create_graph=again))
    return tuple(next(grads) if need else None for need in needed)


def constant(make: Callable[Key, Tensor]) -> Callable[Key, Tensor]:
    """Keep the constants that ``make`` returns, each by its arguments; but none that a mode has made its own.

    A tensor that was made in fake mode, by ``torch.func`` or in inference mode is of no use outside of it.
    """
    kept: dict[Hashable, Tensor] = {}

    @wraps(make)
    def get(*args: Key.args, **kwargs: Key.kwargs) -> Tensor:
        if is_traced():
            return make(*args, **kwargs)
        found = kept.get(args)
        if found is None:
            found = make(*args, **kwargs)
            if has_numbers(found) and not found.is_inference():
                if len(kept) >= KEPT:
                    kept.clear()
                kept[args] = found
        return found

    return get
