"""The dynamic layer of the post: a linear map whose weights are modulated by cosh and sinh."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from physnn import fused as fused_form
from physnn.layer_fused import FusedDynamicLinear, can_fuse

POSITIONS = ("index", "normalized", "ones", "permuted", "learned")


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
        beta: start value of the trainable rapidity :math:`\beta`.
        position: the vector :math:`a` of n factors. ``"index"`` (the post): 0, 1, ..., n-1;
            ``"normalized"``: the index divided by its root mean square; ``"ones"``; ``"permuted"``: the
            index in a random order drawn once; ``"learned"``: trainable, starting at the index.
        gate: ``"input"`` (the post) for :math:`\sigma(\operatorname{mean} x)`, or a number that replaces it.
        bias: whether to add a trainable bias (the post has none).
        fused: the gradient from its closed form (True, and None) or from autograd (False): the same numbers. Under
            ``torch.compile``, ``torch.func``, forward-mode differentiation and autocast, elsewhere than on a CPU, and
            for types other than float32 and float64, and where beta needs no gradient, it is always autograd's.

    Attributes:
        weight: :math:`W_0`, shape (m, n), Xavier normal as in the post.
        beta: :math:`\beta`, a scalar.
        t: :math:`t`, shape (1,), starting at 1.
        bias: shape (m,), starting at 0, or None.

    Shape:
        (\*, n) to (\*, m), for any leading dimensions.

    Raises:
        ValueError: an option is unknown, a number not finite, or the last dimension of the input is not n.
        TypeError: the input is not floating point.

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
        if in_features < 1 or out_features < 1:
            raise ValueError(f"in_features and out_features must be at least 1, got {in_features} and {out_features}")
        if position not in POSITIONS:
            raise ValueError(f"position must be one of {', '.join(POSITIONS)}, got {position!r}")
        if position == "normalized" and in_features == 1:
            raise ValueError("position='normalized' needs in_features >= 2: the only index is 0, and so is its rms")
        if gate != "input" and (isinstance(gate, str) or not math.isfinite(gate)):
            raise ValueError(f"gate must be 'input' or a finite number, got {gate!r}")
        if not math.isfinite(beta):
            raise ValueError(f"beta must be finite, got {beta}")
        self.in_features = in_features
        self.out_features = out_features
        self.beta_init = float(beta)
        self.position_kind = position
        self.gate = gate if gate == "input" else float(gate)
        self.fused = fused

        factory = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(out_features, in_features, **factory))
        self.beta = nn.Parameter(torch.empty((), **factory))
        self.t = nn.Parameter(torch.empty(1, **factory))
        self.register_parameter("bias", nn.Parameter(torch.empty(out_features, **factory)) if bias else None)
        # Integers survive .half() and .bfloat16(); the index 783 as bfloat16 would not.
        if position == "learned":
            self.position = nn.Parameter(torch.empty(in_features, **factory))
        else:
            order = torch.empty(in_features, dtype=torch.int64, device=device)
            self.register_buffer("position", order, persistent=position == "permuted")
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew (Xavier normal; and the order, if permuted), and put the rest at its start value."""
        nn.init.xavier_normal_(self.weight)
        nn.init.constant_(self.beta, self.beta_init)
        nn.init.ones_(self.t)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        with torch.no_grad():
            if self.position_kind == "ones":
                self.position.fill_(1)
            elif self.position_kind == "permuted":
                self.position.copy_(torch.randperm(self.in_features))
            else:
                self.position.copy_(torch.arange(self.in_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (\\*, in_features) to shape (\\*, out_features)."""
        position = self.position
        if self.position_kind == "normalized":
            n = self.in_features
            position = position.to(torch.promote_types(x.dtype, torch.float32))
            position = position / math.sqrt((n - 1) * (2 * n - 1) / 6)  # rms of 0, 1, ..., n-1
        options = {"position": position, "gate": self.gate, "bias": self.bias, "fused": self.fused}
        return dynamic_linear(x, self.weight, self.beta, self.t, **options)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, position={self.position_kind!r}, "
            f"gate={self.gate!r}, bias={self.bias is not None}"
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
        alpha, gamma: stored and never used, as in the post, which gives them no meaning inside the layer.

    Shape:
        (\\*, input_size) to (\\*, output_size).

    Raises:
        ValueError: a size is below 1, ``beta_init`` is not finite, or the last dimension of the input is not
            ``input_size``.
        TypeError: the input is not floating point.

    Source: the post, "Code Snippet for the ExperimentalLayer".
    """

    def __init__(
        self, input_size: int, output_size: int, beta_init: float, alpha: float = 0.0035, gamma: float = 5.0
    ) -> None:
        super().__init__()
        if input_size < 1 or output_size < 1:
            raise ValueError(f"input_size and output_size must be at least 1, got {input_size} and {output_size}")
        if not math.isfinite(beta_init):
            raise ValueError(f"beta_init must be finite, got {beta_init}")
        # The post draws twice; so do we, that one seed gives both the same weights.
        self.w = nn.Parameter(torch.randn(output_size, input_size))
        nn.init.xavier_normal_(self.w)
        self.beta = nn.Parameter(torch.tensor(beta_init).float())
        self.alpha = alpha
        self.gamma = gamma
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
    position: Tensor | None = None,
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
        beta: :math:`\beta`, a scalar tensor.
        t: :math:`t`, shape (1,) or ().
        position: :math:`a`, shape (n,); None for the post's 0, 1, ..., n-1.
        gate: ``"input"`` for :math:`\sigma(\operatorname{mean} x)`, or a number in its place.
        bias: b, shape (m,), or None.
        fused: as in the class.

    Returns:
        :math:`\varphi`, shape (\*, m). The scale is computed in at least float32, whatever the type of ``x``.

    Raises:
        ValueError: the last dimension of ``x`` is not n.
        TypeError: ``x`` is not floating point.
    """
    n = weight.shape[1]
    if x.dim() == 0 or x.shape[-1] != n:
        raise ValueError(f"expected an input of shape (*, {n}), got {tuple(x.shape)}")
    if not x.is_floating_point():
        raise TypeError(f"expected a floating-point input, got {x.dtype}; convert it, e.g. x.float() / 255")
    dtype = torch.promote_types(x.dtype, torch.float32)
    position = torch.arange(n, device=x.device, dtype=dtype) if position is None else position.to(dtype)
    parameters = (weight, beta, t, position, bias)
    if fused_form.applies(fused, x, *parameters) and can_fuse(x, weight, beta, t, bias):
        if x.dim() == 2:
            return FusedDynamicLinear.apply(x, *parameters, gate, _composed)
        return FusedDynamicLinear.apply(x.reshape(-1, n), *parameters, gate, _composed).view(*x.shape[:-1], -1)
    return _composed(x, *parameters, gate)


def _composed(
    x: Tensor, weight: Tensor, beta: Tensor, t: Tensor, position: Tensor, bias: Tensor | None, gate: str | float
) -> Tensor:
    """Scale the input, then multiply by the shared weights: the readable form."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    rapidity = 5 * beta.to(dtype)
    tau = t.to(dtype) * (torch.sigmoid(x.mean(-1, keepdim=True, dtype=dtype)) if gate == "input" else gate)
    scale = position * torch.cosh(rapidity) + tau * torch.sinh(rapidity)
    return F.linear((scale * x).to(x.dtype), weight, bias)
