r"""A few labels on a graph of images, and what fields say of the others (:mod:`physnn.lab.physics.graph_field`).

No network is trained. The nodes are all images of a data set, those of the test too, by their principal components,
and a replica is a method with its one number in the place of the learning rate: the time :math:`\tau` of a diffusion
for ``threshold``, the width :math:`\varepsilon` for ``flow``, and of no effect for the others. Its seed chooses which
of the training and validation images have labels. There is one epoch: row 0 is the answer of the nearest labelled
image, and row 1 that of the field.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from physnn.lab.data.graphs import Graph, nearest, principal
from physnn.lab.data.images import load
from physnn.lab.data.problems import balanced
from physnn.lab.models.plain import choice
from physnn.lab.physics import graph_field
from physnn.lab.physics.simplex import SIZES, kept
from physnn.lab.training.task import Budget, Column, Replica

ACCURACY = {"scale": 100, "decimals": 2, "margin": 0.2, "tolerance": 2e-3, "larger": True}
COLUMNS: Mapping[str, Column] = {
    "accuracy": Column("share of all images without a label that are answered rightly", "accuracy, %", **ACCURACY),
    "test_accuracy": Column("the same of the test images", "test accuracy, %", **ACCURACY),
    "validation_accuracy": Column(
        "the same of the training and validation images without a label", "accuracy off the test, %", **ACCURACY
    ),
    "off": Column("the largest difference of a class's share of the answers from its true share", larger=False),
    "steps": Column("of the flow", tolerance=2.0),
    "seconds": Column(
        "of finding the field, with the one that it starts from; not of the nearest image, nor of the graph", "seconds"
    ),
}
SCORE, RESULT = "validation_accuracy", "accuracy"
METHODS = ("nearest", "laplace", "poisson", "threshold", "flow")
STREAM = 0x6A4F  # which images have labels
PIECE = 5000  # images whose distances from the labelled ones are held at a time


@dataclass(frozen=True)
class Recipe:
    """An arm: ``{method: threshold, sizes: known, labels: 10}``.

    ``method`` is one of ``METHODS``, of which ``threshold`` and ``flow`` start from the Poisson field. ``sizes`` are
    ``free``, held at those ``known`` of the data, or taken to be ``equal``. ``labels`` is how many a class has,
    ``neighbours`` (10) to how many others a node is tied, and ``components`` (50) how many numbers an image is.
    """

    method: str
    labels: int
    sizes: str = SIZES[0]
    neighbours: int = 10
    components: int = 50

    @property
    def architecture(self) -> tuple:
        """What replicas are put together by; those of one seed share their Poisson field."""
        return self.labels, self.neighbours, self.components

    @property
    def size(self) -> int:
        """The numbers that are found for a class of MNIST, at most."""
        return 70_000


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    method, sizes = choice(rest, "method", METHODS), choice(rest, "sizes", SIZES, SIZES[0])
    counts = {"labels": rest.pop("labels", None)}
    counts |= {name: rest.pop(name, default) for name, default in (("neighbours", 10), ("components", 50))}
    if wrong := {name: value for name, value in counts.items() if type(value) is not int or value < 1}:
        raise ValueError(f"labels, neighbours and components must be whole numbers of at least 1, got {wrong}")
    if sizes != SIZES[0] and method == METHODS[0]:
        raise ValueError(f"the nearest image has no field whose sizes could be {sizes}")
    if rest:
        raise ValueError(f"{method} knows no {sorted(rest)}")
    return Recipe(method, sizes=sizes, **counts)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Find the field of each replica; give what ``COLUMNS`` lists, with the test images last if the budget has a test.

    Raises:
        ValueError: an extra, more than one epoch, a number that is not above 0, or more labels than there are.
    """
    if budget.extras:
        raise ValueError(f"graph knows no extras, got {sorted(budget.extras)}")
    if budget.epochs != 1:
        raise ValueError(f"epochs must be 1, as a field is found once, got {budget.epochs}")
    if wrong := [replica.lr for replica in replicas if not replica.lr > 0]:
        raise ValueError(f"lr is a time or a width, and must be above 0, got {wrong}")
    rows = []
    for replica, recipe in zip(replicas, recipes, strict=True):
        index = labelled(budget.data, recipe.labels, replica.seed)
        before = _judged(
            _nearest(budget.data, recipe.components, recipe.labels, replica.seed), budget.data, index, False
        )
        found, steps, seconds = _answers(budget.data, recipe, replica)
        after = _judged(found, budget.data, index, budget.test) | {"steps": float(steps)}
        rows.append(({**before, "seconds": 0.0}, {**after, "seconds": seconds}))
    yield [before for before, _ in rows]
    yield [after for _, after in rows]


