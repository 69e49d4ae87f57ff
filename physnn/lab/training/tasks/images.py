"""Classification of images: networks of an arm's layers, loss and optimizer, trained on MNIST or the digits."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch

from physnn.lab.data.images import load
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.measures import EXTRAS, after_epoch, at_end
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Replica

COLUMNS: Mapping[str, str] = {}
read = Recipe.read


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture: :func:`physnn.lab.training.replicas.train` lists what is measured.

    Raises:
        ValueError: an extra is unknown.
    """
    if unknown := {*budget.extras} - {*EXTRAS}:
        raise ValueError(f"extras must be of {', '.join(EXTRAS)}, got {sorted(unknown)}")
    images, seconds = _load(budget.data, budget.device), 0.0
    count = recipes[0].images or len(images.train)
    steps = budget.epochs * math.ceil(count / budget.batch_size)
    stack = Stack(recipes, [r.lr for r in replicas], [r.seed for r in replicas], steps, budget.device)
    nothing = dict.fromkeys(Stack.AVERAGES, torch.full((len(replicas),), torch.nan))
    for epoch in range(budget.epochs + 1):
        start = time.perf_counter()
        averages = stack.epoch(images, budget.batch_size) if epoch else nothing
        seconds += (time.perf_counter() - start) / len(replicas) if epoch else 0.0
        measured = {**averages, **after_epoch(stack, images, budget.extras)}
        if epoch == budget.epochs:
            measured |= at_end(stack, images, budget.test, budget.extras)
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(stack.alive)
        ]


_load = cache(lambda dataset, device: load(dataset, device=device))
