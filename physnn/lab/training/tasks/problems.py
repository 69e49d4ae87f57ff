r"""Classification of problems of several kinds, by networks and by gradient-boosted trees.

The problems are those of :mod:`physnn.lab.data.problems`, each drawn from the replica's seed. An epoch is no pass: it
is 250 steps of a network, or 8 rounds of boosting, whatever the problem.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from physnn.lab.data import problems
from physnn.lab.data.problems import Problem
from physnn.lab.data.trees import Samples
from physnn.lab.models.boosting import Boosted, Boosting
from physnn.lab.models.plain import choice, number
from physnn.lab.models.recipe import Recipe as Network
from physnn.lab.training.chance import Chance
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Column, Replica

SHARE = 2.0e-2  # a few of the 114 validation samples of the smallest problem
ACCURACY = {"scale": 100, "decimals": 2, "margin": 0.5, "tolerance": SHARE, "larger": True}
COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column(
        "share of test samples whose answer is the class, after the last epoch", "test accuracy, %", **ACCURACY
    ),
    "validation_accuracy": Column(
        "as test_accuracy, of the validation samples, with their true labels",
        "validation accuracy, %",
        guess=0.0,
        **ACCURACY,
    ),
    "loss": Column("mean over the steps of an epoch; of networks"),
    "norm": Column("norm of the parameters; of networks"),
    "distance": Column("distance of the parameters from their start; of networks", "distance from the start"),
    "seconds": Column("of training, cumulative, shared among those trained together", "seconds", decimals=1),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"
METHODS = ("network", "boosted trees")
STEPS, ROUNDS = 250, 8  # an epoch
PIECE = 1000  # samples that are evaluated at a time
STREAM = 0x5AB1  # keeps the order of the samples apart from the start values, which the bare seed gives


@dataclass(frozen=True)
class Recipe:
    """An arm: ``{problem: tree, samples: 1280, shape: [32, 64], method: network, hidden: [64], layer: linear, ...}``.

    ``problem``, ``samples`` and ``label_noise`` (0) say what is drawn (:func:`physnn.lab.data.problems.draw`), and
    ``shape`` how many features and classes that has. The method ``boosted trees`` needs the entries of
    :class:`physnn.lab.models.boosting.Boosting`. A ``network`` needs ``hidden``, the widths between, and the entries of
    :class:`physnn.lab.models.recipe.Recipe`, without its data and its widths.
    """

    problem: str
    samples: int
    label_noise: float
    shape: tuple[int, int]
    method: Network | Boosting

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together: the problem, and what a network is."""
        kind = self.method.architecture if isinstance(self.method, Network) else METHODS[1]
        return self.problem, self.samples, self.label_noise, self.shape, kind

    @property
    def alone(self) -> bool:
        """Whether each replica is better computed by itself."""
        return isinstance(self.method, Boosting)

    @property
    def size(self) -> int:
        """Number of trainable scalars; of boosted trees, of an epoch's leaves."""
        if isinstance(self.method, Network):
            return self.method.size
        return self.method.leaves * ROUNDS * self.shape[1]

    def draw(self, data: str, seed: int) -> Problem:
        """Draw the problem from a seed.

        Raises:
            ValueError: it has another shape, or as :func:`physnn.lab.data.problems.draw`.
        """
        drawn = problems.draw(self.problem, self.samples, seed, label_noise=self.label_noise, data=data)
        found = drawn.train.inputs.shape[1], int(drawn.test.labels.max()) + 1
        if found != self.shape:
            raise ValueError(
                f"shape must be {list(found)}, the features and classes of {self.problem}, got {list(self.shape)}"
            )
        return drawn


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    problem, samples, shape = (
        choice(rest, "problem", problems.PROBLEMS),
        rest.pop("samples", None),
        rest.pop("shape", ()),
    )
    wrong, kind = number(rest, "label_noise", 0.0), choice(rest, "method", METHODS)
    if type(samples) is not int or samples < 1:
        raise ValueError(f"samples must be a whole number of at least 1, got {samples!r}")
    if not isinstance(shape, (list, tuple)) or len(shape) != 2:
        raise ValueError(f"shape must be two whole numbers, features and classes, got {shape!r}")
    if kind == METHODS[1]:
        method: Network | Boosting = Boosting.read(rest)
        if rest:
            raise ValueError(f"{kind} know no {sorted(rest)}")
    else:
        method = _network(rest, tuple(shape))
    return Recipe(problem, samples, wrong, tuple(shape), method)


