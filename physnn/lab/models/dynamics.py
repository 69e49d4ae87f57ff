"""How an arm's parameters move: its optimizer and the numbers of it, read from plain data and checked."""

import math
from dataclasses import dataclass
from typing import Any

from physnn.lab.models.plain import choice, number
from physnn.noise import KINDS
from physnn.scheme import SCHEMES

OPTIMIZERS = ("sgd", "langevin", "adam", "adamw")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True, kw_only=True)
class Dynamics:
    """The optimizer's part of a recipe.

    ``sgd`` needs ``momentum``, and is Langevin dynamics of damping 1 - momentum at temperature 0; ``langevin`` needs
    ``damping`` and takes ``temperature``, ``scheme``, ``noise`` and ``temperature_schedule`` (constant, or cosine to
    0); ``adam`` and ``adamw`` are torch's with its defaults. All take ``weight_decay`` and ``lr_schedule``. The
    learning rate is not part of a recipe.
    """

    optimizer: str
    damping: float = math.nan
    temperature: float = 0.0
    weight_decay: float = 0.0
    scheme: str = SCHEMES[0]
    noise: str = KINDS[0]
    lr_schedule: str = SCHEDULES[0]
    temperature_schedule: str = SCHEDULES[0]


def take_dynamics(rest: dict[str, Any]) -> dict[str, Any]:
    """Take the entries of :class:`Dynamics` out of plain data; return its fields.

    Raises:
        ValueError: something is missing, unknown, or outside its range.
    """
    kind = choice(rest, "optimizer", OPTIMIZERS)
    values = {"optimizer": "langevin" if kind == "sgd" else kind, "weight_decay": number(rest, "weight_decay", 0.0)}
    values["lr_schedule"] = choice(rest, "lr_schedule", SCHEDULES, SCHEDULES[0])
    if kind == "sgd":
        values["damping"] = 1 - number(rest, "momentum")
    elif kind == "langevin":
        values |= {"damping": number(rest, "damping"), "temperature": number(rest, "temperature", 0.0)}
        choices = {"scheme": SCHEMES, "noise": KINDS, "temperature_schedule": SCHEDULES}
        values |= {name: choice(rest, name, known, known[0]) for name, known in choices.items()}
    if not 0 < values.get("damping", 1) < 2 or min(values["weight_decay"], values.get("temperature", 0.0)) < 0:
        raise ValueError(
            f"damping, or 1 - momentum, must lie between 0 and 2, both excluded, and temperature and weight_decay "
            f"must be at least 0, got {values}"
        )
    return values
