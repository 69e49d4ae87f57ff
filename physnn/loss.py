"""The Ginzburg-Landau loss of the post: a quadratic, a quartic and a spatial term of normalized outputs."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from physnn import labels
from physnn.fast import loss as fast
from physnn.fast import when
from physnn.field import difference, normalize, spatial_axes
from physnn.options import choice, number, switch

torch.fx.wrap("_loss")  # one node of what torch.fx.symbolic_trace makes, as F.cross_entropy is
NORMS = ("batch", "sample")
BOUNDARIES = ("periodic", "zero", "replicate", "one-sided")
OUTERS = ("abs", "none", "elementwise")
Options = tuple[float, float, float, str, str, str]
CHECKS: dict[str, Callable[[str, object], float | str | bool | None]] = {
    "quadratic": number,
    "quartic": number,
    "spatial": number,
    "norm": lambda name, value: choice(name, value, NORMS),
    "boundary": lambda name, value: choice(name, value, BOUNDARIES),
    "outer": lambda name, value: choice(name, value, OUTERS),
    "fused": switch,
}


class GinzburgLandauLoss(nn.Module):
    r"""The distance of a normalized Ginzburg-Landau energy from zero.

    .. math::
        L(\varphi, y) = \Bigl|\operatorname{mean}\bigl(q_2 d^2 + q_4 d^4 + q_s\,|\partial\varphi_n|^2\bigr)\Bigr|,
        \qquad d = \varphi_n - y_n, \quad \varphi_n = \varphi / \max|\varphi|, \quad y_n = y / \max|y|

    Every coefficient carries its own sign: the minus that the post prints before the quartic term is
    ``quartic=-5.0``. The loss does not change when :math:`\varphi` is multiplied by a positive number.

    The field is one real number at each index, as the outputs of a network are, so its energy is of the Ising class.
    Ginzburg and Landau's own order parameter is complex and coupled to the vector potential; its minima form a circle.

    Args:
        quadratic: :math:`q_2`, the post's :math:`\alpha`. Each coefficient is a number, and none is learned.
        quartic: :math:`q_4`, minus the post's :math:`\gamma`.
        spatial: :math:`q_s`, the 0.5 of the post's formula.
        norm: the maximum runs over the whole ``"batch"`` (the formula as printed) or over each ``"sample"``.
        boundary: what the central difference :math:`(\varphi_{i+1} - \varphi_{i-1})/2` sees beyond the ends:
            ``"periodic"`` (the printed difference holds at every index without values from outside; where the
            number of indices is even, it ties even ones to even ones and odd ones to odd ones alone),
            ``"zero"``, ``"replicate"`` (the end value again) or ``"one-sided"`` (a one-step difference
            at the ends, as :func:`torch.gradient`).
        outer: ``"abs"`` is \|mean\| (the post), ``"none"`` the signed mean, the energy itself, and
            ``"elementwise"`` the mean of \|integrand\|.
        fused: the gradient from its closed form, beside the value (True, and None), or from autograd (False): the
            same numbers. Under ``torch.compile``, ``torch.export``, ``torch.func``, forward-mode differentiation and
            dispatch modes, with a target that needs a gradient, and where the numbers are too large or too small for
            the closed form, it is always autograd's.

    Every option is an attribute, which can be read, and set anew with the same checks.

    Shape:
        - phi: (B, C), differentiated along C; (B, C, L), along L; or (B, C, H, W), along H and W, where
          :math:`|\partial\varphi|^2` is the sum over both axes. Spacing is one index.
        - target: class indices (B,) with phi (B, C), made one-hot; or a field of phi's shape.
        - result: a scalar of phi's type, computed in at least float32; under autocast at least float32 as well.

    A phi (or a sample of it, with ``norm="sample"``) that is zero everywhere has no normalization, 0/0; it
    is left as it is: :math:`\varphi_n = 0`, and loss and gradient are finite. Zero targets likewise. A NaN among
    the outputs is the maximum, and makes all that is normalized by it NaN.

    Raises:
        ValueError: an option is unknown, a coefficient not finite, a shape wrong, the batch empty, or a
            label outside the classes (where labels cannot be read, as in ``torch.vmap`` and what
            ``torch.compile`` makes, it is torch's RuntimeError about an index).
        TypeError: a coefficient is no number, or phi or target no tensor; phi or a field is not floating point, or
            class indices are not integers.

    Source: the post, "The Custom Loss Function", its formula read literally.
    """

    quadratic: float
    quartic: float
    spatial: float
    norm: str
    boundary: str
    outer: str
    fused: bool | None

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
        self.quadratic = quadratic
        self.quartic = quartic
        self.spatial = spatial
        self.norm = norm
        self.boundary = boundary
        self.outer = outer
        self.fused = fused

    def __setattr__(self, name: str, value: object) -> None:
        check = CHECKS.get(name)
        super().__setattr__(name, value if check is None else check(name, value))  # type: ignore[arg-type]

    def forward(self, phi: Tensor, target: Tensor) -> Tensor:
        """Return the loss of ``phi`` against ``target``, a scalar."""
        options = (self.quadratic, self.quartic, self.spatial, self.norm, self.boundary, self.outer)
        return _loss(phi, target, options, self.fused)

    def extra_repr(self) -> str:
        names = [name for name in CHECKS if name != "fused" or self.fused is not None]
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


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
    options = _options(quadratic, quartic, spatial, norm, boundary, outer)
    return _loss(phi, target, options, switch("fused", fused))


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
    options = _options(quadratic, quartic, spatial, norm, boundary, "none")
    _check_input(phi, target)
    return _density(phi, target, options)


def _options(quadratic: float, quartic: float, spatial: float, norm: str, boundary: str, outer: str) -> Options:
    return (
        number("quadratic", quadratic),
        number("quartic", quartic),
        number("spatial", spatial),
        choice("norm", norm, NORMS),
        choice("boundary", boundary, BOUNDARIES),
        choice("outer", outer, OUTERS),
    )


def _loss(phi: Tensor, target: Tensor, options: Options, fused: bool | None) -> Tensor:
    _check_input(phi, target)
    dtype = phi.dtype
    if dtype not in (torch.float32, torch.float64) and when.type_of_autocast(phi):
        dtype = torch.promote_types(dtype, torch.float32)  # as torch's own losses do
    if when.applies(fused, phi, target) and not target.requires_grad:
        value = fast.loss(phi, target, options, dtype, _composed)
        if value is not None:
            return value
    return _composed(phi, target, options, dtype)


def _composed(phi: Tensor, target: Tensor, options: Options, dtype: torch.dtype) -> Tensor:
    """Average the integrand: the readable form."""
    density, outer = _density(phi, target, options), options[-1]
    if outer == "elementwise":
        return density.abs().mean().to(dtype)
    energy = density.mean()
    return (energy.abs() if outer == "abs" else energy).to(dtype)


def _density(phi: Tensor, target: Tensor, options: Options) -> Tensor:
    quadratic, quartic, spatial, norm, boundary, _ = options
    u = normalize(phi.to(torch.promote_types(phi.dtype, torch.float32)), norm)
    if target.shape == phi.shape:
        d = u - normalize(target.to(u.dtype), norm)
    else:
        d = labels.subtract_one_hot(u, target)
    d2 = d.square()
    density = d2 * (quadratic + quartic * d2)
    for axis in spatial_axes(phi) if spatial else ():
        density = density + spatial * difference(u, axis, boundary).square()
    return density


def _check_input(phi: Tensor, target: Tensor) -> None:
    for name, given in (("phi", phi), ("target", target)):
        if not isinstance(given, Tensor):
            raise TypeError(f"{name} must be a tensor, got a {type(given).__name__}; pass torch.as_tensor({name})")
    if not phi.is_floating_point():
        raise TypeError(f"phi must be floating point, got {phi.dtype}")
    shape = phi.shape
    if len(shape) not in (2, 3, 4):
        raise ValueError(f"phi must have shape (B, C), (B, C, L) or (B, C, H, W), got {tuple(shape)}")
    if 0 in shape:
        raise ValueError(f"phi is empty: shape {tuple(shape)}; the mean over nothing is undefined")
    if target.shape == shape:
        if not target.is_floating_point():
            raise TypeError(f"a target of phi's shape is a field and must be floating point, got {target.dtype}")
    elif len(shape) != 2 or target.shape != shape[:1]:
        raise ValueError(
            f"target must be a field of phi's shape {tuple(shape)} or, for phi of shape (B, C), "
            f"class indices of shape (B,); got {tuple(target.shape)}"
        )
    elif target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise TypeError(f"class indices must be integers, got {target.dtype}")
