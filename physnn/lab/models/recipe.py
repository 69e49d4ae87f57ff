"""What an arm of a study is made of: layers, loss and optimizer, read from plain data and checked."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from physnn import Langevin
from physnn.lab.models.layers import LAYERS, POSITIONS, TRAINED, Layer
from physnn.lab.models.losses import CHOICES, COEFFICIENTS, LOSSES, make, smoothness_gradient
from physnn.lab.models.network import network
from physnn.noise import KINDS
from physnn.scheme import SCHEMES

OPTIMIZERS = ("sgd", "langevin", "adam", "adamw")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Recipe:
    """An arm: ``{widths: [784, 10], layer: linear, loss: cross-entropy, optimizer: sgd, momentum: 0.9}``.

    Layers: ``linear`` takes ``bias`` (true); ``experimental``, the post's class, needs ``beta_init``; ``dynamic``
    (:class:`physnn.DynamicLinear`) needs ``beta_init`` and takes ``position`` (index, normalized, ones, permuted,
    reversed, learned, or none: a = 0), ``gate`` (input, or a number), ``bias`` (false) and ``frozen`` (of beta and t);
    ``film`` and ``squeeze-excitation`` are those of :mod:`physnn.lab.models.layers`.

    The loss ``ginzburg-landau`` takes ``quadratic``, ``quartic``, ``spatial``, ``norm``, ``boundary`` and ``outer``, as
    printed where they are absent; ``cross-entropy``, ``squared-error`` and ``softmax-twice`` (cross-entropy of the
    softmax, as if that were not in it) take nothing.

    Optimizers: ``sgd`` needs ``momentum``, and is Langevin dynamics of damping 1 - momentum at temperature 0;
    ``langevin`` needs ``damping`` and takes ``temperature``, ``scheme``, ``noise`` and ``temperature_schedule``
    (constant, or cosine to 0); ``adam`` and ``adamw`` are torch's with its defaults. All take ``weight_decay`` and
    ``lr_schedule``. The learning rate is not part of a recipe.

    Data and penalty: ``images`` (how many of the training images are used, the first ones; all of them),
    ``label_noise`` (0; the share of wrong training labels, see :func:`physnn.lab.data.corruptions.mislabel`), and for
    linear layers ``smoothness`` (0), the coefficient of the first layer's Dirichlet energy, which is added to the loss
    (:func:`physnn.lab.models.losses.smoothness_gradient`).
    """

    widths: tuple[int, ...]
    layer: Layer
    loss: str
    optimizer: str
    damping: float = math.nan
    temperature: float = 0.0
    weight_decay: float = 0.0
    scheme: str = SCHEMES[0]
    noise: str = KINDS[0]
    lr_schedule: str = SCHEDULES[0]
    temperature_schedule: str = SCHEDULES[0]
    coefficients: tuple[float, float, float] = tuple(COEFFICIENTS.values())
    choices: tuple[str, str, str] = tuple(known[0] for known in CHOICES.values())
    images: int | None = None
    label_noise: float = 0.0
    smoothness: float = 0.0

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Recipe":
        """Return the recipe that plain data describe.

        Raises:
            ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
        """
        rest = dict(given)
        widths = rest.pop("widths", None)
        if (
            not isinstance(widths, (list, tuple))
            or len(widths) < 2
            or not all(type(w) is int and w > 0 for w in widths)
        ):
            raise ValueError(f"widths must be two or more whole numbers, pixels first and classes last, got {widths!r}")
        values = {"layer": _layer(rest), "loss": _choice(rest, "loss", LOSSES)}
        if values["loss"] == "ginzburg-landau":
            values["coefficients"] = tuple(_number(rest, name, default) for name, default in COEFFICIENTS.items())
            values["choices"] = tuple(_choice(rest, name, known, known[0]) for name, known in CHOICES.items())
        values |= _optimizer(rest) | _data(rest)
        values["smoothness"] = _number(rest, "smoothness", 0.0)
        if values["smoothness"] < 0 or (values["smoothness"] and values["layer"].kind != "linear"):
            raise ValueError(
                f"smoothness must be at least 0, and is for linear layers, got {values['smoothness']} "
                f"with layer {values['layer'].kind}"
            )
        if values["smoothness"] and math.isqrt(widths[0]) ** 2 != widths[0]:
            raise ValueError(f"smoothness needs square images, got {widths[0]} pixels")
        if rest:
            optimizer = given["optimizer"]
            raise ValueError(f"{values['layer'].kind}, {values['loss']} and {optimizer} know no {sorted(rest)}")
        if values["layer"].frozen and values.get("temperature"):
            raise ValueError("frozen is for temperature 0: the noise of a run depends on what is trained")
        return cls(tuple(widths), **values)

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return self.widths, self.layer.architecture, self.optimizer, self.scheme, self.images

    @property
    def alone(self) -> bool:
        """Whether each replica is better computed by itself."""
        return self.layer.kind == "convolutional"

    @property
    def size(self) -> int:
        """Number of trainable scalars."""
        return sum(self.layer.size(i, o) for i, o in pairwise(self.widths))

    def network(self) -> nn.Sequential:
        """Make the network, from torch's global seed."""
        return network(self.widths, self.layer.make)

    def modules(self, lr: float) -> tuple[nn.Module, Callable[[Tensor, Tensor], Tensor], torch.optim.Optimizer]:
        """Make network, loss and optimizer, from torch's global seed, for :func:`physnn.lab.training.loop.fit`.

        Schedules are left to the caller (``LambdaLR`` and :class:`physnn.TemperatureSchedule`).
        """
        model = self.network()
        if self.smoothness:
            weight = model[1].weight
            weight.register_hook(lambda grad: grad + self.smoothness * smoothness_gradient(weight.detach()))
        loss = make(self.loss, self.choices, self.coefficients)
        if self.optimizer != "langevin":
            adam = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optimizer]
            return model, loss, adam(model.parameters(), lr, weight_decay=self.weight_decay)
        names = ("damping", "temperature", "weight_decay", "scheme", "noise")
        return model, loss, Langevin(model.parameters(), lr, **{name: getattr(self, name) for name in names})


