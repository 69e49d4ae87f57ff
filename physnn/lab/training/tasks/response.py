r"""Response: how the outputs of a trained network move when one of them is pushed.

A network is trained as in the task ``images``. Then it is trained on, on the same batches, with a small field on
output k added to its loss, and once more with the field turned around:

.. math::
    L \mp h\,\operatorname{mean} u_k, \qquad \chi_{jk} = \frac{\overline{u}_j^{+} - \overline{u}_j^{-}}{2h}

where u are the outputs as the loss sees them: divided by their largest in the batch (or the sample) for the
Ginzburg-Landau loss, less their mean for cross-entropy, which knows them up to a constant, and as they are otherwise.
The length over which :math:`\chi` is felt along the classes stands beside :math:`\sqrt{\kappa/2\alpha}`, that is
:math:`\sqrt{q_s/q_2}` (:mod:`physnn.lab.physics.screening`).
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from physnn.field import normalize
from physnn.lab.data.images import Dataset, Split, load
from physnn.lab.metrics.outputs import accuracy
from physnn.lab.models.plain import number, switch
from physnn.lab.models.recipe import Recipe as ImageRecipe
from physnn.lab.physics.screening import around, hops, spread
from physnn.lab.training.pushing import pushed
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Column, Replica

ACCURACY = {"scale": 100, "decimals": 2, "tolerance": 7e-3, "larger": True}  # two of the 300 digits
COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column("share of test images whose largest output is the label's", "test accuracy, %", **ACCURACY),
    "validation_accuracy": Column(
        "as test_accuracy, of the validation images", "validation accuracy, %", guess=0.1, **ACCURACY
    ),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "energy": Column("mean over the steps of the mean inside the bars of the Ginzburg-Landau loss"),
    "negative": Column("share of the steps of an epoch with a negative energy", tolerance=3e-3),
    "length": Column(
        "over which a push is felt along the classes, in classes; 0 where it does not spread",
        "response length, classes",
        decimals=2,
    ),
    "theory": Column("sqrt(q_s/q_2) of the loss's coefficients, in classes; none for other losses"),
    "ratio": Column("length over theory", "response length over theory", decimals=3),
    "half_ratio": Column("the same after half of the steps with the field"),
    "share": Column("of the squares of the mean response that the theory's form with this length has"),
    "strength": Column("response of the pushed output itself, mean over the outputs"),
    "along_index": Column(
        "rank correlation of the response of the other outputs with their nearness on the printed ring",
        "response along the index",
        decimals=2,
        tolerance=0.02,
    ),
    "along_images": Column(
        "the same with how alike the mean images of the classes are",
        "response along the images",
        decimals=2,
        tolerance=0.02,
    ),
    "response_*": Column("mean response at a distance of r classes on the ring, over that at 0", tolerance=1e-3),
    "seconds": Column("of training so far, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"


@dataclass(frozen=True)
class Recipe(ImageRecipe):
    """An arm of the task ``images``, and how it is pushed.

    ``field`` (0.01) is h, ``steps`` (200) how many are taken with it; with ``shuffled`` (false) every replica has its
    own order of the classes, drawn from its seed: outputs in other places, and no other change.
    """

    field: float = 0.01
    steps: int = 200
    shuffled: bool = False

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return *super().architecture, self.steps

    @property
    def theory(self) -> float:
        """The length on paper, in classes; NaN for a loss that names none."""
        quadratic, _, spatial = self.coefficients
        known = self.loss == "ginzburg-landau" and quadratic > 0 and spatial >= 0
        return math.sqrt(spatial / quadratic) if known else math.nan


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    field, steps, shuffled = number(rest, "field", 0.01), rest.pop("steps", 200), switch(rest, "shuffled", False)
    if not field > 0 or type(steps) is not int or steps < 2 or steps % 2:
        raise ValueError(f"field must be above 0 and steps an even whole number above 0, got {field} and {steps!r}")
    recipe = replace(Recipe.read(rest), field=field, steps=steps, shuffled=shuffled)
    if recipe.optimizer != "langevin" or recipe.label_noise or recipe.images or recipe.smoothness:
        raise ValueError("a response needs sgd or langevin, all images, right labels and no smoothness")
    return recipe


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture, and push them in the end if the budget has a test.

    Raises:
        ValueError: an extra.
    """
    if budget.extras:
        raise ValueError(f"response knows no extras, got {sorted(budget.extras)}")
    images, seconds, seeds = _load(budget.data, budget.device), 0.0, [replica.seed for replica in replicas]
    steps = budget.epochs * math.ceil(len(images.train) / budget.batch_size)
    stack = Stack(recipes, [replica.lr for replica in replicas], seeds, steps, budget.device)
    places = _places(recipes, seeds, recipes[0].widths[-1], budget.device)
    stack.labels = places[:, images.train.labels]
    averages = dict.fromkeys(("loss", "energy", "negative"), torch.full((len(replicas),), torch.nan))
    for epoch in range(budget.epochs + 1):
        start = time.perf_counter()
        if epoch:
            averages = stack.epoch(images, budget.batch_size)
        last = epoch == budget.epochs and budget.test
        measured = {name: averages[name] for name in ("loss", "energy", "negative")}
        measured["validation_accuracy"] = _accuracy(stack, images, images.validation, places)
        if last:
            measured["test_accuracy"] = _accuracy(stack, images, images.test, places)
            lrs = [replica.lr for replica in replicas]
            measured |= _pushes(stack, recipes, images, lrs, budget.batch_size, places)
        seconds += (time.perf_counter() - start) / len(replicas) if epoch else 0.0
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(stack.alive)
        ]