def labelled(data: str, labels: int, seed: int) -> Tensor:
    """Return which nodes have labels: ``labels`` of each class, none of them a test image.

    Raises:
        ValueError: a class has not so many.
    """
    every, known = _nodes(data)
    generator = torch.Generator().manual_seed(seed ^ STREAM)
    return balanced(every[:known], labels * (int(every.max()) + 1), generator)


@cache
def graph(data: str, neighbours: int, components: int) -> Graph:
    """Return the graph of all images: training, validation and test images, in this order."""
    return nearest(_points(data, components), neighbours)


def _answers(data: str, recipe: Recipe, replica: Replica) -> tuple[Tensor, int, float]:
    """Return the class of each node, the steps that it took, and the seconds."""
    every, _ = _nodes(data)
    index = labelled(data, recipe.labels, replica.seed)
    if recipe.method == "nearest":
        return _nearest(data, recipe.components, recipe.labels, replica.seed), 0, 0.0
    shares = kept(every, recipe.sizes)
    kind = "laplace" if recipe.method == "laplace" else "poisson"
    field, earlier = _field(data, recipe.architecture, kind, replica.seed)
    weights, start = graph(data, recipe.neighbours, recipe.components).weights, time.perf_counter()
    steps = 0
    if recipe.method == "threshold":
        found, steps = graph_field.threshold(weights, field, index, every[index], replica.lr, shares)
    elif recipe.method == "flow":
        u, steps = graph_field.flow(weights, field, index, every[index], replica.lr, shares)
        found = u.argmax(1)
    else:
        found = graph_field.answers(field, shares)
    return found, steps, earlier + time.perf_counter() - start


def _judged(found: Tensor, data: str, index: Tensor, test: bool) -> dict[str, float]:
    every, known = _nodes(data)
    right = (found == every).double()
    free = torch.ones(len(every), dtype=torch.bool)
    free[index] = False
    measured = {"validation_accuracy": float(right[:known][free[:known]].mean())}
    if test:
        shares = torch.bincount(found, minlength=int(every.max()) + 1) - torch.bincount(every)
        measured |= {"accuracy": float(right[free].mean()), "test_accuracy": float(right[known:].mean())}
        measured["off"] = float(shares.abs().max() / len(every))
    return measured


@lru_cache(4)
def _field(data: str, architecture: tuple, kind: str, seed: int) -> tuple[Tensor, float]:
    """Return the field that a method starts from, and the seconds that it took."""
    labels, *tied = architecture
    every, _ = _nodes(data)
    index, solve = labelled(data, labels, seed), getattr(graph_field, kind)
    weights, start = graph(data, *tied).weights, time.perf_counter()
    return solve(weights, index, every[index], int(every.max()) + 1), time.perf_counter() - start


@lru_cache(4)
def _nearest(data: str, components: int, labels: int, seed: int) -> Tensor:
    """Return the class of the labelled image that is nearest to each."""
    points, (every, _) = _points(data, components), _nodes(data)
    index = labelled(data, labels, seed)
    given = points[index]
    return torch.cat([every[index][torch.cdist(part, given).argmin(1)] for part in points.split(PIECE)])


@cache
def _points(data: str, components: int) -> Tensor:
    images = load(data)
    parts = [images.as_input(part.images).flatten(1) for part in (images.train, images.validation, images.test)]
    return principal(torch.cat(parts), components)


@cache
def _nodes(data: str) -> tuple[Tensor, int]:
    """Return the labels of all nodes, and how many come before the test images."""
    images = load(data)
    every = torch.cat([part.labels for part in (images.train, images.validation, images.test)])
    return every, len(every) - len(images.test)


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum
