r"""Sampling: walkers that shall be distributed as :math:`e^{-U}`, by the optimizer at temperature 1, in the plane.

A replica is a crowd of walkers, and what counts is where they are after a given number of gradients each. They are held
against a sample that is drawn exactly, of the same size, by the total variation of counts in cells; ``floor`` is what
another exact sample of that size has against it. Overdamped dynamics is the same update with damping 1: stochastic
gradient Langevin dynamics (Welling & Teh 2011) with full gradients. Temperature 0 is descent.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from physnn.lab.metrics.coverage import counts, covered, total_variation
from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.plain import choice
from physnn.lab.physics import densities
from physnn.lab.physics.densities import DENSITIES, STARTS
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.updates import Update

PERCENT = {"scale": 100, "decimals": 1}
COLUMNS: Mapping[str, Column] = {
    "tv": Column(
        "total variation of the walkers and an exact sample of as many, by counts in cells",
        "total variation, %",
        larger=False,
        guess=1.0,
        tolerance=0.02,
        **PERCENT,
    ),
    "excess": Column(
        "tv less floor", "total variation over the floor, points", larger=False, tolerance=0.02, **PERCENT
    ),
    "floor": Column("total variation of two exact samples of as many", "floor, %", **PERCENT),
    "covered": Column(
        "share of the modes that hold at least half of the walkers that they should, of modes with 1 % or more",
        "modes covered, %",
        larger=True,
        tolerance=0.13,
        **PERCENT,
    ),
    "energy": Column("mean energy of the walkers less that of the exact sample; none where walkers are lost"),
    "gradients": Column("that each walker has evaluated"),
    "lost": Column("share of the walkers that have left to infinity"),
    "seconds": Column("so far, shared among those computed together"),
}
SCORE = RESULT = "tv"
STREAM = 0x5A3B1E  # keeps the exact samples apart from the starts, which the bare seed gives
FAR = 1e3  # beyond it a walker is lost


@dataclass(frozen=True, kw_only=True)
class Recipe(Dynamics):
    """An arm: ``{density: ring, start: one, walkers: 1000, steps: 600, optimizer: langevin, damping: 0.1}``.

    ``density`` is one of :data:`physnn.lab.physics.densities.DENSITIES`, ``start`` where walkers begin, around one mode
    or wide, and ``steps`` the gradients of each. The other entries are those of
    :class:`physnn.lab.models.dynamics.Dynamics`.
    """

    density: str
    start: str
    walkers: int
    steps: int

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return self.density, self.start, self.walkers, self.steps, self.optimizer, self.scheme

    @property
    def size(self) -> int:
        """Number of scalars that move, times the modes that a slope looks at."""
        return 16 * self.walkers


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    values: dict[str, Any] = {"density": choice(rest, "density", DENSITIES), "start": choice(rest, "start", STARTS)}
    for name in ("walkers", "steps"):
        values[name] = rest.pop(name, None)
        if type(values[name]) is not int or values[name] < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {values[name]!r}")
    values |= take_dynamics(rest)
    if values["optimizer"] != "langevin":
        raise ValueError(f"walkers are moved by langevin or sgd, got {given['optimizer']!r}")
    if rest:
        raise ValueError(f"{values['density']} and {given['optimizer']} know no {sorted(rest)}")
    return Recipe(**values)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Walk; give what ``COLUMNS`` lists before the first gradient and after every part of the steps.

    Raises:
        ValueError: an extra, data, or steps that the epochs do not divide.
    """
    steps = recipes[0].steps
    if budget.extras or budget.data:
        raise ValueError(f"sampling knows no extras and no data, got {[*budget.extras]} and {budget.data!r}")
    if steps % budget.epochs:
        raise ValueError(f"steps must be a multiple of the epochs, {budget.epochs}, got {steps}")
    crowd, seconds = Crowd(recipes, [replica.lr for replica in replicas], [r.seed for r in replicas]), 0.0
    for epoch in range(budget.epochs + 1):
        if epoch:
            begun = time.perf_counter()
            crowd.walk(steps // budget.epochs)
            seconds += (time.perf_counter() - begun) / len(replicas)
        columns = {name: value.tolist() for name, value in crowd.measured().items()}
        rest = {"gradients": epoch * steps // budget.epochs, "seconds": seconds}
        yield [{**{name: column[i] for name, column in columns.items()}, **rest} for i in range(len(replicas))]


class Crowd:
    """R groups of W walkers on one density, each group with its recipe, its learning rate and its seed.

    Attributes:
        theta: where the walkers are, of shape (R, W, 2).
        lost: who has left to infinity, of shape (R, W); they are kept at rest.
    """

    def __init__(self, recipes: Sequence[Recipe], lrs: Sequence[float], seeds: Sequence[int]) -> None:
        first = recipes[0]
        self.name, self.density = first.density, DENSITIES[first.density]()
        own = [torch.Generator().manual_seed(seed) for seed in seeds]
        noise = [torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=g))) for g in own]
        self.theta = torch.stack([densities.start(self.density, g, first.walkers, first.start) for g in own])
        self.update = Update(recipes, lrs, noise, [self.theta], first.steps)
        exact = [torch.Generator().manual_seed(seed ^ STREAM) for seed in seeds]
        self.exact, other = (torch.stack([self.density.draw(g, first.walkers) for g in exact]) for _ in range(2))
        self.aim = self._counted(self.exact)
        self.floor = total_variation(self._counted(other), self.aim)
        self.lost = torch.zeros(self.theta.shape[:2], dtype=torch.bool)

    @torch.no_grad()
    def walk(self, steps: int) -> None:
        """Take steps, each after one gradient of every walker."""
        for _ in range(steps):
            self.update.step([self.density.slope(self.theta)])
            self.lost |= ~(self.theta.abs() < FAR).all(-1)
            if self.lost.any():
                for tensor in (self.theta, self.update.velocities[0]):
                    tensor[self.lost] = 0.0
        self.update.temperatures()  # nobody reads them

    def measured(self) -> dict[str, Tensor]:
        """Return what can be said of where the walkers are, of shape (R,) each."""
        theta = self.theta.masked_fill(self.lost.unsqueeze(-1), torch.inf)
        tv = total_variation(self._counted(theta), self.aim)
        wells = len(self.density.centres)
        found = torch.where(self.lost, wells, densities.modes(self.density, self.theta))
        energy = (
            self.density.energy(theta).double().mean(1) - self.density.energy(self.exact).double().mean(1)
        ).clone()
        energy[self.lost.any(1)] = torch.nan
        sought = torch.cat([densities.shares(self.name), torch.zeros(1, dtype=torch.float64)])
        return {
            **{"tv": tv, "floor": self.floor, "excess": tv - self.floor, "energy": energy},
            "covered": covered(counts(found, wells + 1), sought, densities.FEW),
            "lost": self.lost.double().mean(1),
        }

    def _counted(self, theta: Tensor) -> Tensor:
        return counts(densities.cells(self.density, theta), densities.CELLS**2 + 1)


def checksum(data: str) -> str:
    """Return a word in place of a checksum: there are no data, everything is drawn from seeds."""
    return "none"
