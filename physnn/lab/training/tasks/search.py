r"""Search: which of the ways to spend a given number of gradients finds the lowest point of a landscape.

A replica is a group of searches (:class:`physnn.lab.training.search.Searches`) on one landscape whose best minimum is
known: tilted double wells (:mod:`physnn.lab.physics.wells`), or a planted net
(:class:`physnn.lab.models.planted.Planted`). Each search counts for itself: it may evaluate ``steps`` gradients, which
the epochs of a design divide into equal parts.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.plain import choice, number
from physnn.lab.models.planted import Planted
from physnn.lab.physics import wells
from physnn.lab.training.search import Landscape, Searches
from physnn.lab.training.task import Budget, Column, Replica

SHARE = {"scale": 100, "decimals": 1, "larger": True, "tolerance": 0.02}
COLUMNS: Mapping[str, Column] = {
    "found": Column(
        "share of the searches whose lowest point so far lies in the best well, or has found the teacher",
        "found, % of searches",
        guess=0.0,
        **SHARE,
    ),
    "visited": Column("share of the searches that have been there at any time", "visited, % of searches", **SHARE),
    "settled": Column("share of the searches that are there now", "there now, % of searches", **SHARE),
    "lowest": Column("lowest loss so far over that of the best minimum, mean over searches", larger=False),
    "gradients": Column("gradients that each search has evaluated"),
    "lost": Column("share of the searches whose walker has left to infinity"),
    "seconds": Column("so far, shared among those computed together"),
}
SCORE = RESULT = "found"
LANDSCAPES = ("wells", "planted")
DRAWN = 0x91A7  # keeps the planted problems apart from the starts of the searches, which the bare seed gives


@dataclass(frozen=True, kw_only=True)
class Recipe(Dynamics):
    """An arm: ``{landscape: wells, dimension: 4, start: near, optimizer: langevin, damping: 0.1, temperature: 0.1}``.

    ``wells`` needs ``dimension``; ``planted`` needs ``units``, ``inputs`` and ``samples``. Both need ``start`` (near or
    far), ``steps``, the gradients of a search, and ``walkers``, how many searches there are. ``length`` (0: never) is
    after how many steps a search begins anew; it is rounded, and is for temperature 0. The other entries are those of
    :class:`physnn.lab.models.dynamics.Dynamics`.
    """

    landscape: str
    shape: tuple[int, ...]
    start: str
    steps: int
    walkers: int
    length: int = 0

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return self.landscape, self.shape, self.start, self.steps, self.walkers, self.optimizer, self.scheme

    @property
    def size(self) -> int:
        """Number of scalars that move."""
        return self.walkers * (self.shape[0] if self.landscape == "wells" else self.shape[0] * self.shape[1])


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    landscape = choice(rest, "landscape", LANDSCAPES)
    names = ("dimension",) if landscape == "wells" else ("units", "inputs", "samples")
    values: dict[str, Any] = {"landscape": landscape, "shape": tuple(_count(rest, name) for name in names)}
    values |= {"start": choice(rest, "start", wells.STARTS)}
    values |= {name: _count(rest, name) for name in ("steps", "walkers")}
    length = number(rest, "length", 0.0)
    values["length"] = round(length)
    values |= take_dynamics(rest)
    if values["optimizer"] != "langevin":
        raise ValueError(f"searches are moved by langevin or sgd, got {given['optimizer']!r}")
    if length and (values["length"] < 1 or values.get("temperature")):
        raise ValueError(
            f"length must be at least 1 step, or 0 for no restarts, and is for temperature 0, got {length} at "
            f"temperature {values.get('temperature')}"
        )
    if rest:
        raise ValueError(f"{landscape} and {given['optimizer']} know no {sorted(rest)}")
    return Recipe(**values)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Search; give what ``COLUMNS`` lists before the first gradient and after every part of the steps.

    Raises:
        ValueError: an extra, data, or steps that the epochs do not divide.
    """
    recipe, seeds = recipes[0], [replica.seed for replica in replicas]
    if budget.extras or budget.data:
        raise ValueError(f"search knows no extras and no data, got {[*budget.extras]} and {budget.data!r}")
    if recipe.steps % budget.epochs:
        raise ValueError(f"steps must be a multiple of the epochs, {budget.epochs}, got {recipe.steps}")
    landscape = landscape_of(recipe, seeds)
    own = {"start": recipe.start, "walkers": recipe.walkers, "steps": recipe.steps}
    lengths = [each.length for each in recipes]
    searches = Searches(recipes, [replica.lr for replica in replicas], seeds, landscape, lengths=lengths, **own)
    seconds, some = 0.0, torch.ones(len(replicas), dtype=torch.bool)
    for epoch in range(budget.epochs + 1):
        if epoch:
            begun = time.perf_counter()
            searches.run(recipe.steps // budget.epochs)
            searches.update.temperatures()  # nobody reads them
            seconds += (time.perf_counter() - begun) / len(replicas)
            some = ~searches.lowest.isinf().any(1)
        columns = {name: value.tolist() for name, value in _measured(searches).items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "gradients": searches.taken, "seconds": seconds}
            if some[i]
            else None
            for i in range(len(replicas))
        ]


class Wells:
    """Tilted double wells in D coordinates, the same for all groups, as a landscape of searches."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        better = torch.tensor([wells.places().better], dtype=torch.float64)
        self.floor = dimension * wells.energy(better).item()

    def draw(self, generator: torch.Generator, count: int, start: str) -> Tensor:
        """Draw starts, as :func:`physnn.lab.physics.wells.draw` does."""
        return wells.draw(generator, count, self.dimension, start)

    def evaluate(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return energies over the best minimum's, of shape (R, W), and slopes."""
        return wells.energy(theta) - self.floor, wells.slope(theta)

    def found(self, theta: Tensor, losses: Tensor) -> Tensor:
        """Tell which walkers are in the best well."""
        return wells.found(theta)


def landscape_of(recipe: Recipe, seeds: Sequence[int]) -> Landscape:
    """Return what searches with these seeds walk on: the wells are the same for all, and each has a planted net."""
    if recipe.landscape == "wells":
        return Wells(*recipe.shape)
    return Planted([seed ^ DRAWN for seed in seeds], *recipe.shape)


def checksum(data: str) -> str:
    """Return a word in place of a checksum: there are no data, everything is drawn from seeds."""
    return "none"


def _measured(searches: Searches) -> dict[str, Tensor]:
    shares = {"found": searches.reported, "visited": searches.visited, "settled": searches.now, "lost": searches.lost}
    values = {name: share.double().mean(1) for name, share in shares.items()}
    lowest = torch.where(searches.lowest.isinf(), torch.nan, searches.lowest)
    return values | {"lowest": lowest.double().mean(1)}


def _count(rest: dict[str, Any], name: str) -> int:
    value = rest.pop(name, None)
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return value
