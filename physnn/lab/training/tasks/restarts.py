r"""Restarts: images classified by the best of several short trainings, at the cost of one long one.

The epochs of a replica are divided among ``runs`` trainings from starts of their own. Of these the one with the highest
validation accuracy is kept. With one run, this is the task ``images`` with less to measure.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from physnn.lab.data.images import Dataset, load
from physnn.lab.metrics.outputs import accuracy, fit_scale, nll
from physnn.lab.models.recipe import Recipe as ImageRecipe
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.tasks.images import ACCURACY

COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column(
        "share of test images whose largest output is the label's, of the run that was kept",
        "test accuracy, %",
        **ACCURACY,
    ),
    "test_nll": Column("cross-entropy of the test images, of outputs times the scale that suits the validation images"),
    "validation_accuracy": Column(
        "as test_accuracy, of the validation images, of the best run so far",
        "validation accuracy, %",
        guess=0.1,
        **ACCURACY,
    ),
    "fit_loss": Column(
        "training loss of the run that was kept, on the images it was trained on, in batches, without a step between",
        "training loss at the end",
        larger=False,
    ),
    "fit_accuracy": Column("as test_accuracy, of the images it was trained on", "training accuracy, %", **ACCURACY),
    "fit_nll": Column("cross-entropy of the images it was trained on", larger=False),
    "loss": Column("mean over the steps of an epoch, of the run that is under way"),
    "kept": Column("which of the runs is the best so far, from 0"),
    "kinetic": Column("temperature of the momenta, mean over every tenth step of the epoch"),
    "gradients": Column("batch gradients that have been evaluated"),
    "seconds": Column("of training so far, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"


@dataclass(frozen=True)
class Recipe(ImageRecipe):
    """An arm of the task ``images`` (:class:`physnn.lab.models.recipe.Recipe`), with ``runs`` (1)."""

    runs: int = 1

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return *super().architecture, self.runs


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    runs = rest.pop("runs", 1)
    if type(runs) is not int or runs < 1:
        raise ValueError(f"runs must be a whole number of at least 1, got {runs!r}")
    return replace(Recipe.read(rest), runs=runs)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture, run after run.

    A run that diverges is not kept; a replica of which no run is left has diverged.

    Raises:
        ValueError: an extra, or epochs that the runs do not divide.
    """
    runs = recipes[0].runs
    if budget.extras:
        raise ValueError(f"restarts knows no extras, got {sorted(budget.extras)}")
    if budget.epochs % runs:
        raise ValueError(f"epochs must be a multiple of the runs, {runs}, got {budget.epochs}")
    images, each = _load(budget.data, budget.device), budget.epochs // runs
    lrs, seconds = [replica.lr for replica in replicas], 0.0
    kept = Kept(len(replicas))
    for index in range(runs):
        seeds = [seed_of(replica.seed, index) for replica in replicas]
        steps = each * math.ceil((recipes[0].images or len(images.train)) / budget.batch_size)
        stack = Stack(recipes, lrs, seeds, steps, budget.device)
        if not index:
            yield _rows(kept.shown(stack, images, 0), {}, [True] * len(replicas), 0, 0.0)
        for epoch in range(1, each + 1):
            start = time.perf_counter()
            averages = stack.epoch(images, budget.batch_size)
            seconds += (time.perf_counter() - start) / len(replicas)
            measured = kept.shown(stack, images, index)
            if epoch == each:
                kept.take(stack, images, index)
            last = epoch == each and index == runs - 1
            if last:
                kept.load(stack)
                measured |= _at_end(stack, images, budget)
            rest = {name: averages[name] for name in ("loss", "kinetic")}
            alive = [a or b for a, b in zip(stack.alive, kept.any, strict=True)]
            yield _rows(measured, rest, alive, (index * each + epoch) * steps // each, seconds)


def seed_of(seed: int, index: int) -> int:
    """Return the seed of a run: the replica's own for the first one, and drawn from it for the others."""
    generator = torch.Generator().manual_seed(seed)
    return [seed, *torch.randint(2**62, (index,), generator=generator).tolist()][index]


class Kept:
    """The parameters of the best finished run of each of R replicas, by the validation images."""

    def __init__(self, count: int) -> None:
        self.score = torch.full((count,), -torch.inf)
        self.run, self.params = torch.zeros(count, dtype=torch.long), []

    @property
    def any(self) -> list[bool]:
        """Whether a run of each replica has been kept."""
        return self.score.isfinite().tolist()

    def shown(self, stack: Stack, images: Dataset, index: int) -> dict[str, Tensor]:
        """Return what would be kept were this the end: its validation accuracy, and which run it is."""
        score = _validation(stack, images)
        better = score > self.score
        return {"validation_accuracy": score.where(better, self.score), "kept": self.run.masked_fill(better, index)}

    def take(self, stack: Stack, images: Dataset, index: int) -> None:
        """Keep a finished run where it is better than those before."""
        score = _validation(stack, images)
        better = score > self.score
        if not self.params:
            self.params = [p.detach().clone() for p in stack.params]
        for own, other in zip(self.params, stack.params, strict=True):
            own[better] = other.detach()[better]
        self.score, self.run = score.where(better, self.score), self.run.masked_fill(better, index)

    @torch.no_grad()
    def load(self, stack: Stack) -> None:
        """Put what was kept into a stack."""
        for own, other in zip(self.params, stack.params, strict=True):
            other.copy_(own)


def _validation(stack: Stack, images: Dataset) -> Tensor:
    """Return the validation accuracy of each replica; minus infinity where its run has diverged."""
    score = accuracy(stack.outputs(images, images.validation), images.validation.labels).float().cpu()
    return score.where(torch.tensor(stack.alive), -torch.inf)


@torch.no_grad()
def _at_end(stack: Stack, images: Dataset, budget: Budget) -> dict[str, Tensor]:
    """Return what is measured of the runs that were kept; the test images are read here alone."""
    split = images.train
    count = stack.count(images)
    train = type(split)(split.images[:count], split.labels[:count])
    outputs = stack.outputs(images, train)
    parts = zip(outputs.split(budget.batch_size, 1), train.labels.split(budget.batch_size), strict=True)
    losses = torch.stack([stack.losses(part, labels[None])[0] * len(labels) for part, labels in parts])
    values = {"fit_loss": losses.sum(0) / count, "fit_accuracy": accuracy(outputs, train.labels)}
    values["fit_nll"] = nll(outputs, train.labels)
    if budget.test:
        scale = fit_scale(stack.outputs(images, images.validation), images.validation.labels)
        outputs = stack.outputs(images, images.test)
        values["test_accuracy"] = accuracy(outputs, images.test.labels)
        values["test_nll"] = nll(scale[:, None, None] * outputs, images.test.labels)
    return values


def _rows(
    measured: Mapping[str, Tensor], rest: Mapping[str, Tensor], alive: Sequence[bool], gradients: int, seconds: float
) -> list[dict[str, Any] | None]:
    columns = {name: value.tolist() for name, value in {**measured, **rest}.items()}
    own = {"gradients": gradients, "seconds": seconds}
    return [
        {**{name: column[i] for name, column in columns.items()}, **own} if ok else None for i, ok in enumerate(alive)
    ]


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(lambda dataset, device: load(dataset, device=device))
