"""When the hand-written backward passes of layer and loss apply, and what stands in for them where they do not."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad


def applies(fused: bool | None, *tensors: Tensor | None) -> bool:
    """Say whether to take the hand-written backward pass for an operation on ``tensors``.

    It is taken unless ``fused`` is False, or nothing here needs a gradient, or somebody differentiates the operation
    in a way of their own: ``torch.compile``, the transforms of ``torch.func``, and forward mode. They get the
    composed form, which is the same numbers.
    """
    if fused is False or torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    given = [tensor for tensor in tensors if tensor is not None]
    if not (torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)):
        return False
    return all(forward_ad.unpack_dual(tensor).tangent is None for tensor in given)


def is_batched(grad: Tensor) -> bool:
    """Say whether ``grad`` stands for many, in a vmap over the backward pass: no number can be read from it."""
    return torch._C._functorch.is_batchedtensor(grad) or torch._C._functorch.is_legacy_batchedtensor(grad)


def differentiable_backward(
    composed: Callable[..., Tensor], inputs: Sequence, needed: Sequence[bool], grad: Tensor
) -> tuple[Tensor | None, ...]:
    """Return the gradients of ``composed(*inputs)``, with a graph of their own in grad mode.

    A hand-written backward pass works in place and from what it has kept; when autograd runs it to differentiate it
    again (``create_graph=True``), or for many gradients together, the composed form stands in.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        out = composed(*inputs)
    wanted = [x for x, need in zip(inputs, needed, strict=True) if need]
    # Computed outside of the autocast region that the first pass may have been in, out can be of a wider type.
    grads = iter(torch.autograd.grad(out, wanted, grad.to(out.dtype), create_graph=again))
    return tuple(next(grads) if need else None for need in needed)
