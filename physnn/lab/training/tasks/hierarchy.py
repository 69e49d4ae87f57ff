r"""Classification with a tree over the classes: of noisy trees, drawn anew from each run's seed, or of images.

An epoch are two passes over the 1,280 samples of a tree, or one over the images.

Beside the accuracy it is measured how far off the wrong answers are in the tree
(:func:`physnn.lab.metrics.hierarchy.error_height`). A network knows nothing of the tree but its samples.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from physnn.lab.data import images, trees
from physnn.lab.metrics.hierarchy import chance_height, error_height
from physnn.lab.models import losses, recipe
from physnn.lab.models.hyperbolic import HyperplaneMLR, PoincareMLR, headed_network, lorentz_network
from physnn.lab.models.network import seeded
from physnn.lab.models.plain import number
from physnn.lab.training.chance import Chance
from physnn.lab.training.engine import Engine
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.updates import Update

SHARE = 7e-4  # two of 3,200 samples
ACCURACY = {"scale": 100, "decimals": 2, "margin": 0.5, "tolerance": SHARE, "larger": True}
COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column(
        "share of test samples whose largest output is the class's, after the last epoch",
        "test accuracy, %",
        **ACCURACY,
    ),
    "test_height": Column(
        "mean height of the lowest common ancestor of answer and class, over the wrong answers on test samples, as a "
        "share of the root's",
        "height of test errors",
        decimals=3,
        tolerance=5e-3,
        larger=False,
    ),
    "validation_accuracy": Column(
        "as test_accuracy, of the validation samples", "validation accuracy, %", **ACCURACY, guess=0.0
    ),
    "validation_height": Column("as test_height, of the validation samples", tolerance=5e-3, larger=False),
    "best_accuracy": Column(
        "as test_accuracy, of the nearest leaf, the best answer there is; of noisy trees", **ACCURACY
    ),
    "best_height": Column("as test_height, of the nearest leaf; of noisy trees", tolerance=5e-3, larger=False),
    "chance_height": Column("as test_height, if all errors are equally likely: of the tree alone"),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "norm": Column("norm of the parameters"),
    "distance": Column("distance of the parameters from their start", "distance from the start"),
    "seconds": Column("of training, cumulative, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"
TREES = "trees"  # the data that are drawn; all others are images
HEADS: dict[str, type[nn.Module]] = {"poincare": PoincareMLR, "hyperplanes": HyperplaneMLR, "flat": nn.Linear}
GEOMETRIES = (*HEADS, "lorentz")
PASSES = 2  # over the samples of a tree, in an epoch; images are seen once
PIECE = 1000  # samples that are evaluated at a time
STREAM = 0x7EE5  # keeps the order of the samples apart from the start values, which the bare seed gives
DRAWN = 0xD4A7  # and so the tree: of the bare seed its steps would be the numbers that weights start from


@dataclass(frozen=True)
class Recipe:
    """An arm: ``{widths: [32, 16, 64], layer: linear, loss: cross-entropy, optimizer: adam, branching: 2, ...}``.

    Layers, losses and optimizers are those of :class:`physnn.lab.models.recipe.Recipe`, without its data; and four more
    layers make the networks of :mod:`physnn.lab.models.hyperbolic`: ``lorentz``, ``poincare``, ``hyperplanes``, and
    ``flat``, the control of the last two. For noisy trees there are ``branching``, ``depth`` and ``noise_level``
    (:func:`physnn.lab.data.trees.noisy_tree`).
    """

    plain: recipe.Recipe
    geometry: str = ""
    tree: tuple[int, int, float] | None = None

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together: loss and tree too."""
        kind = (self.plain.loss, self.plain.choices, self.plain.coefficients)
        own = self.plain.layer  # all of it: the engine tells no gates apart
        return *self.plain.architecture, own, self.geometry, self.tree, kind

    @property
    def size(self) -> int:
        """Number of trainable scalars."""
        if not self.geometry:
            return self.plain.size
        *hidden, classes = self.plain.widths
        inner = sum((n + 1 + (self.geometry == "lorentz")) * m for n, m in pairwise(hidden))
        return inner + (2 * hidden[-1] if self.geometry == "poincare" else hidden[-1] + 1) * classes

    def make(self) -> nn.Module:
        """Make the network, from torch's global seed."""
        if self.geometry == "lorentz":
            return lorentz_network(self.plain.widths)
        return headed_network(self.plain.widths, HEADS[self.geometry]) if self.geometry else self.plain.network()


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest, tree = dict(given), None
    if {"branching", "depth", "noise_level"} & set(rest):
        tree = (rest.pop("branching", None), rest.pop("depth", None), number(rest, "noise_level"))
        trees.check(*tree)
    geometry = rest["layer"] if rest.get("layer") in GEOMETRIES else ""
    plain = recipe.Recipe.read(rest | ({"layer": "linear"} if geometry else {}))
    if (plain.images, plain.label_noise, plain.smoothness) != (None, 0.0, 0.0) or (geometry and not plain.layer.bias):
        raise ValueError(
            "hierarchy knows no images, label_noise and smoothness, and no bias of layers that keep a geometry"
        )
    if tree and (plain.widths[0], plain.widths[-1]) != (trees.FEATURES, tree[0] ** tree[1]):
        raise ValueError(
            f"widths must begin with {trees.FEATURES} and end with {tree[0] ** tree[1]} leaves, "
            f"got {list(plain.widths)}"
        )
    return Recipe(plain, geometry, tree)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, with ``test_...`` last if the budget has a test.

    Raises:
        ValueError: an extra, trees without a shape, images with one, or widths that do not fit the images.
    """
    if budget.extras:
        raise ValueError(f"hierarchy knows no extras, got {sorted(budget.extras)}")
    seeds, plain = [replica.seed for replica in replicas], recipes[0].plain
    problem = Problem.of(budget, recipes[0], list(dict.fromkeys(seeds)))
    chance, seconds = Chance([seed ^ STREAM for seed in seeds], budget.device), 0.0
    networks, noise = zip(*(seeded(r.make, seed) for r, seed in zip(recipes, seeds, strict=True)), strict=True)
    passes = PASSES if budget.data == TREES else 1
    steps = budget.epochs * passes * math.ceil(problem.count / budget.batch_size)
    update = partial(Update, [r.plain for r in recipes], [replica.lr for replica in replicas], noise, steps=steps)
    loss = losses.make(plain.loss, plain.choices, plain.coefficients)
    engine = Engine(networks, loss, update, device=budget.device)
    mean = torch.full((len(replicas),), torch.nan)
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            batches = [index for _ in range(passes) for index in chance.batches(problem.count, budget.batch_size)]
            values = [engine.step(*problem.batch(chance, index)) for index in batches]
            mean = torch.stack(values).double().mean(0)
            engine.settle()
            seconds += (time.perf_counter() - start) / len(replicas)
        measured = {"loss": mean} | engine.lengths() | problem.judged(engine, chance, "validation")
        if epoch == budget.epochs and budget.test:
            measured |= problem.judged(engine, chance, "test") | problem.best(chance, len(replicas))
            measured["chance_height"] = torch.full_like(mean, chance_height(problem.heights))
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(engine.alive)
        ]


@dataclass(frozen=True)
class Problem:
    """What G generators give: inputs (G, N, ...) and labels (G, N) of each part, or (1, ...) for all, and the tree."""

    parts: Mapping[str, tuple[Tensor, Tensor]]
    heights: Tensor
    prepared: Callable[[Tensor], Tensor] = field(default_factory=lambda: torch.Tensor.float)
    centres: Tensor | None = None

    @classmethod
    def of(cls, budget: Budget, arm: Recipe, seeds: Sequence[int]) -> "Problem":
        """Make the problem of an arm, for the distinct seeds of its replicas.

        Raises:
            ValueError: the arm does not fit the data.
        """
        if (budget.data == TREES) != (arm.tree is not None):
            raise ValueError(
                f"branching, depth and noise_level are for the data {TREES}, and needed there, got data {budget.data!r}"
            )
        if arm.tree:
            drawn = [trees.noisy_tree(*arm.tree, seed ^ DRAWN) for seed in seeds]
            parts = {
                name: tuple(
                    torch.stack([getattr(getattr(tree, name), what) for tree in drawn]).to(budget.device)
                    for what in ("inputs", "labels")
                )
                for name in trees.SIZES
            }
            centres = torch.stack([tree.centres for tree in drawn]).to(budget.device)
            return cls(parts, drawn[0].heights.to(budget.device), centres=centres)
        data = _load(budget.data, budget.device)
        widths = arm.plain.widths
        if (widths[0], widths[-1]) != (data.pixels, 10):
            raise ValueError(
                f"widths must begin with {data.pixels} and end with 10 for {budget.data}, got {list(widths)}"
            )
        parts = {
            name: (split.images.unsqueeze(0), split.labels.unsqueeze(0))
            for name, split in (("train", data.train), ("validation", data.validation), ("test", data.test))
        }
        return cls(parts, trees.linkage_heights(trees.label_tree(data)).to(budget.device), data.as_input)

    @property
    def count(self) -> int:
        """How many training samples there are."""
        return self.parts["train"][1].shape[1]

    def batch(self, chance: Chance, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs (R, B, ...) and labels (R, B) of one batch, (1, ...) for all where all have one seed."""
        inputs, labels = self.parts["train"]
        which = torch.arange(len(index), device=index.device).unsqueeze(1) if len(labels) > 1 else 0
        return chance.share(self.prepared(inputs[which, index])), chance.share(labels[which, index])

    def judged(self, engine: Engine, chance: Chance, name: str) -> dict[str, Tensor]:
        """Return ``NAME_accuracy`` and ``NAME_height`` of the networks on a part, of shape (R,) each."""
        inputs, labels = (self._shared(chance, part) for part in self.parts[name])
        answers = torch.cat([engine.outputs(self.prepared(piece)).argmax(-1) for piece in inputs.split(PIECE, 1)], 1)
        return self._measured(name, answers, labels)

    def best(self, chance: Chance, count: int) -> dict[str, Tensor]:
        """Return the same of the nearest leaf, as ``best_...``, on test samples; nothing where no leaf is known."""
        if self.centres is None:
            return {}
        inputs, labels = (self._shared(chance, part) for part in self.parts["test"])
        found = self._measured("best", trees.nearest(inputs, self._shared(chance, self.centres)), labels)
        return {key: value.expand(count) for key, value in found.items()}

    def _shared(self, chance: Chance, part: Tensor) -> Tensor:
        return chance.share(part) if len(part) > 1 else part

    def _measured(self, name: str, answers: Tensor, labels: Tensor) -> dict[str, Tensor]:
        right = (answers == labels).double().mean(-1)
        return {f"{name}_accuracy": right, f"{name}_height": error_height(answers, labels, self.heights)}


def checksum(data: str) -> str:
    """Return the checksum of a data set; of the noisy trees, that of one of them."""
    return trees.checksum() if data == TREES else images.load(data).checksum


_load = cache(lambda dataset, device: images.load(dataset, device=device))
