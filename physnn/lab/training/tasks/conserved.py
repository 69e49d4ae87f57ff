r"""A network in a field: few labels, many images without, and the energy of the outputs on the images' graph.

.. math::
    L = \operatorname{mean}\bigl(-\ln u_{y}\bigr) + E(u), \qquad u = \operatorname{softmax} f_\theta(x)

with E of :mod:`physnn.lab.physics.conserved` on the graph of the training images, by their principal components, which
are also what the network sees. A step takes labelled images, and nodes with one other of each, where a walk ends that
goes to a neighbour, drawn by its weight, and from there on with a chance of :math:`1 - 1/r` at each step. Of a reach r
of 1 it is a neighbour; of :math:`1 + \tau` its place has the law :math:`(1 + \tau(1 - P))^{-1}` of a diffusion of a
time :math:`\tau`, less those that stay, with P one step: what the cuts of :mod:`physnn.lab.physics.graph_field` have,
but for ties that go one way. What the graph teaches, by itself, is learned from as many nodes in a step as there are
images in one of the field. The validation and the test images are in no graph. An epoch is no pass: it is 100 steps.
The seed chooses which training images have labels.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from physnn.lab.data.graphs import Graph, nearest, principal
from physnn.lab.data.images import load
from physnn.lab.data.problems import balanced
from physnn.lab.metrics.answers import pack
from physnn.lab.models.network import seeded
from physnn.lab.models.ordered import Recipe, read
from physnn.lab.physics import graph_field
from physnn.lab.physics.simplex import kept
from physnn.lab.training.chance import Chance
from physnn.lab.training.field_engine import FieldEngine
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
    "apart": Column("mean of |u_i - u_j|² over the pairs of an epoch's steps", tolerance=2e-2),
    "mixed": Column("share of these pairs that are of different classes", tolerance=2e-3),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "norm": Column("norm of the parameters"),
    "distance": Column("distance of the parameters from their start", "distance from the start"),
    "validation_right": Column(
        "which of the first 2,000 validation images are answered rightly, packed, of the extra `answers`"
    ),
    "test_right": Column("which test images are answered rightly, packed, of the extra `answers`"),
    "taught_accuracy": Column(
        "share of the training images that the graph, which teaches, answers rightly", "the graph's own, %", **ACCURACY
    ),
    "taught_seconds": Column("of finding what the graph teaches, before the training", tolerance=math.inf),
    "seconds": Column("of training, cumulative, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"
STEPS = 100  # an epoch
LABELLED = 64  # labelled images of a step at most
COMPONENTS, NEIGHBOURS = 50, 10
FARTHEST = 64  # steps of a walk, at most
WATCHED = 2000  # validation images whose answers are kept
STREAM, ORDER = 0x11AB, 0x0DE5  # which images have labels; which are taken in a step


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, with ``test_accuracy`` last if there is a test.

    Raises:
        ValueError: an extra that is none, or more labels than there are.
    """
    if unknown := {*budget.extras} - {"answers"}:
        raise ValueError(f"conserved knows the extra answers, got {sorted(unknown)}")
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
    engine.recipes, engine.shares = recipes, kept(parts["labels"], recipe.sizes)
    taught: Tensor | None = None
    of_graph: dict[str, Tensor] = {}
    if recipe.loss == "taught" or recipe.lead:
        found = [_taught(budget.data, r.labels, seed, r.time) for r, seed in zip(recipes, seeds, strict=True)]
        taught = torch.stack([answers for answers, _ in found]).to(budget.device)
        of_graph = {"taught_accuracy": (taught == parts["labels"]).double().mean(1)}
        of_graph["taught_seconds"] = torch.tensor([seconds for _, seconds in found])
    seconds, averages = 0.0, {name: torch.full((len(replicas),), torch.nan) for name in ("loss", "apart", "mixed")}
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            averages = _epoch(engine, chance, torch.stack(index), taught, budget, epoch)
            seconds += (time.perf_counter() - start) / len(replicas)
        measured, right = _judged(engine, parts, "validation")
        measured |= {**averages, **engine.lengths(), **of_graph}
        packed = {"validation_right": right[:, :WATCHED]}
        if epoch == budget.epochs and budget.test:
            last, packed["test_right"] = _judged(engine, parts, "test")
            measured["test_accuracy"] = last["test_accuracy"]
        columns: dict[str, list] = {name: value.tolist() for name, value in measured.items()}
        if epoch == budget.epochs and "answers" in budget.extras:
            columns |= {name: [pack(row.numpy()) for row in rows.cpu()] for name, rows in packed.items()}
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
    losses, apart, mixed = [], [], []
    for step in range(STEPS):
        across = engine.apart = torch.full((len(engine.alive),), torch.nan)
        engine.passed = (epoch - 1 + step / STEPS) / budget.epochs
        few = min(LABELLED, index.shape[1])
        if taught is not None and engine.led:
            places = chance.share(_drawn(chance, len(inputs), few + 2 * count))
            y = taught.gather(1, places.expand(len(taught), -1))
        else:
            some = _drawn(chance, index.shape[1], few) if few < index.shape[1] else None
            places = chance.share(index if some is None else index.gather(1, some))
            y = every[places]
            if kind != "labels":
                nodes = _drawn(chance, len(inputs), count)
                ends = _walked(chance, budget.data, nodes, [recipe.reach for recipe in engine.recipes])
                across = (every[chance.share(nodes)] != every[ends]).double().mean(1)
                here = torch.cat([places, chance.share(nodes)], 1)
                places = torch.cat([here.expand(len(ends), -1), ends], 1)
        losses.append(engine.step(inputs[places], y))
        apart.append(engine.apart)
        mixed.append(across)
    engine.settle()
    rows = {"loss": losses, "apart": apart, "mixed": mixed}
    return {name: torch.stack(several).double().mean(0) for name, several in rows.items()}


