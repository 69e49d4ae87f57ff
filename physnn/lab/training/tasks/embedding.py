r"""Embedding of a regular tree: points whose distances are to be those of the tree, in a flat or a hyperbolic space.

.. math::
    L = \operatorname*{mean}_{i \ne j} \left( \frac{D_{ij}}{\ell\, d_{ij}} - 1 \right)^2

with the distances D of the points, d of the tree, and the length ℓ of an edge, which in a flat space is only a unit.
All points are tangent vectors at the centre, so that both spaces have the same optimizers. There is one tree and no
other data: what is fitted is what is measured, and nothing is said of what was not seen.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from physnn.lab.data import trees
from physnn.lab.metrics.distortion import average_distortion, mean_average_precision, worst_distortion
from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.hyperbolic import tangent_distance
from physnn.lab.models.network import seeded
from physnn.lab.models.plain import choice, number
from physnn.lab.training.chance import Chance
from physnn.lab.training.engine import Engine
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.updates import Update

COLUMNS: Mapping[str, Column] = {
    "map": Column(
        "mean average precision of the tree's neighbours by distance, after the last epoch: 1 if the nearest points "
        "are the neighbours",
        "mean average precision",
        decimals=3,
        larger=True,
        tolerance=1e-2,
    ),
    "worst_distortion": Column(
        "largest stretch of a distance over the smallest, after the last epoch",
        "worst distortion",
        decimals=1,
        larger=False,
    ),
    "distortion": Column(
        "mean relative error of the distances, at the best scale",
        "mean distortion, %",
        scale=100,
        decimals=1,
        larger=False,
    ),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "norm": Column("norm of the points"),
    "distance": Column("distance of the points from their start"),
    "seconds": Column("of training, cumulative, shared among those trained together"),
}
SCORE, RESULT = "distortion", "map"
SPACES = ("flat", "hyperbolic")
PASSES = 10  # over all points, in an epoch
START = 0.1  # standard deviation of the first coordinates, in edges
STREAM = 0xE3BED


@dataclass(frozen=True, kw_only=True)
class Recipe(Dynamics):
    """An arm: ``{space: hyperbolic, dimensions: 2, branching: 2, depth: 7, edge: 1.0, optimizer: adam}``."""

    space: str
    dimensions: int
    branching: int
    depth: int
    edge: float

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return self.space, self.dimensions, self.branching, self.depth, self.optimizer, self.scheme

    @property
    def size(self) -> int:
        """Number of trainable scalars."""
        return self.dimensions * len(trees.tree_distances(self.branching, self.depth))

    def make(self) -> nn.Module:
        """Make the points, from torch's global seed."""
        return Points(self.size // self.dimensions, self.dimensions, self.space, self.edge)


class Points(nn.Module):
    """Points of a space of constant curvature, 0 or −1, as tangent vectors at its centre.

    Attributes:
        places: of shape (N, n), double precision.

    Shape: indices of points (B,) to their distances from all points, (B, N), in edges.
    """

    def __init__(self, count: int, dimensions: int, space: str, edge: float) -> None:
        super().__init__()
        self.space = space
        self.register_buffer("edge", torch.tensor(edge, dtype=torch.float64))
        self.places = nn.Parameter(START * edge * torch.randn(count, dimensions, dtype=torch.float64))

    def forward(self, index: Tensor) -> Tensor:
        """Return the distances of some points from all, over the length of an edge."""
        u, v = self.places[index].unsqueeze(1), self.places
        if self.space == "hyperbolic":
            return tangent_distance(u, v) / self.edge
        return ((u - v).square().sum(-1) + 1e-12).sqrt() / self.edge


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    values: dict[str, Any] = {"space": choice(rest, "space", SPACES), "edge": number(rest, "edge")}
    values |= {name: rest.pop(name, None) for name in ("dimensions", "branching", "depth")}
    trees.check(values["branching"], values["depth"], 1.0)
    if type(values["dimensions"]) is not int or values["dimensions"] < 1 or values["edge"] <= 0:
        raise ValueError(
            f"dimensions must be a whole number above 0, and edge above 0, got {values['dimensions']!r} and "
            f"{values['edge']}"
        )
    values |= take_dynamics(rest)
    if rest:
        raise ValueError(f"embedding and {given['optimizer']} know no {sorted(rest)}")
    return Recipe(**values)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Fit the points of replicas of one architecture.

    A step sees the distances of ``batch_size`` points from all, and an epoch are ten passes over the points.

    Raises:
        ValueError: an extra, or data, of which there are none.
    """
    if budget.extras or budget.data:
        raise ValueError(f"embedding knows no extras and no data, got {sorted(budget.extras)} and {budget.data!r}")
    graph = trees.tree_distances(recipes[0].branching, recipes[0].depth)
    lengths = torch.from_numpy(graph).double().to(budget.device)
    seeds, seconds = [replica.seed for replica in replicas], 0.0
    networks, noise = zip(*(seeded(r.make, seed) for r, seed in zip(recipes, seeds, strict=True)), strict=True)
    steps = budget.epochs * PASSES * -(-len(graph) // budget.batch_size)
    update = partial(Update, recipes, [replica.lr for replica in replicas], noise, steps=steps)
    engine = Engine(networks, stress, update, device=budget.device)
    chance, loss = Chance([seed ^ STREAM for seed in seeds], budget.device), torch.full((len(replicas),), torch.nan)
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            batches = [each for _ in range(PASSES) for each in chance.batches(len(graph), budget.batch_size)]
            shared = [chance.share(index) for index in batches]
            loss = torch.stack([engine.step(index, lengths[index]) for index in shared]).double().mean(0)
            engine.settle()
            seconds += (time.perf_counter() - start) / len(replicas)
        last = epoch == budget.epochs and budget.test
        measured = {"loss": loss} | engine.lengths() | _judged(engine, graph, last)
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(engine.alive)
        ]


def stress(embedded: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean squared relative error of distances, in edges; a point's distance from itself is left out."""
    others = lengths > 0
    return ((embedded / torch.where(others, lengths, 1.0) - 1).square() * others).sum() / others.sum()


def _judged(engine: Engine, graph: np.ndarray, last: bool) -> dict[str, Tensor]:
    """Return what is measured on all distances, (R,) each."""
    found: dict[str, list[float]] = {"distortion": []} | ({"map": [], "worst_distortion": []} if last else {})
    for matrix in engine.outputs(torch.arange(len(graph)).unsqueeze(0)).cpu().numpy():
        found["distortion"].append(average_distortion(matrix, graph))
        if last:
            found["map"].append(mean_average_precision(matrix, graph))
            found["worst_distortion"].append(worst_distortion(matrix, graph))
    return {name: torch.tensor(values) for name, values in found.items()}


def checksum(data: str) -> str:
    """Return the checksum of no data: the tree is part of the recipe."""
    return "none"