def _places(recipes: Sequence[Recipe], seeds: Sequence[int], classes: int, device: str) -> Tensor:
    """Return at which output each class stands, (R, C)."""
    shuffles = [torch.randperm(classes, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    rows = [each if recipe.shuffled else torch.arange(classes) for recipe, each in zip(recipes, shuffles, strict=True)]
    return torch.stack(rows).to(device)


def _accuracy(stack: Stack, images: Dataset, split: Split, places: Tensor) -> Tensor:
    outputs = stack.outputs(images, split)
    return accuracy(outputs.gather(-1, places[:, None].expand_as(outputs)), split.labels)


def _pushes(
    stack: Stack, recipes: Sequence[Recipe], images: Dataset, lrs: Sequence[float], batch_size: int, places: Tensor
) -> dict[str, Tensor]:
    """Push every output of every replica; return what ``COLUMNS`` lists of it, (R,) each."""
    fields, how = [recipe.field for recipe in recipes], {"steps": recipes[0].steps, "batch_size": batch_size}
    half, whole = pushed(stack, images, places[:, images.train.labels], fields, lrs, seen=seen, **how)
    means = torch.stack(
        [images.train.images[images.train.labels == k].double().mean(0).flatten() for k in range(places.shape[1])]
    )
    alike = np.corrcoef(means.cpu().numpy())
    several = zip(recipes, half.cpu().double().numpy(), whole.cpu().double().numpy(), places.cpu().numpy(), strict=True)
    rows = [
        measures(recipe, *responses, alike[np.ix_(*[place.argsort()] * 2)]) for recipe, *responses, place in several
    ]
    return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in rows[0]}


def measures(recipe: Recipe, half: np.ndarray, whole: np.ndarray, alike: np.ndarray) -> dict[str, float]:
    """Return what ``COLUMNS`` lists of the responses (C, C) after half of the steps and after all of them.

    Args:
        alike: how alike the classes of any two outputs are, (C, C).
    """
    if not (np.isfinite(whole).all() and np.isfinite(half).all() and whole.any() and half.any()):
        names = ["length", "theory", "ratio", "half_ratio", "share", "strength", "along_index", "along_images"]
        return dict.fromkeys([*names, *(f"response_{r}" for r in range(len(whole) // 2 + 1))], math.nan)
    (length, share), theory, others = spread(whole), recipe.theory, ~np.eye(len(whole), dtype=bool)
    over = theory if theory > 0 else math.nan
    near = -np.minimum(hops(len(whole)), len(whole))
    by_distance = around(whole)
    folded = (by_distance + np.roll(by_distance[::-1], 1)) / 2  # to the left and to the right
    return {
        "length": length, "theory": theory, "ratio": length / over, "half_ratio": spread(half).length / over,
        "share": share, "strength": float(by_distance[0]),
        "along_index": _alike(whole[others], near[others]),
        "along_images": _alike(whole[others], alike[others]),
        **{f"response_{r}": float(folded[r] / folded[0]) for r in range(len(folded) // 2 + 1)},
    }  # fmt: skip


def _alike(first: np.ndarray, second: np.ndarray) -> float:
    """Return the rank correlation; NaN where one is constant, as the response of outputs that do not meet is."""
    return float(stats.spearmanr(first, second).statistic) if np.ptp(first) and np.ptp(second) else math.nan


def seen(outputs: Tensor, networks: Sequence[ImageRecipe]) -> Tensor:
    """Return outputs (R, B, C) as each replica's loss sees them."""
    kinds = [(network.loss, network.choices[0]) for network in networks]
    if all(kind == kinds[0] for kind in kinds):
        return _seen(outputs, *kinds[0])
    u = torch.empty_like(outputs)
    for kind in dict.fromkeys(kinds):
        members = [i for i, each in enumerate(kinds) if each == kind]
        u[members] = _seen(outputs[members], *kind)
    return u


def _seen(outputs: Tensor, loss: str, norm: str) -> Tensor:
    if loss == "ginzburg-landau":
        return normalize(outputs if norm == "batch" else outputs.flatten(0, 1), "sample").view_as(outputs)
    return outputs if loss == "squared-error" else outputs - outputs.mean(-1, keepdim=True)


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(lambda dataset, device: load(dataset, device=device))