def _network(rest: dict[str, Any], shape: tuple[int, int]) -> Network:
    if own := sorted({"widths", "images", "smoothness", "stencil"} & set(rest)):
        raise ValueError(f"networks know no {own} here: widths are hidden and shape, and images are samples")
    hidden = rest.pop("hidden", None)
    if not isinstance(hidden, (list, tuple)):
        raise ValueError(f"hidden must be a list of widths, which may be empty, got {hidden!r}")
    return Network.read({**rest, "widths": [shape[0], *hidden, shape[1]]})


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, with ``test_accuracy`` last if there is a test.

    Raises:
        ValueError: an extra, or problems that there are not.
    """
    if budget.extras:
        raise ValueError(f"problems know no extras, got {sorted(budget.extras)}")
    if recipes[0].alone:
        several = [_boosted(*each, budget) for each in zip(replicas, recipes, strict=True)]
        yield from map(list, zip(*several, strict=True))
    else:
        yield from _networks(replicas, recipes, budget)


def _networks(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    seeds, seconds = [replica.seed for replica in replicas], 0.0
    drawn = [recipes[0].draw(budget.data, seed) for seed in dict.fromkeys(seeds)]
    parts = {
        name: _stacked([getattr(each, name) for each in drawn], budget.device)
        for name in ("train", "validation", "test")
    }
    chance = Chance([seed ^ STREAM for seed in seeds], budget.device)
    methods, lrs = [recipe.method for recipe in recipes], [replica.lr for replica in replicas]
    stack = Stack(methods, lrs, seeds, budget.epochs * STEPS, budget.device)
    loss = torch.full((len(replicas),), torch.nan)
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            loss = _epoch(stack, chance, parts["train"], budget.batch_size)
            seconds += (time.perf_counter() - start) / len(replicas)
        measured = {"validation_accuracy": _accuracy(stack, chance, parts["validation"]), "loss": loss}
        measured |= stack.lengths()
        if epoch == budget.epochs and budget.test:
            measured["test_accuracy"] = _accuracy(stack, chance, parts["test"])
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(stack.alive)
        ]


def _boosted(replica: Replica, recipe: Recipe, budget: Budget) -> Iterator[dict[str, Any]]:
    drawn, seconds = recipe.draw(budget.data, replica.seed), 0.0
    trees = Boosted(recipe.method, replica.lr, drawn.train.inputs, drawn.train.labels)
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            trees.grow(ROUNDS)
            seconds += time.perf_counter() - start
        own = {"validation_accuracy": trees.accuracy(drawn.validation.inputs, drawn.validation.labels)}
        if epoch == budget.epochs and budget.test:
            own["test_accuracy"] = trees.accuracy(drawn.test.inputs, drawn.test.labels)
        yield {**own, "seconds": seconds}


def _stacked(several: Sequence[Samples], device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Return inputs (G, N, n) and labels (G, N) of G generators, or (1, ...) where all have the same."""
    first = several[0].inputs
    if all(torch.equal(part.inputs, first) for part in several[1:]):
        several = several[:1]
    inputs, labels = (torch.stack([getattr(part, what) for part in several]) for what in ("inputs", "labels"))
    return inputs.to(device), labels.to(device)


def _epoch(stack: Stack, chance: Chance, train: tuple[Tensor, Tensor], batch_size: int) -> Tensor:
    """Take an epoch's steps, pass after pass; return means of the losses, of shape (R,)."""
    inputs, labels = train
    count, wanted = labels.shape[1], STEPS * batch_size
    passes = -(-wanted // count)
    orders = torch.stack(
        [
            torch.cat([torch.randperm(count, generator=generator) for _ in range(passes)])[:wanted]
            for generator in chance.generators
        ]
    ).to(labels.device)
    which = torch.arange(len(orders), device=labels.device).unsqueeze(1) if len(labels) > 1 else 0
    losses = []
    for index in orders.split(batch_size, 1):
        x, y = (chance.share(part[which, index]) for part in (inputs, labels))
        losses.append(stack.step(x, y)[0])
    stack.settle()
    return torch.stack(losses).double().mean(0)


@torch.no_grad()
def _accuracy(stack: Stack, chance: Chance, part: tuple[Tensor, Tensor]) -> Tensor:
    """Return each replica's share of right answers, of shape (R,)."""
    inputs, labels = (chance.share(each) if len(each) > 1 else each for each in part)
    answers = torch.cat([stack.forward(piece).argmax(-1) for piece in inputs.split(PIECE, 1)], 1)
    return (answers == labels).double().mean(1)


checksum = problems.checksum
