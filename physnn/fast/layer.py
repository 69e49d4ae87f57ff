"""The layer with its gradient in closed form, in few passes over few tensors."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from physnn.fast.when import differentiable_backward, is_batched

LARGEST_SUM = 1e38  # that a float32 holds, with a little to spare
LARGEST = 1e12  # of cosh 5 beta, and of t times a gate: their product and an input are float32 still


def can_fuse(x: Tensor, weight: Tensor, beta: Tensor, t: Tensor, bias: Tensor | None, gate: str | float) -> bool:
    """Tell whether the closed form knows the case: a CPU, where reading a number back is free, and one type for all.

    Where beta is not trained, autograd may have less to do. Where numbers may overflow, the two forms would do so in
    different places.
    """
    dtype = x.dtype
    return (
        beta.requires_grad
        and dtype in (torch.float32, torch.float64)
        and dtype == weight.dtype == beta.dtype == t.dtype
        and (bias is None or bias.dtype == dtype)
        and x.is_cpu
        and not torch.is_autocast_enabled("cpu")
        and abs(5 * beta.item()) < math.log(LARGEST)
        and (1 + abs(t.item())) * _size(gate) < LARGEST
    )


class FusedDynamicLinear(Function):
    r"""The map of :class:`physnn.DynamicLinear` for x of shape (B, n), with its gradient, on a CPU.

    ``reach`` is what the position is at most, or None to look.

    With :math:`C, S = \cosh 5\beta, \sinh 5\beta`, the scale :math:`s = aC + t\sigma S` of each sample,
    :math:`z = s \odot x`, :math:`g = \partial L/\partial\varphi`, :math:`h = gW_0`, :math:`u = h \odot x`, and
    :math:`r` the sum of u of each sample:

    .. math::
        \partial_{W_0} &= g^\top z, & \partial_x &= h \odot s + \tfrac{tS}{n}\,\sigma(1 - \sigma)\,r, &
        \partial_a &= C \textstyle\sum u, \\
        \partial_\beta &= 5\,(S \textstyle\sum u \cdot a + tC \sum \sigma r), &
        \partial_t &= S \textstyle\sum \sigma r, & \partial_b &= \textstyle\sum g,

    where the sums run over the batch. Kept for it is x alone, as in a linear layer: s and z are made anew in the
    buffers of u and h, which are in the cache. Where a number of the backward pass may overflow, autograd stands in.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        beta: Tensor,
        t: Tensor,
        position: Tensor,
        bias: Tensor | None,
        gate: str | float,
        reach: float | None,
        composed: Callable[..., Tensor],
    ) -> Tensor:
        rapidity = 5 * beta.item()
        cosh, sinh = math.cosh(rapidity), math.sinh(rapidity)
        opening = torch.sigmoid(x.mean(1, keepdim=True)) if gate == "input" else x.new_full((len(x), 1), float(gate))
        base = position * cosh
        z = torch.add(base, opening, alpha=t.item() * sinh).mul_(x)
        ctx.save_for_backward(x, weight, beta, t, position, bias, opening, base)
        ctx.numbers, ctx.gate, ctx.composed = (cosh, sinh, t.item()), gate, composed
        ctx.reach = _norm(position) if reach is None else reach
        return z.mm(weight.t()) if bias is None else torch.addmm(bias, z, weight.t())

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        if torch.is_autocast_enabled("cpu"):  # since after the forward pass, or this would be the composed form
            with torch.autocast("cpu", enabled=False):
                return FusedDynamicLinear.backward(ctx, grad)
        x, weight, beta, t, position, bias, opening, base = ctx.saved_tensors
        needed = ctx.needs_input_grad
        inputs = (x, weight, beta, t, position, bias, ctx.gate)
        if torch.is_grad_enabled() or is_batched(grad):
            return (*differentiable_backward(ctx.composed, inputs, needed[:7], grad), None, None)
        by_x = by_weight = by_position = None
        cosh, sinh, time = ctx.numbers
        h = grad.mm(weight)
        u = h * x if needed[0] else h.mul_(x)
        # Of every number below, and in autograd's way to it: a sum over u, times factors of an input and of the layer.
        factors = 5 * cosh * cosh * (1 + ctx.reach) * (1 + abs(time)) * _size(ctx.gate)
        if not _norm(u) * math.sqrt(u.numel()) * factors < LARGEST_SUM:
            return (*differentiable_backward(ctx.composed, inputs, needed[:7], grad), None, None)
        r, column = u.sum(1, keepdim=True), u.sum(0)
        gated = opening.view(-1).dot(r.view(-1)).item()
        along = column.dot(position).item()
        by_beta = beta.new_full(beta.shape, 5 * (sinh * along + time * cosh * gated))
        by_t = t.new_full(t.shape, sinh * gated)
        if needed[4]:
            by_position = column.mul_(cosh)
        scale = torch.add(base, opening, alpha=time * sinh, out=u)
        if needed[0] and ctx.gate == "input":
            shift = torch.ops.aten.sigmoid_backward(r, opening).mul_(time * sinh / x.shape[1])
            by_x = torch.addcmul(shift, h, scale, out=h)
        elif needed[0]:
            by_x = h.mul_(scale)
        if needed[1]:
            by_weight = grad.t().mm(torch.mul(scale, x, out=u))
        by_bias = grad.sum(0) if needed[5] else None
        return by_x, by_weight, by_beta, by_t, by_position, by_bias, None, None, None


def _size(gate: str | float) -> float:
    """Return what the gate is at most, or 1 where it is less."""
    return 1.0 if isinstance(gate, str) else max(1.0, abs(gate))


def _norm(x: Tensor) -> float:
    """Return the Euclidean norm, or infinity or NaN where it overflows on the way."""
    flat = x.view(-1)
    return math.sqrt(flat.dot(flat).item())
