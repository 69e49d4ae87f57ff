"""The Ginzburg-Landau loss of the post: a quadratic, a quartic and a spatial term of normalized outputs."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from physnn import fused as fused_form
from physnn import loss_fused
from physnn.field import difference, normalize, spatial_axes

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
        return loss_fused.choose(phi, options).apply(phi, target, options, _composed)
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
    axes = spatial_axes(phi)
    if target.shape != phi.shape:
        target = F.one_hot(target.long(), phi.shape[1])
    phi = normalize(phi.to(torch.promote_types(phi.dtype, torch.float32)), norm)
    d2 = (phi - normalize(target.to(phi.dtype), norm)).square()
    density = d2 * (quadratic + quartic * d2)
    if spatial:
        density = density + spatial * sum(difference(phi, axis, boundary).square() for axis in axes)
    return density


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
