"""The loss with its gradient in closed form: one pass forward, one product backward."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from physnn.field import add_transposed_jump, difference, jump, normalize, spatial_axes
from physnn.fused import differentiable_backward


def choose(phi: Tensor, target: Tensor, options: tuple) -> type[Function]:
    """Return the closed form for these inputs: that of class outputs, or that of any field."""
    *_, norm, _, outer = options
    plain = phi.dim() == 2 and target.dim() == 1 and norm == "batch" and outer != "elementwise"
    # Reading sums back one by one is free on a CPU, and a wait for the device elsewhere.
    full = phi.dtype in (torch.float32, torch.float64) and phi.device.type == "cpu"
    return ClassLoss if plain and full and phi.shape[1] <= 256 else FieldLoss


class ClassLoss(Function):
    r"""The loss of class outputs (B, C) against labels, on a CPU, normalized by the batch.

    A batch of ten outputs a sample is small: the time is that of the calls, so their number is what counts. The
    energy needs three sums, and the spatial term is a quadratic form,

    .. math::
        N L = |q_2 \langle d, d\rangle + q_4 \langle d^2, d^2\rangle + q_s \langle u, u K\rangle|, \qquad K = D D^\top,

    where :math:`u D` is the central difference of the rows. The gradient is that of :class:`FieldLoss`.
    """

    @staticmethod
    def forward(ctx, phi, target, options, composed):
        quadratic, quartic, spatial, _, boundary, outer = options
        low, high = torch.aminmax(phi)
        peak = max(-low.item(), high.item()) or 1.0
        u = phi.contiguous() / peak
        d = u.scatter_add(1, target.long().unsqueeze(1), _minus_one(u.dtype).expand(len(u), 1))
        d2 = d * d
        flat_u, flat_d2 = u.view(-1), d2.view(-1)
        energy = quadratic * d2.sum().item() + quartic * flat_d2.dot(flat_d2).item()
        if spatial:
            smooth = u.mm(_quadratic_form(phi.shape[1], boundary, u.dtype))
            energy += spatial * flat_u.dot(smooth.view(-1)).item()
        count = phi.numel()
        slope = 1.0 if outer == "none" else float((energy > 0) - (energy < 0))
        gradient = d2.mul_(4 * quartic * slope / count).add_(2 * quadratic * slope / count).mul_(d)
        if spatial:
            gradient.add_(smooth, alpha=2 * spatial * slope / count)
        along = gradient.view(-1).dot(flat_u).item()
        at_peak = F.hardshrink(u, 1 - torch.finfo(u.dtype).eps / 2)
        ties = at_peak.view(-1).dot(at_peak.view(-1)).item() or 1.0
        gradient.sub_(at_peak, alpha=along / ties)
        ctx.save_for_backward(phi, target, gradient)
        ctx.options, ctx.composed, ctx.peak = options, composed, peak
        value = energy / count
        return low.fill_(abs(value) if outer == "abs" else value)

    @staticmethod
    def backward(ctx, grad):
        phi, target, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = (phi, target, ctx.options)
            return (*differentiable_backward(ctx.composed, inputs, ctx.needs_input_grad[:3], grad), None)
        return gradient * (grad / ctx.peak), None, None, None


class FieldLoss(Function):
    r"""The loss of any field, with its gradient formed beside the value.

    With :math:`u = \varphi/M`, M = max|φ|, N elements, the difference :math:`\partial = D/2`, and :math:`w` the
    derivative of the outer function (1, the sign of the mean, or the sign of the integrand):

    .. math::
        G = \frac{\partial L}{\partial u} = \frac wN\bigl(2q_2 d + 4q_4 d^3\bigr) + \frac{q_s}{2N} D^\top (w\,Du),
        \qquad \frac{\partial L}{\partial\varphi} = \frac1M\Bigl(G - \frac{\langle G, u\rangle}{k}\,e\Bigr).

    The maximum is attained at k places, where e is the sign of φ, and 0 elsewhere: ties share, as in autograd.
    """

    @staticmethod
    def forward(ctx, phi, target, options, composed):
        quadratic, quartic, spatial, norm, boundary, outer = options
        wide = phi.to(torch.promote_types(phi.dtype, torch.float32))
        count, axes = phi.numel(), tuple(range(phi.dim()) if norm == "batch" else range(1, phi.dim()))
        peak = wide.abs().amax(axes, keepdim=True)
        peak.add_(peak.logical_not())
        u = wide / peak
        if target.shape == phi.shape:
            d = u - normalize(target.to(u.dtype), norm)
        else:
            minus_one = u.new_full((1, 1), -1.0).expand(len(u), 1)
            d = u.scatter_add(1, target.long().unsqueeze(1), minus_one)
        d2 = d * d
        density = (d2 * quadratic).addcmul_(d2, d2, value=quartic)
        gradient = (d * (2 * quadratic / count)).addcmul_(d2, d, value=4 * quartic / count)
        jumps = [(axis, jump(u, axis, boundary)) for axis in (spatial_axes(phi) if spatial else ())]
        for _, step in jumps:
            density.addcmul_(step, step, value=spatial / 4)
        mean = density.mean()
        value, slope = mean, 1.0
        if outer == "abs":
            value, slope = mean.abs(), mean.sign()
        elif outer == "elementwise":
            sign = density.sign()
            value = density.mul_(sign).mean()
            gradient.mul_(sign)
            for _, step in jumps:
                step.mul_(sign)
        for axis, step in jumps:
            add_transposed_jump(gradient, step, axis, boundary, spatial / (2 * count))
        # |u| is exactly 1 where |phi| is the maximum, and by at least a rounding smaller elsewhere.
        at_peak = F.hardshrink(u, 1 - torch.finfo(u.dtype).eps / 2)
        ties = at_peak.square().sum(axes, keepdim=True).clamp_(min=1)
        share = u.mul_(gradient).sum(axes, keepdim=True).div_(ties)
        gradient.addcmul_(at_peak, share, value=-1)
        ctx.save_for_backward(phi, target, gradient, slope / peak)
        ctx.options, ctx.composed = options, composed
        return value.to(phi.dtype)

    @staticmethod
    def backward(ctx, grad):
        phi, target, gradient, factor = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = (phi, target, ctx.options)
            return (*differentiable_backward(ctx.composed, inputs, ctx.needs_input_grad[:3], grad), None)
        return (gradient * (factor * grad)).to(phi.dtype), None, None, None


@lru_cache
def _minus_one(dtype: torch.dtype) -> Tensor:
    return torch.full((1, 1), -1.0, dtype=dtype)


@lru_cache
def _quadratic_form(size: int, boundary: str, dtype: torch.dtype) -> Tensor:
    """Return K with <u, u K> the sum of the squared differences of the rows of u."""
    by_row = difference(torch.eye(size, dtype=torch.float64), 1, boundary)
    return (by_row @ by_row.T).to(dtype)
