r"""A network in a field: few labels, many images without, and the energy of the outputs on the images' graph.

.. math::
    L = \operatorname{mean}\bigl(-\ln u_{y}\bigr) + E(u), \qquad u = \operatorname{softmax} f_\theta(x)

with E of :mod:`physnn.lab.physics.conserved` on the graph of the training images, by their principal components,
which are also what the network sees. A step takes labelled images, and nodes with one neighbour of each, drawn by its
weight. The validation and the test images are in no graph. An epoch is no pass: it is 100 steps. The seed chooses
which training images have labels.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from physnn.lab.data.graphs import Graph, nearest, principal
from physnn.lab.data.images import load
from physnn.lab.data.problems import balanced
from physnn.lab.models.network import seeded
from physnn.lab.models.ordered import Recipe, read
from physnn.lab.physics import graph_field
from physnn.lab.physics.conserved import conserved_energy
from physnn.lab.training.chance import Chance
from physnn.lab.training.engine import Engine
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.updates import Update

__all__ = ["COLUMNS", "RESULT", "SCORE", "checksum", "read", "run"]

ACCURACY = {"scale": 100, "decimals": 2, "margin": 0.2, "tolerance": 2e-3, "larger": True}
COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column(
        "share of test images answered rightly, after the last epoch", "test accuracy, %", **ACCURACY
    ),
    "validation_accuracy": Column("the same of the validation images", "validation accuracy, %", guess=0.1, **ACCURACY),
    "order": Column(
        "how far outputs are from none of the classes: (C Σu² - 1)/(C - 1), 1 in a corner, mean over validation images",
        "order",
        decimals=3,
        tolerance=2e-2,
    ),
    "largest": Column(
        "share of the validation images that the most frequent answer has", "largest class", decimals=3, tolerance=2e-3
    ),
    "apart": Column("mean of |u_i - u_j|² over the ties of an epoch's steps", tolerance=2e-2),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "norm": Column("norm of the parameters"),
    "distance": Column("distance of the parameters from their start", "distance from the start"),
    "seconds": Column("of training, cumulative, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"
STEPS = 100  # an epoch
LABELLED = 64  # labelled images of a step at most
COMPONENTS, NEIGHBOURS = 50, 10
TIME = 10.0  # of the diffusion between two cuts, where labels come from the graph
STREAM, ORDER = 0x11AB, 0x0DE5  # which images have labels; which are taken in a step


class FieldEngine(Engine):
    """Replicas in a field: outputs are those of labelled images, then of nodes, then of one neighbour of each."""

    recipes: Sequence[Recipe]
    shares: Tensor
    passed = 0.0  # share of the training
    apart: Tensor

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return each replica's loss, of shape (R,), for labels (R, B), or (1, B) for all, of the first B outputs."""
        kind, count = self.recipes[0].loss, y.shape[1]
        if kind == "printed":
            return self._printed(outputs, y)
        wrong = -F.log_softmax(outputs[:, :count], -1).gather(2, y.expand(len(outputs), -1).unsqueeze(2)).mean((1, 2))
        if kind != "field":
            return wrong
        here, there = outputs[:, count:].softmax(-1).chunk(2, 1)
        self.apart = (here - there).detach().square().sum(-1).mean(-1)
        numbers = {name: self._of(name) for name in ("stiffness", "depth", "conservation")}
        ramp = self.recipes[0].ramp
        numbers["depth"] = numbers["depth"] * (min(1.0, self.passed / ramp) if ramp else 1.0)
        energy = conserved_energy(
            here,
            there.unsqueeze(2),
            torch.ones_like(here[..., :1]),
            shares=self.shares if self.recipes[0].conserved else None,
            sharpening=self.recipes[0].sharpening,
            **numbers,
        )
        return wrong + energy

    def _printed(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the post's loss with the graph in the place of the class index, and its outputs as they are."""
        u = outputs / outputs.abs().amax((1, 2), keepdim=True).clamp(min=1e-12)
        d = u[:, : y.shape[1]] - F.one_hot(y, u.shape[-1])
        here, there = u[:, y.shape[1] :].chunk(2, 1)
        apart = (here - there).square().sum(-1).mean(-1)
        self.apart = apart.detach()
        return ((0.0035 * d.square() - 5 * d.pow(4)).mean((1, 2)) + self._of("stiffness") / 2 * apart).abs()

    def _of(self, name: str) -> Tensor:
        return torch.tensor([getattr(recipe, name) for recipe in self.recipes], device=self.params[0].device)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, with ``test_accuracy`` last if there is a test.

    Raises:
        ValueError: an extra, or more labels than there are.
    """
    if budget.extras:
        raise ValueError(f"conserved knows no extras, got {sorted(budget.extras)}")
    recipe, seeds = recipes[0], [replica.seed for replica in replicas]
    parts = _points(budget.data, budget.device)
    chance = Chance([seed ^ ORDER for seed in seeds], budget.device)
    index = [labelled(budget.data, recipe.labels, seed) for seed in dict.fromkeys(seeds)]
    classes, size = int(parts["labels"].max()) + 1, parts["train"].shape[1]
    networks, noise = zip(
        *(seeded(partial(r.make, size, classes), seed) for r, seed in zip(recipes, seeds, strict=True)), strict=True
    )
    update = partial(Update, recipes, [replica.lr for replica in replicas], noise, steps=budget.epochs * STEPS)
    engine = FieldEngine(networks, F.cross_entropy, update, device=budget.device)
    engine.recipes, engine.shares = recipes, torch.bincount(parts["labels"]).double() / len(parts["labels"])
    taught = None
    if recipe.loss == "taught":
        taught = torch.stack([_taught(budget.data, recipe.labels, seed) for seed in dict.fromkeys(seeds)])
    seconds, averages = 0.0, {name: torch.full((len(replicas),), torch.nan) for name in ("loss", "apart")}
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            averages = _epoch(engine, chance, torch.stack(index), taught, budget, epoch)
            seconds += (time.perf_counter() - start) / len(replicas)
        measured = {**averages, **_judged(engine, parts, "validation"), **engine.lengths()}
        if epoch == budget.epochs and budget.test:
            measured["test_accuracy"] = _judged(engine, parts, "test")["test_accuracy"]
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(engine.alive)
        ]


def labelled(data: str, labels: int, seed: int) -> Tensor:
    """Return which training images have labels, ``labels`` of each class.

    Raises:
        ValueError: a class has not so many.
    """
    every = _points(data, "cpu")["labels"]
    return balanced(every, labels * (int(every.max()) + 1), torch.Generator().manual_seed(seed ^ STREAM))


@cache
def graph(data: str) -> Graph:
    """Return the graph of the training images."""
    return nearest(_points(data, "cpu")["train"], NEIGHBOURS)


def _epoch(
    engine: FieldEngine, chance: Chance, index: Tensor, taught: Tensor | None, budget: Budget, epoch: int
) -> dict[str, Tensor]:
    """Take an epoch's steps; return means over them, of shape (R,)."""
    parts, kind = _points(budget.data, budget.device), engine.recipes[0].loss
    every, inputs, count = parts["labels"], parts["train"], budget.batch_size
    losses, apart = [], []
    engine.apart = torch.full((len(engine.alive),), torch.nan)
    for step in range(STEPS):
        engine.passed = (epoch - 1 + step / STEPS) / budget.epochs
        if taught is not None:
            nodes = _drawn(chance, len(inputs), count)
            places, y = nodes, taught.gather(1, nodes)
        else:
            few = min(LABELLED, index.shape[1])
            some = _drawn(chance, index.shape[1], few) if few < index.shape[1] else None
            places = index if some is None else index.gather(1, some)
            y = every[places]
            if kind != "labels":
                nodes = _drawn(chance, len(inputs), count)
                places = torch.cat([places, nodes, _beside(chance, budget.data, nodes)], 1)
        x, y = chance.share(inputs[places]), chance.share(y)
        losses.append(engine.step(x, y))
        apart.append(engine.apart)
    engine.settle()
    return {"loss": torch.stack(losses).double().mean(0), "apart": torch.stack(apart).double().mean(0)}


def _drawn(chance: Chance, among: int, count: int) -> Tensor:
    """Return numbers below ``among``, of shape (G, count) for G generators."""
    several = [torch.randint(among, (count,), generator=generator) for generator in chance.generators]
    return torch.stack(several).to(chance.device)


def _beside(chance: Chance, data: str, nodes: Tensor) -> Tensor:
    """Return one neighbour of each node, drawn by its weight; both of shape (G, B)."""
    steps, neighbours = _walk(data)
    chosen = torch.stack([torch.rand(nodes.shape[1], 1, generator=generator) for generator in chance.generators])
    which = (steps[nodes.cpu()] < chosen).sum(-1, keepdim=True).clamp(max=NEIGHBOURS - 1)
    return neighbours[nodes.cpu()].gather(-1, which).squeeze(-1).to(nodes.device)


@cache
def _walk(data: str) -> tuple[Tensor, Tensor]:
    """Return the sums of the shares of a node's ties, and its neighbours, both of shape (n, k)."""
    tied = graph(data)
    ties = tied.ties
    return (ties.cumsum(1) / ties.sum(1, keepdim=True)).float(), tied.neighbours


@cache
def _taught(data: str, labels: int, seed: int) -> Tensor:
    """Return what the graph makes of the labels, of shape (n,): Poisson field, classes' sizes, threshold dynamics."""
    every, index = _points(data, "cpu")["labels"], labelled(data, labels, seed)
    shares = torch.bincount(every).double() / len(every)
    field = graph_field.poisson(graph(data).weights, index, every[index], len(shares))
    return graph_field.threshold(graph(data).weights, field, index, every[index], TIME, shares)[0]


@torch.no_grad()
def _judged(engine: FieldEngine, parts: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Return what is measured on a split, each of shape (R,)."""
    outputs = engine.outputs(parts[name].unsqueeze(0))
    answers, classes = outputs.argmax(-1), outputs.shape[-1]
    measured = {f"{name}_accuracy": (answers == parts[f"{name} labels"]).double().mean(1)}
    squares = outputs.softmax(-1).square().sum(-1).double().mean(1)
    counts = torch.stack([(answers == c).double().mean(1) for c in range(classes)])
    return {**measured, "order": (classes * squares - 1) / (classes - 1), "largest": counts.amax(0)}


@cache
def _points(data: str, device: str) -> dict[str, Tensor]:
    """Return the principal components of each split, fitted to the training images, and the labels."""
    images = load(data)
    train = images.as_input(images.train.images).flatten(1)
    parts = {"train": principal(train, COMPONENTS), "labels": images.train.labels}
    for name in ("validation", "test"):
        split = getattr(images, name)
        parts[name] = principal(images.as_input(split.images).flatten(1), COMPONENTS, fitted=train)
        parts[f"{name} labels"] = split.labels
    return {name: part.to(device) for name, part in parts.items()}


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum
