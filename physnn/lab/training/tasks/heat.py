r"""Heat: whether a trained network has a temperature, and the one that was set.

A network is trained as in the task ``images``, and its thermometers are read while it goes on: those of the weights,
the kinetic and the configurational temperature as :class:`physnn.Thermometer` has them, and those of the weights'
direction (:mod:`physnn.lab.training.thermometry`). In equilibrium at T

.. math::
    T_\mathrm{conf} / T_\mathrm{kin} = 1 \qquad\text{and}\qquad T_\mathrm{kin} = T .

For the weights the first holds for whatever is stationary, of any noise that forgets (Yaida 2019), and so tells rest
rather than heat; for the direction it asks that the noise be a bath.

An epoch is ``STEPS`` steps, whatever a batch is, so that runs of whole and of mini batches can stand side by side.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from physnn.lab.data.images import Dataset, load
from physnn.lab.metrics.outputs import accuracy
from physnn.lab.models.plain import switch
from physnn.lab.models.recipe import Recipe as ImageRecipe
from physnn.lab.training.chance import Chance
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.thermometry import across, felt, signs

ACCURACY = {"scale": 100, "decimals": 2, "tolerance": 7e-3, "larger": True}  # two of the 300 digits
COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column("share of test images whose largest output is the label's", "test accuracy, %", **ACCURACY),
    "validation_accuracy": Column(
        "as test_accuracy, of the validation images", "validation accuracy, %", guess=0.1, **ACCURACY
    ),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "negative": Column("share of the steps of an epoch with a negative energy", tolerance=3e-3),
    "kinetic": Column("temperature of the momenta, a mean over every tenth step", "kinetic temperature, last epoch"),
    "configurational": Column("virial temperature of the weights, likewise, with weight decay in it"),
    "direction_kinetic": Column("temperature of the momenta across the weights, a mean over every 25th step"),
    "direction_configurational": Column(
        "mean squared gradient across the weights over mean curvature, of all images, likewise"
    ),
    "weights_ratio": Column("configurational over kinetic", "T_conf/T_kin, weights", decimals=3),
    "direction_ratio": Column(
        "direction_configurational over direction_kinetic", "T_conf/T_kin, direction", decimals=3
    ),
    "nominal_ratio": Column("kinetic over the temperature that is set; none at 0", "T_kin/T", decimals=3),
    "norm": Column("of the parameters"),
    "seconds": Column("of training so far, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"
STEPS = 1000  # of an epoch
EVERY = 25  # steps from one look at the direction to the next
STREAM = 0x4EA7  # keeps batches and probes apart from the start values, which the bare seed gives


@dataclass(frozen=True)
class Recipe(ImageRecipe):
    """An arm of the task ``images``, of whole batches of all its ``images`` where ``whole`` is true (false)."""

    whole: bool = False

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return *super().architecture, self.whole


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    whole = switch(rest, "whole", False)
    recipe = replace(Recipe.read(rest), whole=whole)
    if recipe.optimizer != "langevin" or recipe.scheme != "post" or recipe.lr_schedule != "constant":
        raise ValueError("heat needs sgd or langevin, of the scheme post and at a constant rate")
    if recipe.label_noise or recipe.smoothness:
        raise ValueError("heat needs right labels and no smoothness")
    return recipe


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, ``test_accuracy`` last if the budget has a test.

    Raises:
        ValueError: an extra.
    """
    if budget.extras:
        raise ValueError(f"heat knows no extras, got {sorted(budget.extras)}")
    images, seconds, seeds = _load(budget.data, budget.device), 0.0, [replica.seed for replica in replicas]
    stack = Stack(recipes, [replica.lr for replica in replicas], seeds, budget.epochs * STEPS, budget.device)
    count = stack.count(images)
    bath = _Bath(stack, images, count, count if recipes[0].whole else budget.batch_size)
    averages = dict.fromkeys(_Bath.AVERAGES, torch.full((len(replicas),), torch.nan))
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            averages = bath.epoch()
            seconds += (time.perf_counter() - start) / len(replicas)
        measured = averages | {"norm": stack.lengths()["norm"]}
        splits = {"validation": images.validation} | ({"test": images.test} if budget.test else {})
        for name, split in splits.items():
            if name == "validation" or epoch == budget.epochs:
                measured[f"{name}_accuracy"] = accuracy(stack.outputs(images, split), split.labels)
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(stack.alive)
        ]


class _Bath:
    """A stack that is trained in batches drawn anew each time, and looked at."""

    AVERAGES = ("loss", "negative", "kinetic", "configurational", "direction_kinetic", "direction_configurational",
                "weights_ratio", "direction_ratio", "nominal_ratio")  # fmt: skip

    def __init__(self, stack: Stack, images: Dataset, count: int, batch: int) -> None:
        self.stack, self.count, self.batch = stack, count, batch
        self.x = images.as_input(images.train.images[:count]).flatten(1)[None]
        self.y = images.train.labels[:count][None]
        self.order = Chance([seed ^ STREAM for seed in stack.seeds], stack.device)
        self.probes = [torch.Generator().manual_seed(seed ^ STREAM) for seed in stack.seeds]
        self.batches: list[Tensor] = []

    def epoch(self) -> dict[str, Tensor]:
        """Take ``STEPS`` steps; return what ``AVERAGES`` lists, (R,) each."""
        stack, sums = self.stack, torch.zeros(3, len(self.stack.recipes), dtype=torch.float64)
        looks = torch.zeros(3, len(stack.recipes), dtype=torch.float64)
        for step in range(STEPS):
            x, y = self._batch()
            if step % EVERY:
                sums += stack.step(x, y).double().cpu()
                continue
            squared, curved = felt(self._losses, stack.params, signs(stack.params, self.probes))
            before = [v.clone() for v in stack.update.velocities]
            sums += stack.step(x, y).double().cpu()
            mean = [(v + first) / 2 for v, first in zip(stack.update.velocities, before, strict=True)]
            moved = across(mean, [p.detach() for p in stack.params])
            looks += torch.stack([moved, squared, curved]).cpu()
        return self._averages(sums / STEPS, *(looks / (STEPS // EVERY)))

    def _averages(self, sums: Tensor, moved: Tensor, squared: Tensor, curved: Tensor) -> dict[str, Tensor]:
        stack = self.stack
        kinetic, configurational = stack.update.temperatures()
        size = sum(stack.update.sizes) - 1
        values = {"loss": sums[0], "negative": sums[2], "kinetic": kinetic, "configurational": configurational}
        values["direction_kinetic"] = moved / (stack.update.lr * size)
        values["direction_configurational"] = squared / curved
        values["weights_ratio"] = configurational / kinetic
        values["direction_ratio"] = values["direction_configurational"] / values["direction_kinetic"]
        heat = stack.update.temperature
        values["nominal_ratio"] = torch.where(heat > 0, kinetic / heat, torch.nan)
        return values

    def _batch(self) -> tuple[Tensor, Tensor]:
        if self.batch >= self.count:
            return self.x, self.y
        self.batches = self.batches or self.order.batches(self.count, self.batch)
        index = self.batches.pop()
        return self.order.share(self.x[0][index]), self.order.share(self.y[0][index])

    def _losses(self, params: Sequence[Tensor]) -> Tensor:
        """Return the losses on all images, with other parameters in the place of the stack's."""
        stack = self.stack
        own, stack.params = stack.params, list(params)
        try:
            return stack.losses(stack.forward(self.x), self.y)[0]
        finally:
            stack.params = own


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(lambda dataset, device: load(dataset, device=device))
