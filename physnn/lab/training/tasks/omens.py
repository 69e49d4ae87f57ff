r"""Omens: what a run of image classification logs early, and how it ends.

The runs are those of the task ``images``. After every epoch stand beside loss and accuracy the physical quantities
that the post's parts define: temperatures, energy and its sign, the gate's one number, the rate of the direction and
its speed,

.. math::
    \rho = t \tanh 5\beta, \qquad \frac{\alpha}{\gamma\,|\theta|^2}, \qquad \frac{|\delta_\perp|}{|\theta|} .

Whether they tell in advance which runs fail is asked by :mod:`physnn.lab.statistics.forewarning`.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from physnn.lab.data.images import Dataset, Split, load
from physnn.lab.metrics.outputs import accuracy
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.watching import Watched

ACCURACY = {"scale": 100, "decimals": 2, "tolerance": 1e-3, "larger": True}  # two of 2,000 images
COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column("share of test images whose largest output is the label's", "test accuracy, %", **ACCURACY),
    "validation_accuracy": Column(
        "as test_accuracy, of the first 2,000 validation images",
        "validation accuracy, %",
        guess=0.1,
        **ACCURACY,
    ),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "gradient": Column("norm of the loss's gradient, a mean over every tenth step", "gradient, last epoch"),
    "kinetic": Column("temperature of the momenta, likewise", "kinetic temperature, last epoch"),
    "configurational": Column("temperature of the forces, likewise"),
    "energy": Column("mean over the steps of the mean inside the bars of the Ginzburg-Landau loss"),
    "negative": Column("share of the steps of an epoch with a negative energy", tolerance=1e-2),
    "rho": Column("t tanh 5 beta, the gate's one number under a loss without a scale, mean over the layers"),
    "rate": Column("effective rate of the direction, lr / (damping norm^2), after the epoch"),
    "speed": Column("tangent of the angle by which a step turns the weights, a mean over every tenth step", "speed"),
    "norm": Column("of the parameters"),
    "distance": Column("of the parameters from their start"),
    "seconds": Column("of training so far, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"
WATCHED = 2000  # validation images


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe, one of :class:`physnn.lab.models.recipe.Recipe`.

    Raises:
        ValueError: it is none, or its optimizer has no temperature.
    """
    recipe = Recipe.read(given)
    if recipe.optimizer != "langevin":
        raise ValueError(f"omens need an optimizer with temperatures, sgd or langevin, got {given['optimizer']!r}")
    return recipe


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, ``test_accuracy`` last if the budget has a test.

    Raises:
        ValueError: an extra.
    """
    if budget.extras:
        raise ValueError(f"omens know no extras, got {sorted(budget.extras)}")
    images, seconds, rates = _load(budget.data, budget.device), 0.0, [replica.lr for replica in replicas]
    steps = budget.epochs * math.ceil((recipes[0].images or len(images.train)) / budget.batch_size)
    stack = Stack(recipes, rates, [replica.seed for replica in replicas], steps, budget.device)
    stack.update = watched = Watched(stack.update)  # type: ignore[assignment]
    watch = Split(images.validation.images[:WATCHED], images.validation.labels[:WATCHED])
    of_direction = torch.tensor([lr / recipe.damping for lr, recipe in zip(rates, recipes, strict=True)])
    averages = dict.fromkeys(Stack.AVERAGES, torch.full((len(replicas),), torch.nan))
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            averages = stack.epoch(images, budget.batch_size)
            seconds += (time.perf_counter() - start) / len(replicas)
        measured = averages | watched.motion() | stack.lengths() | {"rho": gate(stack)}
        measured["rate"] = of_direction / measured["norm"].cpu().square()
        measured["validation_accuracy"] = _accuracy(stack, images, watch)
        if epoch == budget.epochs and budget.test:
            measured["test_accuracy"] = _accuracy(stack, images, images.test)
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(stack.alive)
        ]


@torch.no_grad()
def gate(stack: Stack) -> Tensor:
    """Return t tanh 5 beta of each replica, mean over its layers, of shape (R,); NaN where the layers have no gate."""
    if stack.layer.kind not in ("experimental", "dynamic"):
        return torch.full((len(stack.recipes),), torch.nan)
    each = stack.layer.tensors
    pairs = zip(stack.params[1::each], stack.params[2::each], strict=True)  # behind each weight
    return torch.stack([t.reshape(len(t)) * (5 * beta.reshape(len(beta))).tanh() for beta, t in pairs]).mean(0)


def _accuracy(stack: Stack, images: Dataset, split: Split) -> Tensor:
    return accuracy(stack.outputs(images, split), split.labels)


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(lambda dataset, device: load(dataset, device=device))
