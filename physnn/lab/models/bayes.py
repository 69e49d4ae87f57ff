"""Networks that are to tell how sure they are: an arm's recipe, read from plain data and checked, and its network."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from physnn import posterior
from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.plain import choice, number, switch

KINDS = ("point", "average", "laplace", "chain", "hmc")
SAMPLED = ("chain", "hmc")  # what has draws, and starts from its prior
SHARE = 16  # images take more room than weights: so much that twenty networks are a chunk


class Even(nn.Linear):
    r"""A linear layer all of whose numbers are of one size: :math:`y = W x/\sqrt n + b`.

    A normal prior of one width c for all of W and b is one of width :math:`c/\sqrt n` for what multiplies x. They start
    standard normal. Shape: (\*, n) to (\*, m).
    """

    def reset_parameters(self) -> None:
        """Draw all numbers from the standard normal law, by torch's global generator."""
        for p in self.parameters():
            nn.init.normal_(p)

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs of shape (\\*, n) to outputs of shape (\\*, m)."""
        return F.linear(x, self.weight / math.sqrt(self.in_features), self.bias)


@dataclass(frozen=True, kw_only=True)
class Recipe(Dynamics):
    """An arm: ``{kind: chain, images: 4000, passes: 30, members: 5, width: 1.0, optimizer: langevin, ...}``.

    ``kind`` is how answers come about: by a ``point``, the end of a training; by the ``average`` of its weights after
    every pass but the first ones (SWA, Izmailov et al. 2018); by ``laplace``, draws of the last layer from the normal
    law around its optimum (Daxberger et al. 2021); by the draws of a ``chain``, or of ``hmc``. ``members`` (1) are
    networks with starts, batches and noise of their own, whose probabilities are averaged: of points, a deep ensemble
    (Lakshminarayanan et al. 2017). ``scaled`` (false) multiplies the answers' logits by one number, the best one for
    the validation images (Guo et al. 2017); ``softened`` (1) multiplies them by that number, whatever is best.

    The network has ``hidden`` layers (of 50) of :class:`Even` with tanh between, on the ``components`` (50) leading
    principal components; 0 for the pixels as they are. It is trained on ``images``, drawn by the seed, or the same for
    all seeds if they are ``fixed`` (false); in the minibatches of a study, or of all images where ``whole`` (false).

    An epoch is ``passes`` over the images times ``part`` (1) for each member. ``width`` is that of the prior: weight
    decay and temperature are :func:`physnn.posterior`'s, the latter times ``cold`` (1) for a chain and 0 for others,
    and what has draws starts from the prior. Without it there is the ``weight_decay`` of the optimizer; adamw, whose
    decay is no prior, has only that. The first ``burn`` (1/3) of all passes give no draws, and then every ``thin``-th
    (4) does; of hmc, a proposal of ``leaps`` (50) passes does. With ``truth``, a width and a step, answers are compared
    with those of long chains of hmc of that prior, whose leaps have that step (:mod:`physnn.lab.training.truth`). The
    rest are the entries of :class:`physnn.lab.models.dynamics.Dynamics`; hmc has none, and its learning rate is the
    step of its leaps.
    """

    kind: str
    images: int
    passes: int
    hidden: tuple[int, ...] = (50,)
    components: int = 50
    members: int = 1
    part: float = 1.0
    fixed: bool = False
    whole: bool = False
    width: float = 0.0
    cold: float = 1.0
    burn: float = 1 / 3
    thin: int = 4
    leaps: int = 50
    scaled: bool = False
    softened: float = 1.0
    truth: tuple[float, ...] = ()

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        data = self.images, self.fixed, self.components, self.whole, self.passes, self.part, self.truth
        draws = self.burn, self.thin, self.leaps, self.scaled, self.softened
        return self.kind, self.hidden, self.members, *data, *draws, self.optimizer, self.scheme

    @property
    def size(self) -> int:
        """A measure of the room that a replica takes."""
        widths = (self.components or 64, *self.hidden, 10)
        return SHARE * self.members * sum((n + 1) * m for n, m in pairwise(widths))

    @property
    def each(self) -> int:
        """The passes of an epoch, of each member."""
        return round(self.passes * self.part)

    def make(self, inputs: int, outputs: int) -> nn.Sequential:
        """Make the network, from torch's global generator; from the prior, where it has draws."""
        layers = [Even(n, m) for n, m in pairwise((inputs, *self.hidden, outputs))]
        if self.kind in SAMPLED:
            with torch.no_grad():
                for layer in layers:
                    for p in layer.parameters():
                        p.mul_(self.width)
        return nn.Sequential(*[part for layer in layers for part in (layer, nn.Tanh())][:-1])


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    kind = choice(rest, "kind", KINDS)
    values: dict[str, Any] = {"kind": kind, "hidden": rest.pop("hidden", [50])}
    if not isinstance(values["hidden"], (list, tuple)) or not all(type(w) is int and w > 0 for w in values["hidden"]):
        raise ValueError(f"hidden must be a list of whole numbers above 0, got {values['hidden']!r}")
    values["hidden"] = tuple(values["hidden"])
    values |= {name: _whole(rest, name, least) for name, least in (("images", 1), ("passes", 1))}
    values |= {"components": _whole(rest, "components", 0, 50), "members": _whole(rest, "members", 1, 1)}
    values |= {name: switch(rest, name, False) for name in ("fixed", "whole", "scaled")}
    values["softened"] = number(rest, "softened", 1.0)
    if values["softened"] <= 0 or (values["scaled"] and values["softened"] != 1):
        raise ValueError(f"softened must be above 0, and is not for what is scaled; got {values['softened']:g}")
    values |= {"part": number(rest, "part", 1.0), "truth": _truth(rest, values["fixed"])}
    if abs(values["passes"] * values["part"] - round(values["passes"] * values["part"])) > 1e-9 or values["part"] <= 0:
        raise ValueError(f"part must make a whole number of the {values['passes']} passes, got {values['part']:g}")
    if kind in ("chain", "hmc", "average"):
        values["burn"] = number(rest, "burn", 1 / 3)
        if not 0 <= values["burn"] < 1:
            raise ValueError(f"burn must be at least 0 and below 1, got {values['burn']:g}")
    if kind == "chain":
        values |= {"thin": _whole(rest, "thin", 1, 4), "cold": number(rest, "cold", 1.0)}
        if values["cold"] <= 0:
            raise ValueError(f"cold must be above 0, got {values['cold']:g}")
    values |= _moved(rest, kind, values)
    if rest:
        raise ValueError(f"{kind} and {given.get('optimizer', 'its steps')} know no {sorted(rest)}")
    recipe = Recipe(**values)
    if kind == "hmc" and recipe.each % recipe.leaps:
        raise ValueError(f"leaps must divide the {recipe.each} passes of an epoch, got {recipe.leaps}")
    return recipe


