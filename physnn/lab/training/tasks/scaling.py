r"""Scaling: the test error of a network against how many images it learns from, and against its width.

.. math::
    \varepsilon(n) \approx a + b\, n^{-c}

which :mod:`physnn.lab.statistics.power_law` fits. A run has one number of images n, one width, and one of two budgets:
so many ``steps``, the same for every n, or so many ``passes`` over its images.

Its images are drawn from its own seed, and those of a small n are among those of a larger one, so that a seed's runs
make one curve. While hyperparameters are chosen they are drawn from the training images (50,000 of MNIST) alone, and an
n above that is cut to it; runs with a test draw from training and validation images together (60,000), as nothing is
chosen any more. An epoch is a share of the run, 1 / epochs of its steps.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from physnn.lab.data.images import Dataset, Split, load
from physnn.lab.metrics.outputs import accuracy
from physnn.lab.models.recipe import Recipe as ImageRecipe
from physnn.lab.training.chance import Chance
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Column, Replica

ERROR = {"scale": 100, "decimals": 2, "tolerance": 7e-3, "larger": False}  # two of the 300 digits
COLUMNS: Mapping[str, Column] = {
    "test_error": Column(
        "share of test images whose largest output is not the label's, after the last epoch", "test error, %", **ERROR
    ),
    "validation_error": Column(
        "as test_error, of the validation images; of runs without a test, as the others learn from them",
        "validation error, %",
        guess=0.9,
        **ERROR,
    ),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "images": Column("how many images the run learns from"),
    "width": Column("units of the first hidden layer; of a network without one, classes"),
    "steps": Column("steps so far"),
    "norm": Column("of the parameters"),
    "distance": Column("of the parameters from their start"),
    "seconds": Column("of training so far, shared among those trained together"),
}
SCORE, RESULT = "validation_error", "test_error"
LENGTHS = ("steps", "passes")
STREAM = 0x5CA1E  # keeps the choice and the order of the images apart from the start values


@dataclass(frozen=True)
class Recipe(ImageRecipe):
    """An arm of the task ``images``, with ``images`` and either ``steps`` or ``passes``, whole numbers above 0."""

    steps: int = 0
    passes: int = 0

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together: their number of images and of steps too."""
        return *super().architecture, self.steps, self.passes


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    lengths = {name: rest.pop(name) for name in LENGTHS if name in rest}
    if len(lengths) != 1 or not all(type(value) is int and value > 0 for value in lengths.values()):
        raise ValueError(f"give either steps or passes, a whole number above 0, got {lengths}")
    recipe = replace(Recipe.read(rest), **lengths)
    if not recipe.images or recipe.label_noise:
        raise ValueError(
            f"scaling needs images, how many there are to learn from, with right labels, got images {recipe.images} "
            f"and label_noise {recipe.label_noise}"
        )
    return recipe


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, with ``test_error`` last if there is a test.

    Raises:
        ValueError: an extra, more images than there are, or fewer steps than epochs.
    """
    if budget.extras:
        raise ValueError(f"scaling knows no extras, got {sorted(budget.extras)}")
    data, recipe, seeds = _load(budget.data, budget.device), recipes[0], [replica.seed for replica in replicas]
    lessons = Lessons(data, recipe, seeds, budget)
    stack = Stack(recipes, [replica.lr for replica in replicas], seeds, lessons.steps, budget.device)
    loss, seconds = torch.full((len(replicas),), torch.nan), 0.0
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            loss = lessons.epoch(stack)
            seconds += (time.perf_counter() - start) / len(replicas)
        measured = {"loss": loss, **stack.lengths()}
        if not budget.test:
            measured["validation_error"] = _error(stack, data, data.validation)
        elif epoch == budget.epochs:
            measured["test_error"] = _error(stack, data, data.test)
        columns = {name: value.tolist() for name, value in measured.items()}
        shared = {"images": lessons.count, "width": recipe.widths[1], "steps": lessons.taken, "seconds": seconds}
        yield [
            {**{name: column[i] for name, column in columns.items()}, **shared} if alive else None
            for i, alive in enumerate(stack.alive)
        ]


class Lessons:
    """What each replica learns from, in its order.

    Args:
        data: the images.
        recipe: says how many of them, and how long.
        seeds: of the replicas.
        budget: says of how many a step is, how many epochs there are, and whether the validation images are free.

    Attributes:
        count: how many images each learns from.
        steps: how many steps there are, and ``taken`` so far.

    Raises:
        ValueError: more images than there are, or fewer steps than epochs.
    """

    def __init__(self, data: Dataset, recipe: Recipe, seeds: Sequence[int], budget: Budget) -> None:
        parts = [data.train, data.validation]
        self.data, self.chance = data, Chance([seed ^ STREAM for seed in seeds], budget.device)
        whole, asked = sum(map(len, parts)), recipe.images or 0
        if asked > whole:
            raise ValueError(f"images must be at most {whole}, those of {data.name} but for the test, got {asked}")
        used = parts[: 1 + budget.test]
        self.images, self.labels = (torch.cat([getattr(part, name) for part in used]) for name in ("images", "labels"))
        self.count, self.batch_size = min(asked, len(self.labels)), budget.batch_size
        self.steps = recipe.steps or recipe.passes * -(-self.count // self.batch_size)
        if self.steps < budget.epochs:
            raise ValueError(f"a run of {self.steps} steps has no {budget.epochs} epochs; give it more steps or passes")
        orders = [torch.randperm(len(self.labels), generator=g) for g in self.chance.generators]
        self.chosen = torch.stack(orders)[:, : self.count].to(self.labels.device)
        self.ends = [round(self.steps * (k + 1) / budget.epochs) for k in range(budget.epochs)]
        self.taken, self.batches = 0, self._batches()

    def epoch(self, stack: Stack) -> Tensor:
        """Take the steps of the next epoch; return means of the losses, of shape (R,)."""
        end = next(end for end in self.ends if end > self.taken)
        count, total = end - self.taken, torch.zeros(len(stack.recipes), dtype=torch.float64, device=stack.device)
        while self.taken < end:
            index = self.chosen.gather(1, next(self.batches))
            x = self.data.as_input(self.images.index_select(0, index.flatten())).view(*index.shape, -1)
            x, y = (self.chance.share(part) for part in (x, self.labels[index]))
            total += stack.step(x, y)[0]
            self.taken += 1
        stack.settle()
        return total / count

    def _batches(self) -> Iterator[Tensor]:
        while True:
            yield from self.chance.batches(self.count, self.batch_size)


def _error(stack: Stack, data: Dataset, split: Split) -> Tensor:
    return 1 - accuracy(stack.outputs(data, split), split.labels)


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(lambda dataset, device: load(dataset, device=device))
