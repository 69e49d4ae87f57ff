"""The loss with its gradient in closed form: one pass forward, one product backward."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function

from physnn.fast.when import constant, differentiable_backward, is_batched
from physnn.field import add_transposed_jump, difference, jump, normalize, spatial_axes
from physnn.labels import subtract_one_hot, subtract_one_hot_on_cpu

Composed = Callable[..., Tensor]
DENSE = {2: 256, 3: 64, 4: 64}  # sites along an axis: up to so many, products with K are quicker than differences
SMALL = 2**13  # values: below, one call for both extremes is quicker than two fast ones
LARGEST = 1e12  # of coefficients, outputs, their inverses: products of three of them and a count are float32 still


def loss(
    phi: Tensor, target: Tensor, options: tuple[Any, ...], dtype: torch.dtype, composed: Composed
) -> Tensor | None:
    """Return the loss, with its gradient in closed form, or None where numbers may overflow on the way.

    Reading numbers is free on a CPU, and a wait for the device elsewhere: there nothing is foreseen.
    """
    quadratic, quartic, spatial, norm, _, outer = options
    if not (abs(quadratic) < LARGEST and abs(quartic) < LARGEST and abs(spatial) < LARGEST):
        return None
    field = phi.detach()
    if not field.is_cpu:
        return AnyLoss.apply(phi, target, _peaks(field, norm), options, dtype, composed)  # type: ignore[no-any-return]
    is_field = target.shape == field.shape
    of_target = _peak(target) if is_field else None
    if is_field and of_target is None:
        return None
    if (
        norm == "batch"
        and outer != "elementwise"
        and field.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
    ):
        peak = _peak(field)  # last: its field is the first to be read again
        if peak is None:
            return None
        return BatchLoss.apply(phi, target, peak, of_target, options, composed)  # type: ignore[no-any-return]
    peaks = _peaks(field, norm)
    low, high = torch.aminmax(peaks)
    if not 1 / LARGEST < low.item() <= high.item() < LARGEST:
        return None
    return AnyLoss.apply(phi, target, peaks, options, dtype, composed)  # type: ignore[no-any-return]


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
    def forward(
        ctx: Any, phi: Tensor, target: Tensor, peak: Tensor, of_target: Tensor | None, options: Any, composed: Composed
    ) -> Tensor:
        quadratic, quartic, spatial, _, boundary, outer = options
        u = phi.contiguous() / peak
        if of_target is None:
            d = subtract_one_hot_on_cpu(u, target)
        else:
            y = target.contiguous().to(u.dtype) / of_target
            d = torch.sub(u, y, out=y)
        flat_u, flat_d = u.view(-1), d.view(-1)
        d2 = flat_d * flat_d
        energy = quadratic * flat_d.dot(flat_d).item() + quartic * d2.dot(d2).item()
        count = u.numel()
        factor = 2 / (count * peak.item())  # from half of the derivative in u to the gradient
        if spatial:
            gradient = _curvature(u, boundary, spatial * factor)
            flat = gradient.view(-1)
            energy += flat_u.dot(flat).item() / factor
            flat.add_(flat_d, alpha=quadratic * factor)
        else:
            gradient = d * (quadratic * factor)
            flat = gradient.view(-1)
        flat.addcmul_(d2, flat_d, value=2 * quartic * factor)
        del d, d2, flat_d  # their memory, in the cache as yet, serves what follows
        along, at_peak = flat.dot(flat_u), _at_peak(flat_u)
        flat.add_(at_peak, alpha=-along.item() / (at_peak.dot(at_peak).item() or 1.0))
        if outer == "abs" and not energy:
            gradient.zero_()
        ctx.save_for_backward(phi, target, gradient)
        ctx.negative = outer == "abs" and energy < 0
        ctx.options, ctx.composed = options, composed
        value = energy / count
        return along.fill_(abs(value) if outer == "abs" else value)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        phi, target, gradient = ctx.saved_tensors
        if torch.is_grad_enabled() or not (is_batched(grad) or math.isfinite(grad.item())):
            inputs, needed = (phi, target, ctx.options, phi.dtype), (True, False, False, False)
            return differentiable_backward(ctx.composed, inputs, needed, grad)[0], None, None, None, None, None
        return gradient * (-grad if ctx.negative else grad), None, None, None, None, None


class AnyLoss(Function):
    r"""The loss of any field with any option, on any device, with its gradient formed beside the value.

    With :math:`u = \varphi/M`, M = max|φ|, N elements, and :math:`w` the derivative of the outer function (1, the sign
    of the mean, or the sign of the integrand):

    .. math::
        g = \frac{\partial L}{\partial u} = \frac wN\bigl(2q_2 d + 4q_4 d^3\bigr)
        + \frac{2q_s}{N} \partial^\top (w\,\partial u), \qquad
        \frac{\partial L}{\partial\varphi} = \frac1M\Bigl(g - \frac{\langle g, u\rangle}{k}\,e\Bigr).

    The maximum is attained at k places, where e is the sign of φ, and 0 elsewhere: ties share, as in autograd.
    """

    @staticmethod
    def forward(
        ctx: Any, phi: Tensor, target: Tensor, peak: Tensor, options: Any, dtype: torch.dtype, composed: Composed
    ) -> Tensor:
        quadratic, quartic, spatial, norm, boundary, outer = options
        count, axes = phi.numel(), tuple(range(phi.dim()) if norm == "batch" else range(1, phi.dim()))
        u = phi.to(peak.dtype) / peak
        d = _deviation(u, target, norm)
        d2 = d * d
        density = (d2 * quadratic).addcmul_(d2, d2, value=quartic)
        gradient = (d * (2 * quadratic / count)).addcmul_(d2, d, value=4 * quartic / count)
        jumps = [(axis, jump(u, axis, boundary)) for axis in (spatial_axes(phi) if spatial else ())]
        for _, step in jumps:
            density.addcmul_(step, step, value=spatial / 4)
        mean = density.mean()
        value: Tensor = mean
        slope: Tensor | float = 1.0
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
        ctx.options, ctx.dtype, ctx.composed = options, dtype, composed
        return value.to(dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        phi, target, gradient, factor = ctx.saved_tensors
        overflown = grad.is_cpu and not is_batched(grad) and not math.isfinite(grad.item())
        if torch.is_grad_enabled() or overflown:
            inputs, needed = (phi, target, ctx.options, ctx.dtype), (True, False, False, False)
            return differentiable_backward(ctx.composed, inputs, needed, grad)[0], None, None, None, None, None
        return (gradient * (factor * grad)).to(phi.dtype), None, None, None, None, None


def _peaks(field: Tensor, norm: str) -> Tensor:
    """Return max|field| over the batch or over each sample, in at least float32, or 1 where that is 0."""
    wide = field.to(torch.promote_types(field.dtype, torch.float32))
    peaks = wide.abs().amax(tuple(range(field.dim()) if norm == "batch" else range(1, field.dim())), keepdim=True)
    return peaks.add_(peaks.logical_not())


def _peak(field: Tensor) -> Tensor | None:
    """Return max|field| over the batch, or 1 where that is 0, or None where it is not of a moderate size."""
    low, high = torch.aminmax(field) if field.numel() <= SMALL else (field.amin(), field.amax())
    peak = low.neg_() if -low.item() > high.item() else high
    size = peak.item()
    if 1 / LARGEST < size < LARGEST:
        return peak
    return peak.fill_(1.0) if size == 0 else None


def _deviation(u: Tensor, target: Tensor, norm: str) -> Tensor:
    """Return d = u - y, with y a field or the one-hot form of labels."""
    if target.shape == u.shape:
        return u - normalize(target.to(u.dtype), norm)
    return subtract_one_hot(u, target)


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


@constant
def _quadratic_form(size: int, boundary: str, dtype: torch.dtype) -> Tensor:
    """Return K with <u, u K> the sum of the squared differences of the rows of u."""
    by_row = difference(torch.eye(size, dtype=torch.float64, device="cpu"), 1, boundary)
    return (by_row @ by_row.T).to(dtype)
