"""The loss with its gradient in closed form: one pass forward, one product backward."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from physnn.field import add_transposed_jump, difference, jump, normalize, spatial_axes
from physnn.fused import differentiable_backward

DENSE = {2: 256, 3: 64, 4: 64}  # sites along an axis: up to so many, products with K are quicker than differences
SMALL = 2**13  # values: below, one call for both extremes is quicker than two fast ones


def choose(phi: Tensor, options: tuple) -> type[Function]:
    """Return the closed form for these inputs: that of sums over the batch, or that of every case."""
    *_, norm, _, outer = options
    # Reading sums back one by one is free on a CPU, and a wait for the device elsewhere.
    full = phi.dtype in (torch.float32, torch.float64) and phi.is_cpu and not torch.is_autocast_enabled("cpu")
    return BatchLoss if full and norm == "batch" and outer != "elementwise" else AnyLoss


class BatchLoss(Function):
    r"""The \|mean\|, or the mean, of a field normalized by the batch, on a CPU.

    The energy needs a few sums, each read from memory once, and no density is formed:

    .. math::
        N L = |q_2 \langle d, d\rangle + q_4 \langle d^2, d^2\rangle + q_s \langle u, K u\rangle|,
        \qquad K = \partial^\top\partial.

    Along short axes K is a matrix: a product with it is one call, and fewer passes than the differences. The gradient
    is that of :class:`AnyLoss`.
    """

    @staticmethod
    def forward(ctx, phi, target, options, composed):
        quadratic, quartic, spatial, _, boundary, outer = options
        low, high = _extremes(phi)
        peak = max(-low.item(), high.item()) or 1.0
        u = phi.contiguous() / peak
        d = _deviation_of_batch(u, target)
        d2 = d * d
        flat_u, flat_d, flat_d2 = u.view(-1), d.view(-1), d2.view(-1)
        energy = quadratic * flat_d.dot(flat_d).item() + quartic * flat_d2.dot(flat_d2).item()
        # Half of the gradient in u, but for N and the sign of the mean.
        if spatial:
            half = _curvature(u, boundary, spatial)
            energy += flat_u.dot(half.view(-1)).item()
            half.add_(d, alpha=quadratic)
        else:
            half = d * quadratic
        half.addcmul_(d2, d, value=2 * quartic)
        del d, d2, flat_d, flat_d2  # their memory, in the cache as yet, serves what follows
        along = half.view(-1).dot(flat_u).item()
        at_peak = _at_peak(u)
        flat = at_peak.view(-1)
        half.sub_(at_peak, alpha=along / (flat.dot(flat).item() or 1.0))
        count = phi.numel()
        slope = 1.0 if outer == "none" else float((energy > 0) - (energy < 0))
        ctx.save_for_backward(phi, target, half)
        ctx.options, ctx.composed, ctx.factor = options, composed, 2 * slope / (count * peak)
        value = energy / count
        return low.fill_(abs(value) if outer == "abs" else value)

    @staticmethod
    def backward(ctx, grad):
        phi, target, half = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = (phi, target, ctx.options)
            return (*differentiable_backward(ctx.composed, inputs, ctx.needs_input_grad[:3], grad), None)
        return half * (grad * ctx.factor), None, None, None


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


def _extremes(field: Tensor) -> tuple[Tensor, Tensor]:
    return torch.aminmax(field) if field.numel() <= SMALL else (field.amin(), field.amax())


def _deviation_of_batch(u: Tensor, target: Tensor) -> Tensor:
    """Return d = u - y, for norm="batch", with numbers read back."""
    if target.shape != u.shape:
        return _deviation(u, target, "batch")
    low, high = _extremes(target)
    y = target.to(u.dtype) / (max(-low.item(), high.item()) or 1.0)
    return torch.sub(u, y, out=y)


def _deviation(u: Tensor, target: Tensor, norm: str) -> Tensor:
    """Return d = u - y, with y a field or the one-hot form of labels."""
    if target.shape == u.shape:
        return u - normalize(target.to(u.dtype), norm)
    return u.scatter_add(1, target.long().unsqueeze(1), _minus_ones(len(u), u.dtype, u.device))


def _curvature(u: Tensor, boundary: str, spatial: float) -> Tensor:
    """Return q K u, with q K u.u the sum of q times the squared central differences along every axis."""
    rows, size = u.shape[-2:]
    if u.dim() == 2 and 1 < size <= DENSE[2]:
        return torch.addmm(u, u, _quadratic_form(size, boundary, u.dtype), beta=0, alpha=spatial)
    lengths = [u.shape[axis] for axis in spatial_axes(u)]
    if 1 < min(lengths) and max(lengths) <= DENSE[u.dim()]:
        flat, planes = u.view(-1, size), u.view(-1, rows, size)
        curvature = torch.addmm(flat, flat, _quadratic_form(size, boundary, u.dtype), beta=0, alpha=spatial)
        if u.dim() == 4:
            by_column = _quadratic_form(rows, boundary, u.dtype).expand(len(planes), rows, rows)
            curvature.view(planes.shape).baddbmm_(by_column, planes, alpha=spatial)
        return curvature.view(u.shape)
    curvature = torch.zeros_like(u)
    for axis in spatial_axes(u):
        add_transposed_jump(curvature, jump(u, axis, boundary), axis, boundary, spatial / 4)
    return curvature


def _at_peak(u: Tensor) -> Tensor:
    """Keep u where it is 1 or -1, where |phi| is the maximum: elsewhere it is smaller by a rounding at least."""
    return F.hardshrink(u, 1 - torch.finfo(u.dtype).eps / 2)


@lru_cache
def _minus_ones(count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.full((1, 1), -1.0, dtype=dtype, device=device).expand(count, 1)


@lru_cache
def _quadratic_form(size: int, boundary: str, dtype: torch.dtype) -> Tensor:
    """Return K with <u, u K> the sum of the squared differences of the rows of u."""
    by_row = difference(torch.eye(size, dtype=torch.float64), 1, boundary)
    return (by_row @ by_row.T).to(dtype)
