"""The loss with its gradient in closed form: one pass forward, one product backward."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from physnn.field import add_transposed_jump, difference, jump, normalize, spatial_axes
from physnn.fused import differentiable_backward

SMALL = 2**13  # values: below, one call for both extremes is quicker than two fast ones


def choose(phi: Tensor, options: tuple) -> type[Function]:
    """Return the closed form for these inputs: that of sums over the batch, or that of every case."""
    *_, norm, _, outer = options
    # Reading sums back one by one is free on a CPU, and a wait for the device elsewhere.
    full = phi.dtype in (torch.float32, torch.float64) and phi.device.type == "cpu"
    return BatchLoss if full and norm == "batch" and outer != "elementwise" else AnyLoss


class BatchLoss(Function):
    r"""The \|mean\|, or the mean, of a field normalized by the batch, on a CPU.

    The energy needs a few sums, each read from memory once, and no density is formed:

    .. math::
        N L = |q_2 \langle d, d\rangle + q_4 \langle d^2, d^2\rangle + q_s \langle u, K u\rangle|,
        \qquad K = \partial^\top\partial.

    A batch of ten outputs a sample is so small that the number of calls counts: there K is a matrix. The gradient is
    that of :class:`AnyLoss`.
    """

    @staticmethod
    def forward(ctx, phi, target, options, composed):
        quadratic, quartic, spatial, norm, boundary, outer = options
        low, high = torch.aminmax(phi) if phi.numel() <= SMALL else (phi.amin(), phi.amax())
        peak = max(-low.item(), high.item()) or 1.0
        u = phi.contiguous() / peak
        d = _deviation(u, target, norm)
        d2 = d * d
        flat_u, flat_d2 = u.view(-1), d2.view(-1)
        energy = quadratic * d2.sum().item() + quartic * flat_d2.dot(flat_d2).item()
        if spatial:
            smooth = _curvature(u, boundary)
            energy += spatial * flat_u.dot(smooth.view(-1)).item()
        count = phi.numel()
        slope = 1.0 if outer == "none" else float((energy > 0) - (energy < 0))
        gradient = d2.mul_(4 * quartic * slope / count).add_(2 * quadratic * slope / count).mul_(d)
        if spatial:
            gradient.add_(smooth, alpha=2 * spatial * slope / count)
        along = gradient.view(-1).dot(flat_u).item()
        at_peak = _at_peak(u)
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


class AnyLoss(Function):
    r"""The loss of any field with any option, on any device, with its gradient formed beside the value.

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
        d = _deviation(u, target, norm)
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
        at_peak = _at_peak(u)
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


def _deviation(u: Tensor, target: Tensor, norm: str) -> Tensor:
    """Return d = u - y, with y a field or the one-hot form of labels."""
    if target.shape == u.shape:
        return u - normalize(target.to(u.dtype), norm)
    minus_one = _minus_one(u.dtype, u.device).expand(len(u), 1)
    return u.scatter_add(1, target.long().unsqueeze(1), minus_one)


def _curvature(u: Tensor, boundary: str) -> Tensor:
    """Return K u, the sum over the axes of the squared central difference's derivative by u / 2."""
    if u.dim() == 2 and u.shape[1] <= 256:
        return u.mm(_quadratic_form(u.shape[1], boundary, u.dtype))
    curvature = torch.zeros_like(u)
    for axis in spatial_axes(u):
        add_transposed_jump(curvature, jump(u, axis, boundary), axis, boundary, 0.25)
    return curvature


def _at_peak(u: Tensor) -> Tensor:
    """Keep u where it is 1 or -1, where |phi| is the maximum: elsewhere it is smaller by a rounding at least."""
    return F.hardshrink(u, 1 - torch.finfo(u.dtype).eps / 2)


@lru_cache
def _minus_one(dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.full((1, 1), -1.0, dtype=dtype, device=device)


@lru_cache
def _quadratic_form(size: int, boundary: str, dtype: torch.dtype) -> Tensor:
    """Return K with <u, u K> the sum of the squared differences of the rows of u."""
    by_row = difference(torch.eye(size, dtype=torch.float64), 1, boundary)
    return (by_row @ by_row.T).to(dtype)