def seeded(recipe: Recipe, seed: int) -> tuple[nn.Sequential, torch.Generator]:
    """Return a replica's network and the generator of its noise, as :meth:`Recipe.modules` makes them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        start = recipe.network()
        # Langevin seeds its own generator when it is made, after the network.
        return start, torch.Generator().manual_seed(int(torch.randint(2**63 - 1, ())))


def _layer(rest: dict) -> Layer:
    kind = _choice(rest, "layer", LAYERS)
    if kind == "linear":
        return Layer(kind, bias=_switch(rest, "bias", True))
    if kind == "experimental":
        return Layer(kind, bias=False, beta_init=_number(rest, "beta_init"))
    if kind != "dynamic":
        return Layer(kind)
    gate, frozen = rest.pop("gate", "input"), rest.pop("frozen", [])
    if not isinstance(frozen, (list, tuple)) or not set(frozen) <= set(TRAINED):
        raise ValueError(f"frozen must be a list of {' and '.join(TRAINED)}, or empty, got {frozen!r}")
    return Layer(
        kind,
        bias=_switch(rest, "bias", False),
        beta_init=_number(rest, "beta_init"),
        position=_choice(rest, "position", POSITIONS, POSITIONS[0]),
        gate=gate if gate == "input" else _number({"gate": gate}, "gate"),
        frozen=tuple(frozen),
    )


def _optimizer(rest: dict) -> dict[str, Any]:
    kind = _choice(rest, "optimizer", OPTIMIZERS)
    values = {"optimizer": "langevin" if kind == "sgd" else kind, "weight_decay": _number(rest, "weight_decay", 0.0)}
    values["lr_schedule"] = _choice(rest, "lr_schedule", SCHEDULES, SCHEDULES[0])
    if kind == "sgd":
        values["damping"] = 1 - _number(rest, "momentum")
    elif kind == "langevin":
        values |= {"damping": _number(rest, "damping"), "temperature": _number(rest, "temperature", 0.0)}
        choices = {"scheme": SCHEMES, "noise": KINDS, "temperature_schedule": SCHEDULES}
        values |= {name: _choice(rest, name, known, known[0]) for name, known in choices.items()}
    if not 0 < values.get("damping", 1) < 2 or min(values["weight_decay"], values.get("temperature", 0.0)) < 0:
        raise ValueError(
            f"damping, or 1 - momentum, must lie between 0 and 2, both excluded, and temperature and weight_decay "
            f"must be at least 0, got {values}"
        )
    return values


def _data(rest: dict) -> dict[str, Any]:
    count, share = rest.pop("images", None), _number(rest, "label_noise", 0.0)
    if not (count is None or (type(count) is int and count > 0)) or not 0 <= share <= 1:
        raise ValueError(f"images must be a whole number, and label_noise a share, got {count!r} and {share}")
    return {"images": count, "label_noise": share}


def _switch(rest: dict, name: str, default: bool) -> bool:
    value = rest.pop(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}")
    return value


def _choice(rest: dict, name: str, known: Collection[str], default: str | None = None) -> str:
    value = rest.pop(name, default)
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


def _number(rest: dict, name: str, default: float | None = None) -> float:
    value = rest.pop(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)
