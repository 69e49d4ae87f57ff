"""The Ginzburg-Landau loss of the post: a quadratic, a quartic and a spatial term of normalized outputs."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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
    ) -> None:
        super().__init__()
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
        return ginzburg_landau_loss(phi, target, **self.options)

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
) -> Tensor:
    """Return the loss of :class:`GinzburgLandauLoss`, a scalar; arguments, shapes and errors are those of the class."""
    _check_options(quadratic, quartic, spatial, norm, boundary, outer)
    density = ginzburg_landau_density(phi, target, quadratic, quartic, spatial, norm=norm, boundary=boundary)
    if outer == "elementwise":
        return density.abs().mean().to(phi.dtype)
    energy = density.mean()
    return (energy.abs() if outer == "abs" else energy).to(phi.dtype)


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
    target = _as_field(phi, target)
    phi = _normalize(phi.to(torch.promote_types(phi.dtype, torch.float32)), norm)
    d2 = (phi - _normalize(target.to(phi.dtype), norm)).square()
    density = d2 * (quadratic + quartic * d2)
    if spatial:
        if boundary == "one-sided" and min(phi.shape[1 if phi.dim() == 2 else 2 :]) < 2:
            raise ValueError(f"boundary='one-sided' needs at least two indices along each axis, got {tuple(phi.shape)}")
        axes = (1,) if phi.dim() == 2 else tuple(range(2, phi.dim()))
        density = density + spatial * sum(_difference(phi, axis, boundary).square() for axis in axes)
    return density


def _normalize(field: Tensor, norm: str) -> Tensor:
    """Divide by max|field| over the batch or over each sample; where that is 0, by 1."""
    axes = tuple(range(field.dim())) if norm == "batch" else tuple(range(1, field.dim()))
    peak = field.abs().amax(axes, keepdim=True)
    return field / torch.where(peak > 0, peak, 1.0)


def _difference(field: Tensor, axis: int, boundary: str) -> Tensor:
    """Return the central difference (f[i+1] - f[i-1]) / 2 along ``axis``, at every index."""
    if boundary == "periodic":
        return (field.roll(-1, axis) - field.roll(1, axis)) / 2
    first, last = field.narrow(axis, 0, 1), field.narrow(axis, -1, 1)
    if boundary == "zero":
        before, after = torch.zeros_like(first), torch.zeros_like(last)
    elif boundary == "replicate":
        before, after = first, last
    else:  # one-sided: linear extrapolation by one step makes the central difference a one-step difference
        before, after = 2 * first - field.narrow(axis, 1, 1), 2 * last - field.narrow(axis, -2, 1)
    padded = torch.cat([before, field, after], axis)
    size = field.shape[axis]
    return (padded.narrow(axis, 2, size) - padded.narrow(axis, 0, size)) / 2


def _as_field(phi: Tensor, target: Tensor) -> Tensor:
    """Check phi and target; return the target as a field of phi's shape."""
    if not phi.is_floating_point():
        raise TypeError(f"phi must be floating point, got {phi.dtype}")
    if phi.dim() not in (2, 3, 4):
        raise ValueError(f"phi must have shape (B, C), (B, C, L) or (B, C, H, W), got {tuple(phi.shape)}")
    if phi.numel() == 0:
        raise ValueError(f"phi is empty: shape {tuple(phi.shape)}; the mean over nothing is undefined")
    if target.shape == phi.shape:
        if not target.is_floating_point():
            raise TypeError(f"a target of phi's shape is a field and must be floating point, got {target.dtype}")
        return target
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
    return F.one_hot(target.long(), phi.shape[1])


def _check_options(
    quadratic: float, quartic: float, spatial: float, norm: str, boundary: str, outer: str = "none"
) -> None:
    for name, value in (("quadratic", quadratic), ("quartic", quartic), ("spatial", spatial)):
        if not math.isfinite(value):
            raise ValueError(f"{name} must be finite, got {value}")
    for name, value, known in (("norm", norm, NORMS), ("boundary", boundary, BOUNDARIES), ("outer", outer, OUTERS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