def _drawn(chance: Chance, among: int, count: int) -> Tensor:
    """Return numbers below ``among``, of shape (G, count) for G generators."""
    several = [torch.randint(among, (count,), generator=generator) for generator in chance.generators]
    return torch.stack(several).to(chance.device)


def _walked(chance: Chance, data: str, nodes: Tensor, reach: Sequence[float]) -> Tensor:
    """Return where a walk from each of the nodes, of shape (G, B), ends for each replica, (R, B).

    Replicas of one seed walk the same way, each as far as its own reach says.
    """
    steps, neighbours = _walk(data)
    size = nodes.shape[1]
    drawn = torch.stack([torch.rand(FARTHEST + 1, size, 1, generator=generator) for generator in chance.generators])
    # Longer than l with a chance of (1 - 1/r)^l.
    lot = chance.share(1 - drawn[:, -1, :, 0].to(chance.device))
    stay = 1 - 1 / torch.tensor(reach, device=chance.device).unsqueeze(1)
    lengths = (lot.log() / stay.log()).ceil().clamp(1, FARTHEST).long()
    place, lots, way = nodes.cpu().numpy(), drawn.numpy(), []  # NumPy: many steps of few nodes
    for step in range(int(lengths.max())):
        which = (steps[place] < lots[:, step]).sum(-1)
        place = neighbours[place, which.clip(max=NEIGHBOURS - 1)]
        way.append(torch.from_numpy(place))
    ways = chance.share(torch.stack(way, -1).to(chance.device)).expand(len(reach), -1, -1)
    return ways.gather(-1, lengths.unsqueeze(-1) - 1).squeeze(-1)


@cache
def _walk(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of the shares of a node's ties, and its neighbours, both of shape (n, k)."""
    tied = graph(data)
    ties = tied.ties
    return (ties.cumsum(1) / ties.sum(1, keepdim=True)).float().numpy(), tied.neighbours.numpy()


@lru_cache(100)
def _taught(data: str, labels: int, seed: int, cut: float) -> tuple[Tensor, float]:
    """Return what the graph makes of the labels, of shape (n,), and the seconds: Poisson field, sizes, cuts."""
    every, index = _points(data, "cpu")["labels"], labelled(data, labels, seed)
    weights, start = graph(data).weights, time.perf_counter()
    field = _poisson(data, labels, seed)
    found, _ = graph_field.threshold(weights, field, index, every[index], cut, kept(every, "known"))
    return found, time.perf_counter() - start


@lru_cache(4)
def _poisson(data: str, labels: int, seed: int) -> Tensor:
    every, index = _points(data, "cpu")["labels"], labelled(data, labels, seed)
    return graph_field.poisson(graph(data).weights, index, every[index], int(every.max()) + 1)


@torch.no_grad()
def _judged(engine: FieldEngine, parts: Mapping[str, Tensor], name: str) -> tuple[dict[str, Tensor], Tensor]:
    """Return what is measured on a split, each of shape (R,), and which images are answered rightly, (R, n)."""
    outputs = engine.outputs(parts[name].unsqueeze(0))
    answers, classes = outputs.argmax(-1), outputs.shape[-1]
    right = answers == parts[f"{name} labels"]
    squares = outputs.softmax(-1).square().sum(-1).double().mean(1)
    counts = torch.stack([(answers == c).double().mean(1) for c in range(classes)])
    order = (classes * squares - 1) / (classes - 1)
    return {f"{name}_accuracy": right.double().mean(1), "order": order, "largest": counts.amax(0)}, right


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
