"""The Ginzburg-Landau loss of the post: a quadratic, a quartic and a spatial term of normalized outputs."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from physnn import fused as fused_form

NORMS = ("batch", "sample")
BOUNDARIES = ("periodic", "zero", "replicate", "one-sided")
OUTERS = ("abs", "none", "elementwise")


class GinzburgLandauLoss(nn.Module):
    r"""The distance of a normalized Ginzburg-Landau energy from zero.

    .. math::
        L(\varphi, y) = \Bigl|\operatorname{mean}\bigl(q_2 d^2 + q_4 d^4 + q_s\,|\partial\varphi_n|^2\bigr)\Bigr|,
        \qquad d = \varphi_n - y_n, \quad \varphi_n = \varphi / \max|\varphi|, \quad y_n = y / \max|y|

    Every coefficient carries its own sign: the minus that the post prints before the quartic term is
    ``quartic=-5.0``. The loss does not change when :math:`\varphi` is multiplied by a positive number.

    Args:
        quadratic: :math:`q_2`, the post's :math:`\alpha`.
        quartic: :math:`q_4`, minus the post's :math:`\gamma`.
        spatial: :math:`q_s`, the 0.5 of the post's formula.
        norm: the maximum runs over the whole ``"batch"`` (the formula as printed) or over each ``"sample"``.
        boundary: what the central difference :math:`(\varphi_{i+1} - \varphi_{i-1})/2` sees beyond the ends:
            ``"periodic"`` (the printed difference holds at every index without values from outside),
            ``"zero"``, ``"replicate"`` (the end value again) or ``"one-sided"`` (a one-step difference
            at the ends, as :func:`torch.gradient`).
        outer: ``"abs"`` is \|mean\| (the post), ``"none"`` the signed mean, the energy itself, and
            ``"elementwise"`` the mean of \|integrand\|.
        fused: the gradient from its closed form, beside the value (True, and None), or from autograd (False): the
            same numbers. Under ``torch.compile``, ``torch.func``, forward-mode differentiation, and with a target
            that needs a gradient, it is always autograd's.

    Shape:
        - phi: (B, C), differentiated along C; (B, C, L), along L; or (B, C, H, W), along H and W, where
          :math:`|\partial\varphi|^2` is the sum over both axes. Spacing is one index.
        - target: class indices (B,) with phi (B, C), made one-hot; or a field of phi's shape.
        - result: a scalar of phi's type, computed in at least float32.

    A phi (or a sample of it, with ``norm="sample"``) that is zero everywhere has no normalization, 0/0; it
    is left as it is: :math:`\varphi_n = 0`, and loss and gradient are finite. Zero targets likewise.

    Raises:
        ValueError: an option is unknown, a coefficient not finite, a shape wrong, the batch empty, or a
            label outside the classes.
        TypeError: phi or a field is not floating point.

    Source: the post, "The Custom Loss Function", its formula read literally.
    """

    def __init__(
        self,
        quadratic: float = 0.0035,
        quartic: float = -5.0,
        spatial: float = 0.5,
        *,
        norm: str = "batch",
        boundary: str = "periodic",
        outer: str = "abs",
        fused: bool | None = None,
    ) -> None:
        super().__init__()
        self.fused = fused
        self.options = {
            "quadratic": float(quadratic),
            "quartic": float(quartic),
            "spatial": float(spatial),
            "norm": norm,
            "boundary": boundary,
            "outer": outer,
        }
        _check_options(**self.options)

    def forward(self, phi: Tensor, target: Tensor) -> Tensor:
        """Return the loss of ``phi`` against ``target``, a scalar."""
        return _loss(phi, target, tuple(self.options.values()), self.fused)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.options.items())


def ginzburg_landau_loss(
    phi: Tensor,
    target: Tensor,
    quadratic: float = 0.0035,
    quartic: float = -5.0,
    spatial: float = 0.5,
    *,
    norm: str = "batch",
    boundary: str = "periodic",
    outer: str = "abs",
    fused: bool | None = None,
) -> Tensor:
    """Return the loss of :class:`GinzburgLandauLoss`, a scalar; arguments, shapes and errors are those of the class."""
    options = (quadratic, quartic, spatial, norm, boundary, outer)
    _check_options(*options)
    return _loss(phi, target, options, fused)


def ginzburg_landau_density(
    phi: Tensor,
    target: Tensor,
    quadratic: float = 0.0035,
    quartic: float = -5.0,
    spatial: float = 0.5,
    *,
    norm: str = "batch",
    boundary: str = "periodic",
) -> Tensor:
    r"""Return the integrand :math:`q_2 d^2 + q_4 d^4 + q_s |\partial\varphi_n|^2`, of phi's shape, in at least float32.

    Arguments, shapes and errors are those of :class:`GinzburgLandauLoss`.
    """
    _check_options(quadratic, quartic, spatial, norm, boundary)
    _check_input(phi, target)
    return _density(phi, target, quadratic, quartic, spatial, norm, boundary)


def _loss(phi: Tensor, target: Tensor, options: tuple, fused: bool | None) -> Tensor:
    _check_input(phi, target)
    if fused_form.applies(fused, phi, target) and not target.requires_grad:
        return _GinzburgLandau.apply(phi, target, options)
    return _composed(phi, target, options)


def _composed(phi: Tensor, target: Tensor, options: tuple) -> Tensor:
    """Average the integrand: the readable form."""
    *options, outer = options
    density = _density(phi, target, *options)
    if outer == "elementwise":
        return density.abs().mean().to(phi.dtype)
    energy = density.mean()
    return (energy.abs() if outer == "abs" else energy).to(phi.dtype)


def _density(
    phi: Tensor, target: Tensor, quadratic: float, quartic: float, spatial: float, norm: str, boundary: str
) -> Tensor:
    axes = _spatial_axes(phi)
    if target.shape != phi.shape:
        target = F.one_hot(target.long(), phi.shape[1])
    phi = _normalize(phi.to(torch.promote_types(phi.dtype, torch.float32)), norm)
    d2 = (phi - _normalize(target.to(phi.dtype), norm)).square()
    density = d2 * (quadratic + quartic * d2)
    if spatial:
        density = density + spatial * sum(_difference(phi, axis, boundary).square() for axis in axes)
    return density


class _GinzburgLandau(Function):
    r"""The same loss, with its gradient formed beside the value.

    With :math:`u = \varphi/M`, M = max|φ|, N elements, the difference :math:`\partial = D/2`, and :math:`w` the
    derivative of the outer function (1, the sign of the mean, or the sign of the integrand):

    .. math::
        G = \frac{\partial L}{\partial u} = \frac wN\bigl(2q_2 d + 4q_4 d^3\bigr) + \frac{q_s}{2N} D^\top (w\,Du),
        \qquad \frac{\partial L}{\partial\varphi} = \frac1M\Bigl(G - \frac{\langle G, u\rangle}{k}\,e\Bigr).

    The maximum is attained at k places, where e is the sign of φ, and 0 elsewhere: ties share, as in autograd.
    """

    @staticmethod
    def forward(ctx, phi, target, options):
        quadratic, quartic, spatial, norm, boundary, outer = options
        wide = phi.to(torch.promote_types(phi.dtype, torch.float32))
        count, axes = phi.numel(), tuple(range(phi.dim()) if norm == "batch" else range(1, phi.dim()))
        peak = wide.abs().amax(axes, keepdim=True)
        peak.add_(peak.logical_not())
        u = wide / peak
        if target.shape == phi.shape:
            d = u - _normalize(target.to(u.dtype), norm)
        else:
            minus_one = u.new_full((1, 1), -1.0).expand(len(u), 1)
            d = u.scatter_add(1, target.long().unsqueeze(1), minus_one)
        d2 = d * d
        density = (d2 * quadratic).addcmul_(d2, d2, value=quartic)
        gradient = (d * (2 * quadratic / count)).addcmul_(d2, d, value=4 * quartic / count)
        # Short rows on a ring: gathering the neighbours is cheaper than padding.
        ring = _neighbours(phi.shape[1], phi.device) if phi.dim() == 2 and boundary == "periodic" else None
        if spatial and ring:
            jumps = [(1, u.index_select(1, ring[0]).sub_(u.index_select(1, ring[1])))]
        else:
            jumps = [(axis, _jump(u, axis, boundary)) for axis in (_spatial_axes(phi) if spatial else ())]
        for _, jump in jumps:
            density.addcmul_(jump, jump, value=spatial / 4)
        mean = density.mean()
        value, slope = mean, 1.0
        if outer == "abs":
            value, slope = mean.abs(), mean.sign()
        elif outer == "elementwise":
            sign = density.sign()
            value = density.mul_(sign).mean()
            gradient.mul_(sign)
            for _, jump in jumps:
                jump.mul_(sign)
        for axis, jump in jumps:
            if ring:
                back = jump.index_select(1, ring[1]).sub_(jump.index_select(1, ring[0]))
                gradient.add_(back, alpha=spatial / (2 * count))
            else:
                _add_transposed_jump(gradient, jump, axis, boundary, spatial / (2 * count))
        # |u| is exactly 1 where |phi| is the maximum, and by at least a rounding smaller elsewhere.
        at_peak = F.hardshrink(u, 1 - torch.finfo(u.dtype).eps / 2)
        ties = at_peak.square().sum(axes, keepdim=True).clamp_(min=1)
        share = u.mul_(gradient).sum(axes, keepdim=True).div_(ties)
        gradient.addcmul_(at_peak, share, value=-1)
        ctx.save_for_backward(phi, target, gradient, slope / peak)
        ctx.options = options
        return value.to(phi.dtype)

    @staticmethod
    def backward(ctx, grad):
        phi, target, gradient, factor = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = (phi, target, ctx.options)
            return fused_form.differentiable_backward(_composed, inputs, ctx.needs_input_grad, grad)
        return (gradient * (factor * grad)).to(phi.dtype), None, None


def _normalize(field: Tensor, norm: str) -> Tensor:
    """Divide by max|field| over the batch or over each sample; where that is 0, by 1."""
    axes = tuple(range(field.dim())) if norm == "batch" else tuple(range(1, field.dim()))
    peak = field.abs().amax(axes, keepdim=True)
    return field / torch.where(peak > 0, peak, 1.0)


def _spatial_axes(phi: Tensor) -> tuple[int, ...]:
    return (1,) if phi.dim() == 2 else tuple(range(2, phi.dim()))


def _difference(field: Tensor, axis: int, boundary: str) -> Tensor:
    """Return the central difference (f[i+1] - f[i-1]) / 2 along ``axis``, at every index."""
    return _jump(field, axis, boundary) / 2


def _jump(field: Tensor, axis: int, boundary: str) -> Tensor:
    """Return D f, f[i+1] - f[i-1] along ``axis``, with what the boundary rule puts beyond the ends."""
    size = field.shape[axis]
    if boundary == "one-sided" and size < 2:
        raise ValueError(f"boundary='one-sided' needs at least two indices along each axis, got {tuple(field.shape)}")
    first, last = field.narrow(axis, 0, 1), field.narrow(axis, -1, 1)
    if boundary == "periodic":
        before, after = last, first
    elif boundary == "zero":
        before, after = torch.zeros_like(first), torch.zeros_like(last)
    elif boundary == "replicate":
        before, after = first, last
    else:  # one-sided: linear extrapolation by one step makes the central difference a one-step difference
        before, after = 2 * first - field.narrow(axis, 1, 1), 2 * last - field.narrow(axis, -2, 1)
    padded = torch.cat([before, field, after], axis)
    return padded.narrow(axis, 2, size) - padded.narrow(axis, 0, size)


def _add_transposed_jump(out: Tensor, field: Tensor, axis: int, boundary: str, alpha: float) -> None:
    """Add alpha Dᵀ f to ``out``: f[i-1] - f[i+1], with what transposing the boundary rule puts beyond the ends."""
    size = field.shape[axis]
    first, last = field.narrow(axis, 0, 1), field.narrow(axis, -1, 1)
    if boundary == "periodic":
        parts = [last, field, first]
    elif boundary == "zero":
        parts = [torch.zeros_like(first), field, torch.zeros_like(last)]
    elif boundary == "replicate":
        parts = [-first, field, -last]
    else:
        parts = [-2 * first, 2 * first, field.narrow(axis, 1, size - 2), 2 * last, -2 * last]
    padded = torch.cat(parts, axis)
    out.add_(padded.narrow(axis, 0, size), alpha=alpha).sub_(padded.narrow(axis, 2, size), alpha=alpha)


@lru_cache
def _neighbours(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the indices i+1 and i-1 on a ring of ``size``."""
    index = torch.arange(size, device=device)
    return index.roll(-1), index.roll(1)


def _check_input(phi: Tensor, target: Tensor) -> None:
    if not phi.is_floating_point():
        raise TypeError(f"phi must be floating point, got {phi.dtype}")
    if phi.dim() not in (2, 3, 4):
        raise ValueError(f"phi must have shape (B, C), (B, C, L) or (B, C, H, W), got {tuple(phi.shape)}")
    if phi.numel() == 0:
        raise ValueError(f"phi is empty: shape {tuple(phi.shape)}; the mean over nothing is undefined")
    if target.shape == phi.shape:
        if not target.is_floating_point():
            raise TypeError(f"a target of phi's shape is a field and must be floating point, got {target.dtype}")
        return
    if phi.dim() != 2 or target.shape != phi.shape[:1]:
        raise ValueError(
            f"target must be a field of phi's shape {tuple(phi.shape)} or, for phi of shape (B, C), "
            f"class indices of shape (B,); got {tuple(target.shape)}"
        )
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise TypeError(f"class indices must be integers, got {target.dtype}")
    low, high = (int(edge) for edge in torch.aminmax(target))
    if low < 0 or high >= phi.shape[1]:
        raise ValueError(f"class indices must lie in 0..{phi.shape[1] - 1}, got {low}..{high}")


def _check_options(
    quadratic: float, quartic: float, spatial: float, norm: str, boundary: str, outer: str = "none"
) -> None:
    for name, value in (("quadratic", quadratic), ("quartic", quartic), ("spatial", spatial)):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
    for name, value, known in (("norm", norm, NORMS), ("boundary", boundary, BOUNDARIES), ("outer", outer, OUTERS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
