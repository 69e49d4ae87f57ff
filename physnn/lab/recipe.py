"""What an arm of a study is made of: layers, loss and optimizer, read from plain data and checked."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from physnn import ExperimentalLayer, GinzburgLandauLoss, Langevin
from physnn.lab.models import network
from physnn.loss import BOUNDARIES, NORMS, OUTERS

LAYERS = ("linear", "experimental")
LOSSES = ("ginzburg-landau", "cross-entropy", "squared-error")
OPTIMIZERS = ("sgd", "langevin")
COEFFICIENTS = {"quadratic": 0.0035, "quartic": -5.0, "spatial": 0.5}
CHOICES = {"norm": NORMS, "boundary": BOUNDARIES, "outer": OUTERS}


@dataclass(frozen=True)
class Recipe:
    """An arm: ``{widths: [784, 10], layer: linear, loss: cross-entropy, optimizer: sgd, momentum: 0.9}``.

    The layer ``experimental`` needs ``beta_init``. The loss ``ginzburg-landau`` takes ``quadratic``, ``quartic``,
    ``spatial``, ``norm``, ``boundary`` and ``outer``, as printed where they are absent. The optimizer ``sgd`` needs
    ``momentum``, ``langevin`` needs ``damping`` and takes ``temperature``; both take ``weight_decay``, and both are
    Langevin dynamics: SGD is that of damping 1 - momentum at temperature 0. The learning rate is not part of it.
    """

    widths: tuple[int, ...]
    layer: str
    loss: str
    damping: float
    temperature: float = 0.0
    weight_decay: float = 0.0
    beta_init: float = math.nan
    coefficients: tuple[float, float, float] = tuple(COEFFICIENTS.values())
    choices: tuple[str, str, str] = tuple(known[0] for known in CHOICES.values())

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
        values = {"layer": _choice(rest, "layer", LAYERS), "loss": _choice(rest, "loss", LOSSES)}
        if values["layer"] == "experimental":
            values["beta_init"] = _number(rest, "beta_init")
        if values["loss"] == "ginzburg-landau":
            values["coefficients"] = tuple(_number(rest, name, default) for name, default in COEFFICIENTS.items())
            values["choices"] = tuple(_choice(rest, name, known, known[0]) for name, known in CHOICES.items())
        if (optimizer := _choice(rest, "optimizer", OPTIMIZERS)) == "sgd":
            values["damping"] = 1 - _number(rest, "momentum")
        else:
            values |= {"damping": _number(rest, "damping"), "temperature": _number(rest, "temperature", 0.0)}
        values["weight_decay"] = _number(rest, "weight_decay", 0.0)
        if not 0 < values["damping"] < 2 or min(values["weight_decay"], values.get("temperature", 0.0)) < 0:
            raise ValueError(
                f"damping, or 1 - momentum, must lie between 0 and 2, both excluded, and temperature and weight_decay "
                f"must be at least 0, got {dict(given)}"
            )
        if rest:
            raise ValueError(f"{values['layer']}, {values['loss']} and {optimizer} know no {sorted(rest)}")
        return cls(tuple(widths), **values)

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return self.widths, self.layer

    @property
    def size(self) -> int:
        """Number of trainable scalars."""
        return sum(i * o + (o if self.layer == "linear" else 2) for i, o in pairwise(self.widths))

    def network(self) -> nn.Sequential:
        """Make the network, from torch's global seed."""
        if self.layer == "linear":
            return network(self.widths, nn.Linear)
        return network(self.widths, lambda i, o: ExperimentalLayer(i, o, self.beta_init))

    def modules(self, lr: float) -> tuple[nn.Module, Callable[[Tensor, Tensor], Tensor], Langevin]:
        """Make network, loss and optimizer, from torch's global seed, for :func:`physnn.lab.training.fit`."""
        model = self.network()
        options = {"damping": self.damping, "temperature": self.temperature, "weight_decay": self.weight_decay}
        losses = {"cross-entropy": F.cross_entropy, "squared-error": squared_error}
        if self.loss == "ginzburg-landau":
            loss = GinzburgLandauLoss(*self.coefficients, **dict(zip(CHOICES, self.choices, strict=True)))
        else:
            loss = losses[self.loss]
        return model, loss, Langevin(model.parameters(), lr, **options)


def squared_error(phi: Tensor, labels: Tensor) -> Tensor:
    """Return the mean squared distance of outputs (*, C) from the one-hot form of labels (*)."""
    return F.mse_loss(phi, F.one_hot(labels, phi.shape[-1]).to(phi.dtype))


def seeded(recipe: Recipe, seed: int) -> tuple[list[Tensor], torch.Generator]:
    """Return a replica's start values and the generator of its noise, as :meth:`Recipe.modules` makes them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        start = [p.detach() for p in recipe.network().parameters()]
        # Langevin seeds its own generator when it is made, after the network.
        return start, torch.Generator().manual_seed(int(torch.randint(2**63 - 1, ())))


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
