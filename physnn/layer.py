"""The dynamic layer of the post: a linear map whose weights are modulated by cosh and sinh."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from physnn.dynamic import check_gate, dynamic_linear
from physnn.fast.when import has_numbers
from physnn.options import choice, number, switch
from physnn.position import COMPUTED, NEVER, POSITIONS, check_order, complaint, computed

torch.fx.wrap("dynamic_linear")  # one node of what torch.fx.symbolic_trace makes, as F.linear is
FIXED = ("in_features", "out_features", "position_kind")
CHECKS: dict[str, Callable[[str, object], str | float | bool | None]] = {
    "beta_init": number,
    "gate": check_gate,
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

    The options ``gate``, ``fused`` and ``beta_init`` (where ``reset_parameters`` puts beta) are attributes, which can
    be read, and set anew with the same checks. ``in_features``, ``out_features`` and ``position_kind``, the name of
    the position, can only be read.

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

    _last_look = NEVER

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
            if self.position_kind == "permuted" and has_numbers(position):
                look = check_order(position, self.in_features, self._last_look)
                if look is not self._last_look:
                    self._last_look = look
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
            return computed(self.position_kind, self.in_features, dtype, weight.device)
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
        super().__setattr__(name, value if check is None else check(name, value))  # type: ignore[arg-type]

    def __getstate__(self) -> dict[str, Any]:
        """Have copies look at their order themselves: it may have been changed since the last look."""
        return {name: value for name, value in self.__dict__.items() if name != "_last_look"}

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
        name = f"{prefix}position"
        wrong = complaint(self.position_kind, name, state_dict.get(name), local_metadata.get("position"))
        if wrong is not None:
            error_msgs.append(wrong)
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


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(f"{name} must be an integer, got {size!r}")
    if min(sizes.values()) < 1:
        raise ValueError(f"{' and '.join(sizes)} must be at least 1, got {' and '.join(map(str, sizes.values()))}")
