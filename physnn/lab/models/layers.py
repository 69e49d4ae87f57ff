"""The layers that studies compare: as modules, and many of one kind at once, on parameters with a first axis R.

``apply`` takes the parameters of R modules, stacked in the order of ``module.parameters()``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from physnn import DynamicLinear, ExperimentalLayer, dynamic_linear

LAYERS = ("linear", "experimental", "dynamic", "film", "squeeze-excitation", "convolutional")
POSITIONS = ("index", "normalized", "ones", "permuted", "reversed", "learned", "from one", "none")
PLACED: Mapping[str, Callable[[Tensor], Tensor]] = {
    "reversed": lambda index: index.flip(0),
    "from one": lambda index: index + 1,
    "none": torch.zeros_like,
}
TRAINED = ("beta", "t")  # what can be frozen
FEW = 64  # outputs, up to which two products are quicker than scaling the inputs


@dataclass(frozen=True)
class Layer:
    """What a layer is: its kind and the options of that kind, see :class:`physnn.lab.models.recipe.Recipe`."""

    kind: str
    bias: bool = True
    beta_init: float = math.nan
    position: str = "index"
    gate: str | float = "input"
    frozen: tuple[str, ...] = ()

    @property
    def architecture(self) -> tuple:
        """What layers must share to be computed together."""
        return self.kind, self.bias, self.position == "learned"

    @property
    def tensors(self) -> int:
        """How many parameters its module has."""
        more = {"linear": 0, "dynamic": 2 + (self.position == "learned"), "convolutional": 4}.get(self.kind, 2)
        return 1 + self.bias + more

    def size(self, n: int, m: int) -> int:
        """Number of trainable scalars, for n inputs and m outputs."""
        if self.kind == "convolutional":
            return sum(p.numel() for p in Convolutional(n, m, device="meta").parameters())
        size = n * m + m * self.bias
        if self.kind in ("experimental", "dynamic"):
            size += 2 - len(self.frozen) + n * (self.position == "learned")
        return size + {"film": 2 * m, "squeeze-excitation": 2 * groups(n)}.get(self.kind, 0)

    def make(self, n: int, m: int) -> nn.Module:
        """Make the module, from torch's global seed."""
        if self.kind == "linear":
            return nn.Linear(n, m, bias=self.bias)
        if self.kind == "experimental":
            return ExperimentalLayer(n, m, self.beta_init)
        if self.kind == "film":
            return FiLM(n, m)
        if self.kind == "squeeze-excitation":
            return SqueezeExcitation(n, m)
        if self.kind == "convolutional":
            return Convolutional(n, m)
        options = {"beta": self.beta_init, "gate": self.gate, "bias": self.bias}
        if self.gate == "next":
            layer: DynamicLinear = OthersGate(n, m, position=self.position, **options | {"gate": "input"})
        elif self.position in PLACED:
            layer = Placed(n, m, self.position, **options)
        else:
            layer = DynamicLinear(n, m, position=self.position, **options)
        for name in self.frozen:
            getattr(layer, name).requires_grad_(False)
        return layer


class Placed(DynamicLinear):
    """A dynamic layer with factors a of our own: n-1, ..., 0 ("reversed"), 1, ..., n ("from one"), or 0 ("none")."""

    def __init__(self, in_features: int, out_features: int, factors: str, **options) -> None:
        super().__init__(in_features, out_features, **options)
        self.factors = factors

    @property
    def position(self) -> Tensor:
        return PLACED[self.factors](torch.arange(self.in_features, device=self.weight.device))

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs of shape (\\*, n) to outputs of shape (\\*, m)."""
        options = {"position": self.position, "gate": self.gate, "bias": self.bias, "fused": self.fused}
        return dynamic_linear(x, self.weight, self.beta, self.t, **options)


class OthersGate(DynamicLinear):
    r"""A dynamic layer whose gate is that of the next sample in the batch, the first one's for the last.

    .. math::
        \varphi_b = W\bigl[(a \cosh 5\beta + t\,\sigma(\operatorname{mean} x_{b+1}) \sinh 5\beta) \odot x_b\bigr]

    The gate has the values that it has, and tells nothing of its sample. Shape: (B, n) to (B, m). Source: none, a
    control.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs of shape (B, n) to outputs of shape (B, m)."""
        tau, eta = self.t * x.mean(-1, keepdim=True).sigmoid().roll(-1, -2), 5 * self.beta
        return F.linear(x * (self.position * eta.cosh() + tau * eta.sinh()), self.weight, self.bias)


class FiLM(nn.Linear):
    r"""A linear layer with a scale and a shift of each output that depend on the mean of the input.

    .. math::
        \varphi = (1 + s\,\tau) \odot (W x + b) + r\,\tau, \qquad \tau = \sigma(\operatorname{mean} x)

    s and r start at 0. Shape: (\*, n) to (\*, m). Source: Perez et al. (2018), with the generator that the layer of
    the post has, one number of each input.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.scale = nn.Parameter(torch.zeros(out_features))
        self.shift = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs of shape (\\*, n) to outputs of shape (\\*, m)."""
        tau = x.mean(-1, keepdim=True).sigmoid()
        return (1 + self.scale * tau) * super().forward(x) + self.shift * tau


class SqueezeExcitation(nn.Linear):
    r"""A linear layer behind a gate for each of G groups of neighbouring inputs.

    .. math::
        \varphi = W\,(g \odot x) + b, \qquad g = \sigma\bigl(e \max(0, s \cdot z)\bigr)

    with z the G means of the groups, s starting at 1/G each, and e drawn between -1 and 1. Shape: (\*, n) to
    (\*, m). Source: Hu, Shen & Sun (2018), with a bottleneck of one unit, which starts awake.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        count = groups(in_features)
        self.squeeze = nn.Parameter(torch.full((count,), 1 / count))
        self.excite = nn.Parameter(torch.empty(count).uniform_(-1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs of shape (\\*, n) to outputs of shape (\\*, m)."""
        return super().forward(excited(x, self.squeeze, self.excite))


class Convolutional(nn.Sequential):
    """A small convolutional network on square images of n pixels, in the manner of LeNet: two convolutions (5×5 at
    every second pixel, of 16 and 32 channels), each with a rectifier, and a linear layer.

    Shape: (B, n) to (B, m). Source: LeCun et al. (1998), with steps of two pixels in the place of subsampling.
    """

    def __init__(self, in_features: int, out_features: int, device: torch.device | str | None = None) -> None:
        side, here = math.isqrt(in_features), {"device": device}
        if side * side != in_features or side % 4:
            raise ValueError(
                f"a convolutional layer needs square images with a side of 4, 8, 12, ..., got {in_features} pixels"
            )
        super().__init__(
            nn.Unflatten(1, (1, side, side)),
            nn.Conv2d(1, 16, 5, stride=2, padding=2, **here), nn.ReLU(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2, **here), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, out_features, **here),
        )  # fmt: skip


def groups(n: int) -> int:
    """Return into how many groups n inputs go: the largest divisor of n that is not above half its root."""
    return max(k for k in range(1, max(1, math.isqrt(n) // 2) + 1) if n % k == 0)


def excited(x: Tensor, squeeze: Tensor, excite: Tensor) -> Tensor:
    """Gate inputs (..., n) by the means of their groups, with weights of shape (..., G)."""
    grouped = x.unflatten(-1, (squeeze.shape[-1], -1))
    bottleneck = (grouped.mean(-1) * squeeze).sum(-1, keepdim=True).relu()
    return ((excite * bottleneck).sigmoid().unsqueeze(-1) * grouped).flatten(-2)


def positions(module: nn.Module, n: int) -> Tensor:
    """Return the factors a of a layer that has them, as it uses them; the post's for its own class."""
    if getattr(module, "position_kind", "") == "normalized":  # to the digits of the recorded studies
        index = torch.arange(n).float()
        return index / index.square().mean().sqrt()
    return getattr(module, "position", torch.arange(n)).detach().float()


def apply(kind: str, bias: bool, x: Tensor, params: Sequence[Tensor], a: Tensor | None, gate: Tensor | None) -> Tensor:
    """Map inputs (R, B, n), or (1, B, n) for all, to outputs (R, B, m).

    Args:
        a: for dynamic layers their factors, shape (R, n); None where they are the last of the parameters.
        gate: for dynamic layers the coefficients of σ(mean x), of 1 and, where there are three, of the σ(mean x) of the
            next sample in the gate, shape (2, R) or (3, R).
    """
    if kind in ("experimental", "dynamic"):
        weight, beta, t, *rest = params
        phi = _dynamic(x, weight, beta, t, rest[-1] if a is None else a, gate)
        return phi + rest[0].unsqueeze(1) if bias else phi
    if kind == "convolutional":
        return _convolutional(x, params)
    weight = params[0]
    if kind == "film":
        phi, (scale, shift) = _product(x, weight, params[1]), params[2:]
        tau = x.mean(-1, keepdim=True).sigmoid()
        return (1 + scale.unsqueeze(1) * tau) * phi + shift.unsqueeze(1) * tau
    if kind == "squeeze-excitation":
        x = excited(x, params[2].unsqueeze(1), params[3].unsqueeze(1))
    return _product(x, weight, params[1] if bias else None)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if len(x) == 1 and len(weight) > 1:  # one product for all
        phi = F.linear(x[0], weight.flatten(0, 1), None if bias is None else bias.flatten())
        return phi.view(len(x[0]), *weight.shape[:2]).transpose(0, 1)
    # In this order the gradient of the weights is a product of rows too, which takes a third of the time.
    return (weight @ x.mT if bias is None else torch.baddbmm(bias.unsqueeze(2), weight, x.mT)).mT


def _dynamic(x: Tensor, weight: Tensor, beta: Tensor, t: Tensor, a: Tensor, gate: Tensor) -> Tensor:
    """Apply W[(a cosh + tau sinh) * x]: by scaling the inputs, or as two products where there are few outputs."""
    eta = 5 * beta[:, None, None]
    of_input, constant, *of_next = gate[:, :, None, None]
    own = x.mean(-1, keepdim=True).sigmoid()
    tau = t[:, None] * (of_input * own + constant + sum(part * own.roll(-1, -2) for part in of_next))
    if weight.shape[1] <= FEW:
        both = _product(x, torch.cat([weight * a.unsqueeze(1), weight], 1), None)
        first, second = both.split(weight.shape[1], -1)
        return eta.cosh() * first + eta.sinh() * tau * second
    return torch.bmm(x * (a.unsqueeze(1) * eta.cosh() + tau * eta.sinh()), weight.mT)


def _convolutional(x: Tensor, params: Sequence[Tensor]) -> Tensor:
    """Apply the networks one after the other: a convolution is a computation large enough."""
    module = Convolutional(x.shape[-1], params[-1].shape[-1], device="meta")
    names = [name for name, _ in module.named_parameters()]
    own = [dict(zip(names, one, strict=True)) for one in zip(*(p.unbind() for p in params), strict=True)]
    return torch.stack([functional_call(module, each, x[min(r, len(x) - 1)]) for r, each in enumerate(own)])
