"""What an arm of a study is made of: layers, loss and optimizer, read from plain data and checked."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from physnn import Langevin
from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.layers import LAYERS, POSITIONS, TRAINED, Layer
from physnn.lab.models.losses import CHOICES, COEFFICIENTS, LOSSES, make, smoothness_gradient
from physnn.lab.models.network import network
from physnn.lab.models.plain import choice, number, switch, widths
from physnn.lab.physics.pixels import STENCILS


@dataclass(frozen=True)
class Recipe(Dynamics):
    """An arm: ``{widths: [784, 10], layer: linear, loss: cross-entropy, optimizer: sgd, momentum: 0.9}``.

    Layers: ``linear`` takes ``bias`` (true); ``experimental``, the post's class, needs ``beta_init``; ``dynamic``
    (:class:`physnn.DynamicLinear`) needs ``beta_init`` and takes ``position`` (index, normalized, ones, permuted,
    reversed, learned, from one: 1, 2, ..., n, or none: a = 0), ``gate`` (input, next, or a number), ``bias`` (false),
    ``frozen`` (of beta, t);
    ``film`` and ``squeeze-excitation`` are those of :mod:`physnn.lab.models.layers`.

    The loss ``ginzburg-landau`` takes ``quadratic``, ``quartic``, ``spatial``, ``norm``, ``boundary`` and ``outer``, as
    printed where they are absent; ``cross-entropy``, ``squared-error`` and ``softmax-twice`` (cross-entropy of the
    softmax, as if that were not in it) take nothing.

    The optimizer's entries are those of :class:`physnn.lab.models.dynamics.Dynamics`.

    Data and penalty: ``images`` (how many of the training images are used, the first ones; all of them),
    ``label_noise`` (0; the share of wrong training labels, see :func:`physnn.lab.data.corruptions.mislabel`), and for
    linear layers ``smoothness`` (0), the coefficient of a squared difference of the first layer's weights as images,
    which is added to the loss, and ``stencil``, which difference: ``neighbours``, the Dirichlet energy, or ``central``,
    that of the post's spatial term, whose coefficient may be negative
    (:func:`physnn.lab.models.losses.smoothness_gradient`).
    """

    widths: tuple[int, ...]
    layer: Layer
    loss: str
    coefficients: tuple[float, float, float] = tuple(COEFFICIENTS.values())
    choices: tuple[str, str, str] = tuple(known[0] for known in CHOICES.values())
    images: int | None = None
    label_noise: float = 0.0
    smoothness: float = 0.0
    stencil: str = "neighbours"

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Return the recipe that plain data describe.

        A task with entries of its own takes them out first, and puts them into a class that inherits this one.

        Raises:
            ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
        """
        rest = dict(given)
        sizes = widths(rest, "pixels first and classes last")
        values = {"layer": _layer(rest), "loss": choice(rest, "loss", LOSSES)}
        if values["loss"] == "ginzburg-landau":
            values["coefficients"] = tuple(number(rest, name, default) for name, default in COEFFICIENTS.items())
            values["choices"] = tuple(choice(rest, name, known, known[0]) for name, known in CHOICES.items())
        values |= take_dynamics(rest) | _data(rest)
        values["smoothness"] = number(rest, "smoothness", 0.0)
        values["stencil"] = stencil = choice(rest, "stencil", STENCILS, "neighbours")
        if stencil != "central" and values["smoothness"] < 0:
            raise ValueError(f"smoothness must be at least 0 with {stencil}, got {values['smoothness']}")
        if values["smoothness"] and values["layer"].kind != "linear":
            raise ValueError(
                f"smoothness is for linear layers, got {values['smoothness']} with layer {values['layer'].kind}"
            )
        if values["smoothness"] and math.isqrt(sizes[0]) ** 2 != sizes[0]:
            raise ValueError(f"smoothness needs square images, got {sizes[0]} pixels")
        if rest:
            optimizer = given["optimizer"]
            raise ValueError(f"{values['layer'].kind}, {values['loss']} and {optimizer} know no {sorted(rest)}")
        if values["layer"].frozen and values.get("temperature"):
            raise ValueError("frozen is for temperature 0: the noise of a run depends on what is trained")
        return cls(sizes, **values)

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
            weight.register_hook(
                lambda grad: grad + self.smoothness * smoothness_gradient(weight.detach(), self.stencil)
            )
        loss = make(self.loss, self.choices, self.coefficients)
        if self.optimizer != "langevin":
            adam = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optimizer]
            return model, loss, adam(model.parameters(), lr, weight_decay=self.weight_decay)
        names = ("damping", "temperature", "weight_decay", "scheme", "noise")
        return model, loss, Langevin(model.parameters(), lr, **{name: getattr(self, name) for name in names})


def _layer(rest: dict) -> Layer:
    kind = choice(rest, "layer", LAYERS)
    if kind == "linear":
        return Layer(kind, bias=switch(rest, "bias", True))
    if kind == "experimental":
        return Layer(kind, bias=False, beta_init=number(rest, "beta_init"))
    if kind != "dynamic":
        return Layer(kind)
    gate, frozen = rest.pop("gate", "input"), rest.pop("frozen", [])
    if not isinstance(frozen, (list, tuple)) or not set(frozen) <= set(TRAINED):
        raise ValueError(f"frozen must be a list of {' and '.join(TRAINED)}, or empty, got {frozen!r}")
    return Layer(
        kind,
        bias=switch(rest, "bias", False),
        beta_init=number(rest, "beta_init"),
        position=choice(rest, "position", POSITIONS, POSITIONS[0]),
        gate=gate if gate in ("input", "next") else number({"gate": gate}, "gate"),
        frozen=tuple(frozen),
    )


def _data(rest: dict) -> dict[str, Any]:
    count, share = rest.pop("images", None), number(rest, "label_noise", 0.0)
    if not (count is None or (type(count) is int and count > 0)) or not 0 <= share <= 1:
        raise ValueError(f"images must be a whole number, and label_noise a share, got {count!r} and {share}")
    return {"images": count, "label_noise": share}
