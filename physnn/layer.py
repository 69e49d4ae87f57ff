"""The dynamic layer of the post: a linear map whose weights are modulated by cosh and sinh."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from physnn import fused as fused_form
from physnn.layer_fused import FusedDynamicLinear, can_fuse
from physnn.options import choice, number, switch

COMPUTED = ("index", "normalized", "ones")  # in every pass anew: what is kept can be lost, averaged and cast
POSITIONS = (*COMPUTED, "permuted", "learned")
FIXED = ("in_features", "out_features", "position_kind")
ONE = ((), (1,))  # shapes of one number
FLOAT16_FITS = 2.0**15  # inputs of a product in float16 are kept below, where it does


def _gate(name: str, value: object) -> str | float:
    if isinstance(value, str):
        if value == "input":
            return value
        raise ValueError(f"{name} must be 'input' or a finite number, got {value!r}")
    return number(name, value)


CHECKS: dict[str, Callable[[str, object], str | float | bool | None]] = {
    "beta_init": number,
    "gate": _gate,
    "fused": switch,
}


class DynamicLinear(nn.Module):
    r"""A linear layer whose effective weights depend on its input, in exact factored form.

    .. math::
        \varphi(x) &= W_0\,\bigl[(a \cosh 5\beta + \tau(x) \sinh 5\beta) \odot x\bigr] + b \\
        \tau(x) &= t\,\sigma(\operatorname{mean} x)

    The post builds a weight matrix per sample, each row of :math:`W_0` times the bracket. The bracket does not
    depend on the output index, so it scales the input instead, and one matrix product with the shared
    :math:`W_0` gives the same numbers.

    Args:
        in_features: size of each input, n.
        out_features: size of each output, m.
        beta: start value of the trainable :math:`\beta`; the rapidity is :math:`5\beta`.
        position: the vector :math:`a` of n factors. ``"index"`` (the post): 0, 1, ..., n-1;
            ``"normalized"``: the index divided by its root mean square; ``"ones"``, where the gate multiplies all
            outputs of a sample by one number; ``"permuted"``: the index in a random order drawn once;
            ``"learned"``: trainable, starting at the index.
        gate: ``"input"`` (the post) for :math:`\sigma(\operatorname{mean} x)`, or a number that replaces it.
        bias: whether to add a trainable bias (the post has none).
        fused: the gradient from its closed form (True, and None) or from autograd (False): the same numbers. Under
            ``torch.compile``, ``torch.export``, ``torch.func``, forward-mode differentiation, dispatch modes and
            autocast, elsewhere than on a CPU, for types other than float32 and float64, where beta needs no gradient,
            and where numbers may overflow, it is always autograd's.

    Attributes:
        weight: :math:`W_0`, shape (m, n), Xavier normal as in the post.
        beta: :math:`\beta`, a scalar.
        t: :math:`t`, shape (1,), starting at 1.
        bias: shape (m,), starting at 0, or None.
        position: :math:`a`, shape (n,). The order of ``"permuted"`` is a buffer and the factors of ``"learned"`` are
            a parameter; the others are computed from the option in every pass, and what is read here is a copy.
        in_features, out_features, position_kind: the sizes and the name of the position, which cannot be changed.
        gate, beta_init, fused: the options, which can be set anew and are checked as in the beginning.

    Shape:
        (\*, n) to (\*, m), for any leading dimensions. In float16, by type or by autocast, the scaled input is
        divided by a power of two where it would overflow, and the product multiplied by it: the output is finite where
        float16 can hold it.

    A ``state_dict`` records the name of the position, and a layer with another one refuses it. A plain ``dict`` of it
    carries no record.

    Raises:
        ValueError: an option is unknown, a number not finite, a shape wrong, or the last dimension of the input not n.
        TypeError: an option is of the wrong kind, or the input is no floating-point tensor.
        AttributeError: something is set that cannot be.
        RuntimeError: the buffer of a permuted position holds no order of 0, ..., n-1 (any more), or a ``state_dict``
            is of a layer with another position.

    Source: the post, "Dynamic Weight Modification" and its code.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        beta: float = 0.1,
        position: str = "index",
        gate: str | float = "input",
        bias: bool = False,
        fused: bool | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_sizes(in_features=in_features, out_features=out_features)
        self.position_kind = choice("position", position, POSITIONS)
        if position == "normalized" and in_features == 1:
            raise ValueError("position='normalized' needs in_features >= 2: the only index is 0, and so is its rms")
        if not isinstance(bias, bool):
            raise TypeError(f"bias must be True or False, got {bias!r}")
        self.in_features = in_features
        self.out_features = out_features
        self.beta_init = number("beta", beta)
        self.gate = gate
        self.fused = fused

        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(out_features, in_features, **factory))
        self.beta = nn.Parameter(torch.empty((), **factory))
        self.t = nn.Parameter(torch.empty(1, **factory))
        self.register_parameter("bias", nn.Parameter(torch.empty(out_features, **factory)) if bias else None)
        if position == "learned":
            self.position = nn.Parameter(torch.empty(in_features, **factory))
        elif position == "permuted":
            # Integers survive .half() and .bfloat16(); the index 783 as bfloat16 would not.
            self.register_buffer("position", torch.empty(in_features, dtype=torch.int64, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew (Xavier normal; and the order, if permuted), and put the rest at its start value."""
        nn.init.xavier_normal_(self.weight)
        nn.init.constant_(self.beta, self.beta_init)
        nn.init.ones_(self.t)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        with torch.no_grad():
            if self.position_kind == "learned":
                self.position.copy_(torch.arange(self.in_features, device=self.position.device))
            elif self.position_kind == "permuted" and not self.position.is_meta:
                self.position.copy_(torch.randperm(self.in_features, device="cpu"))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (\\*, in_features) to shape (\\*, out_features)."""
        position: Tensor | str = self.position_kind
        if position not in COMPUTED:
            position = self.position
            if self.position_kind == "permuted":
                self._check_order(position)
        return dynamic_linear(
            x, self.weight, self.beta, self.t, position=position, gate=self.gate, bias=self.bias, fused=self.fused
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, beta={self.beta_init}, "
            f"position={self.position_kind!r}, gate={self.gate!r}, bias={self.bias is not None}"
        ) + ("" if self.fused is None else f", fused={self.fused}")

    def __getattr__(self, name: str) -> Any:
        """Compute a position that is computed, where it is asked for."""
        if name == "position" and self.__dict__.get("position_kind") in COMPUTED:
            weight = self.weight
            if self.position_kind == "index":
                return torch.arange(self.in_features, device=weight.device)
            dtype = torch.promote_types(weight.dtype, torch.float32)
            return _computed(self.position_kind, self.in_features, dtype, weight.device)
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and name in self.__dict__:
            raise AttributeError(f"{name} of a DynamicLinear cannot be changed; make another layer")
        if name == "position" and self.__dict__.get("position_kind") in COMPUTED:
            raise AttributeError(
                f"position={self.position_kind!r} is computed and cannot be set; make the layer with "
                "position='permuted' or 'learned', or pass the vector to physnn.dynamic_linear"
            )
        check = CHECKS.get(name)
        super().__setattr__(name, value if check is None else check(name, value))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out of copies which order was found right: theirs may have been changed since."""
        return {name: value for name, value in self.__dict__.items() if name != "_right_order"}

    def _check_order(self, position: Tensor) -> None:
        """Check that the buffer is an order, if it is another one or was written to since the last time."""
        if not fused_form.has_numbers(position):
            return
        version = None if position.is_inference() else getattr(position, "_version", None)
        known, of_version = self._right_order
        if position is known and version is not None and version == of_version:
            return
        n = self.in_features
        if (
            position.is_floating_point()
            or position.shape != (n,)
            or not torch.equal(position.sort().values, torch.arange(n, dtype=position.dtype, device=position.device))
        ):
            values = position.unique()
            raise RuntimeError(
                f"position='permuted', but the buffer is no order of 0..{n - 1}: of shape {tuple(position.shape)} and "
                f"{position.dtype}, with {len(values)} values from {values[0].item()} to {values[-1].item()}. Buffers that "
                "were averaged (use_buffers=True), left empty (to_empty), or filled from the state of another layer are "
                "none. Load the state_dict of the layer that it was made from, copy that layer's position, or call "
                "reset_parameters()."
            )
        self._right_order = position, version

    _right_order: tuple[Tensor | None, int | None] = (None, None)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        metadata = getattr(destination, "_metadata", {})
        metadata.setdefault(prefix[:-1], {})["position"] = self.position_kind

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        given, kind = state_dict.get(f"{prefix}position"), self.position_kind
        saved = local_metadata.get("position", kind)
        if saved == kind and given is not None:  # an old state, or a plain dict: its own words are all there is
            saved = "learned" if given.is_floating_point() else "permuted"
        if saved != kind:
            error_msgs.append(
                f"{prefix}position: the state is of a layer with position={saved!r}, and this one has "
                f"position={kind!r}. Make the layer with position={saved!r}; to take the other values all the same, "
                "load a plain dict of them, without position."
            )
            return
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class ExperimentalLayer(nn.Module):
    """The post's class: its signature, its parameters ``w``, ``beta``, ``t``, its start values, its results.

    Seeded alike, it holds the same weights as the printed class, and loads its ``state_dict``. It differs in
    how it computes (factored, see :class:`DynamicLinear`: no tensor of size batch x out x in) and in accepting
    any leading dimensions, where the printed code needs exactly two.

    Args:
        input_size: size of each input.
        output_size: size of each output.
        beta_init: start value of ``beta``; the post gives none.
        alpha, gamma: stored and never used, as in the post, which gives them no meaning inside the layer; to change
            them changes nothing.

    Shape:
        (\\*, input_size) to (\\*, output_size).

    Raises:
        ValueError: a size is below 1, a number not finite, or the last dimension of the input is not ``input_size``.
        TypeError: an option is no number, or the input is no floating-point tensor.

    Source: the post, "Code Snippet for the ExperimentalLayer".
    """

    def __init__(
        self, input_size: int, output_size: int, beta_init: float, alpha: float = 0.0035, gamma: float = 5.0
    ) -> None:
        super().__init__()
        _check_sizes(input_size=input_size, output_size=output_size)
        beta_init = number("beta_init", beta_init)
        # The post draws twice; so do we, that one seed gives both the same weights.
        self.w = nn.Parameter(torch.randn(output_size, input_size))
        nn.init.xavier_normal_(self.w)
        self.beta = nn.Parameter(torch.tensor(beta_init).float())
        self.alpha = number("alpha", alpha)
        self.gamma = number("gamma", gamma)
        self.t = nn.Parameter(torch.tensor([1.0]))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (\\*, input_size) to shape (\\*, output_size)."""
        return dynamic_linear(x, self.w, self.beta, self.t)

    def extra_repr(self) -> str:
        return f"input_size={self.w.shape[1]}, output_size={self.w.shape[0]}"


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
        gate = _gate("gate", gate)
    dtype = torch.promote_types(x.dtype, torch.float32)
    if isinstance(position, Tensor):
        a = position.to(dtype)
    else:
        a = _computed(choice("position", position or "index", COMPUTED), n, dtype, x.device)
    parameters = (weight, beta, t, a, bias)
    if fused_form.applies(fused, x, *parameters) and can_fuse(x, weight, beta, t, bias, gate):
        if x.dim() == 2:
            return FusedDynamicLinear.apply(x, *parameters, gate, _composed)  # type: ignore[no-any-return]
        rows = x.reshape(math.prod(x.shape[:-1]), n)
        phi: Tensor = FusedDynamicLinear.apply(rows, *parameters, gate, _composed)
        return phi.view(*x.shape[:-1], m)
    return _composed(x, *parameters, gate)


def _composed(
    x: Tensor, weight: Tensor, beta: Tensor, t: Tensor, position: Tensor, bias: Tensor | None, gate: str | float
) -> Tensor:
    """Scale the input, then multiply by the shared weights: the readable form."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    rapidity = 5 * beta.to(dtype)
    tau = t.to(dtype) * (torch.sigmoid(x.mean(-1, keepdim=True, dtype=dtype)) if gate == "input" else gate)
    scale = position * torch.cosh(rapidity) + tau * torch.sinh(rapidity)
    if (fused_form.type_of_autocast(x) or x.dtype) == torch.float16:
        return _product_in_float16(scale * x, weight, bias, x.dtype)
    return F.linear((scale * x).to(x.dtype), weight, bias)


def _product_in_float16(z: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Multiply by the weights what is divided by a power of two until float16 holds it: z itself may be too large."""
    peak = z.detach().abs().amax(-1, keepdim=True).clamp(FLOAT16_FITS / 2, torch.finfo(z.dtype).max / 4)
    power = peak / torch.frexp(peak).mantissa / FLOAT16_FITS  # exact: 1, 2, 4, ...
    product = F.linear((z / power).to(dtype), weight)
    phi = product.to(z.dtype) * power
    return (phi if bias is None else phi + bias).to(product.dtype)


def _computed(kind: str, n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the factors of a position that is no tensor."""
    if kind == "ones":
        return torch.ones(n, dtype=dtype, device=device)
    index = torch.arange(n, dtype=dtype, device=device)
    return index if kind == "index" else index / math.sqrt((n - 1) * (2 * n - 1) / 6)  # rms of 0, 1, ..., n-1


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(f"{name} must be an integer, got {size!r}")
    if min(sizes.values()) < 1:
        raise ValueError(f"{' and '.join(sizes)} must be at least 1, got {' and '.join(map(str, sizes.values()))}")


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