def _moved(rest: dict[str, Any], kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Take what moves the weights out of ``rest``: the dynamics, with the prior's temperature and decay."""
    width, needed = rest.pop("width", None), kind in (*SAMPLED, "laplace")
    if width is None and needed:
        raise ValueError(f"{kind} needs the width of its prior, above 0")
    if kind == "hmc":
        if not values["whole"]:
            raise ValueError("hmc needs whole batches: whole: true")
        own = {"optimizer": "hmc", "leaps": _whole(rest, "leaps", 1, 50)}
    else:
        own = take_dynamics(rest)
    if kind == "chain" and own["optimizer"] != "langevin":
        raise ValueError(f"a chain is moved by langevin, got {own['optimizer']}")
    if own.get("temperature"):
        raise ValueError("a chain's temperature is cold over the number of images, and no other kind has one")
    if width is None:
        return own
    width = number({"width": width}, "width")
    if width <= 0 or own.get("weight_decay") or own["optimizer"] == "adamw":
        raise ValueError(f"width must be above 0, is the weight decay, and is not for adamw; got {width:g}")
    options = posterior(values["images"], width)
    heat = options["temperature"] * values["cold"] if kind == "chain" else 0.0
    return {**own, "width": width, "weight_decay": options["weight_decay"], "temperature": heat}


def _truth(rest: dict[str, Any], fixed: bool) -> tuple[float, ...]:
    """Take the width and the step of the true posterior's chains out of ``rest``: nothing without them."""
    given = rest.pop("truth", [])
    if given and not fixed:
        raise ValueError("truth is that of images which are the same for all seeds: fixed: true")
    if not isinstance(given, (list, tuple)) or len(given) not in (0, 2):
        raise ValueError(f"truth must be a width and a step, got {given!r}")
    found = tuple(number({"truth": value}, "truth") for value in given)
    if any(value <= 0 for value in found):
        raise ValueError(f"truth must be a width and a step above 0, got {given!r}")
    return found


def _whole(rest: dict[str, Any], name: str, least: int, default: int | None = None) -> int:
    """Take a whole number out of ``rest``.

    Raises:
        ValueError: it is something else, below ``least``, or absent without a default.
    """
    value = rest.pop(name, default)
    if type(value) is not int or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return value
