"""The map of the dynamic layer, as a function of its parameters."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from physnn.fast import when
from physnn.fast.layer import FusedDynamicLinear, can_fuse
from physnn.options import choice, number, switch
from physnn.position import COMPUTED, computed

ONE = ((), (1,))  # shapes of one number
FLOAT16_FITS = 2.0**15  # inputs of a product in float16 are kept below


def dynamic_linear(
    x: Tensor,
    weight: Tensor,
    beta: Tensor,
    t: Tensor,
    *,
    position: Tensor | str | None = None,
    gate: str | float = "input",
    bias: Tensor | None = None,
    fused: bool | None = None,
) -> Tensor:
    r"""Apply the map of :class:`DynamicLinear`, as a function of its parameters.

    .. math::
        \varphi(x) = W_0\,\bigl[(a \cosh 5\beta + \tau(x) \sinh 5\beta) \odot x\bigr] + b

    Args:
        x: inputs, shape (\*, n).
        weight: :math:`W_0`, shape (m, n).
        beta: :math:`\beta`, a tensor of one number; the rapidity is :math:`5\beta`.
        t: :math:`t`, shape (1,) or ().
        position: :math:`a`, shape (n,), or ``"index"`` (the post's 0, 1, ..., n-1, and None), ``"normalized"`` or
            ``"ones"``.
        gate: ``"input"`` for :math:`\sigma(\operatorname{mean} x)`, or a number in its place.
        bias: b, shape (m,), or None.
        fused: as in the class.

    Returns:
        :math:`\varphi`, shape (\*, m). The scale is computed in at least float32, whatever the type of ``x``.

    Raises:
        ValueError: a shape is wrong, the last dimension of ``x`` is not n, or an option is unknown.
        TypeError: ``x`` is no floating-point tensor, or an option of the wrong kind.
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"expected a tensor, got a {type(x).__name__}; pass torch.as_tensor(x)")
    _check_shapes(weight, beta, t, position, bias)
    m, n = weight.shape
    if x.dim() == 0 or x.shape[-1] != n:
        raise ValueError(f"expected an input of shape (*, {n}), got {tuple(x.shape)}")
    if not x.is_floating_point():
        raise TypeError(f"expected a floating-point input, got {x.dtype}; convert it, e.g. x.float() / 255")
    if gate != "input":
        gate = check_gate("gate", gate)
    fused = switch("fused", fused)
    dtype = torch.promote_types(x.dtype, torch.float32)
    if isinstance(position, Tensor):
        a, reach = position.to(dtype), None
    else:
        a, reach = computed(choice("position", position or "index", COMPUTED), n, dtype, x.device), float(n)
    parameters = (weight, beta, t, a, bias)
    if when.applies(fused, x, *parameters) and can_fuse(x, weight, beta, t, bias, gate):
        if x.dim() == 2:
            return FusedDynamicLinear.apply(x, *parameters, gate, reach, _composed)  # type: ignore[no-any-return]
        rows = x.reshape(math.prod(x.shape[:-1]), n)
        phi: Tensor = FusedDynamicLinear.apply(rows, *parameters, gate, reach, _composed)
        return phi.view(*x.shape[:-1], m)
    return _composed(x, *parameters, gate)


def _composed(
    x: Tensor, weight: Tensor, beta: Tensor, t: Tensor, position: Tensor, bias: Tensor | None, gate: str | float
) -> Tensor:
    """Scale the input, then multiply by the shared weights: the readable form."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    rapidity = 5 * beta.to(dtype)
    opening = torch.sigmoid(x.mean(-1, keepdim=True, dtype=dtype)) if isinstance(gate, str) else gate
    tau = t.to(dtype) * opening
    scale = position * torch.cosh(rapidity) + tau * torch.sinh(rapidity)
    if (when.type_of_autocast(x) or x.dtype) == torch.float16:
        return _product_in_float16(scale * x, weight, bias, x.dtype)
    return F.linear((scale * x).to(x.dtype), weight, bias)


def _product_in_float16(z: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Multiply by the weights what is divided by a power of two until float16 holds it: z itself may be too large."""
    peak = z.detach().abs().amax(-1, keepdim=True).clamp(FLOAT16_FITS / 2, torch.finfo(z.dtype).max / 4)
    power = peak / torch.frexp(peak).mantissa / FLOAT16_FITS  # exact: 1, 2, 4, ...
    product = F.linear((z / power).to(dtype), weight)
    phi = product.to(z.dtype) * power
    return (phi if bias is None else phi + bias).to(product.dtype)


def _check_shapes(weight: Tensor, beta: Tensor, t: Tensor, position: Tensor | str | None, bias: Tensor | None) -> None:
    if weight.dim() != 2:
        raise ValueError(f"weight must have shape (m, n), got {tuple(weight.shape)}")
    for name, one in (("beta", beta), ("t", t)):
        if one.shape not in ONE:
            raise ValueError(f"{name} must have shape () or (1,), got {tuple(one.shape)}")
    if isinstance(position, Tensor) and position.shape != weight.shape[1:]:
        raise ValueError(f"position must have shape ({weight.shape[1]},), got {tuple(position.shape)}")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias must have shape ({weight.shape[0]},), got {tuple(bias.shape)}")


def check_gate(name: str, value: object) -> str | float:
    """Return ``"input"`` or a finite number, or raise the error of :func:`physnn.options.number`."""
    if isinstance(value, str):
        if value == "input":
            return value
        raise ValueError(f"{name} must be 'input' or a finite number, got {value!r}")
    return number(name, value)
