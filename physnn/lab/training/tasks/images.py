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
from physnn.lab.training.task import Budget, Column, Replica

SHARE = 2.5e-4  # two of 10,000 images
ACCURACY = {"scale": 100, "decimals": 2, "margin": 0.2, "tolerance": SHARE, "larger": True}
COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column("share of test images whose largest output is the label's", "test accuracy, %", **ACCURACY),
    "test_right": Column("which test images are answered rightly, packed, of the extra `answers`"),
    "test_nll": Column(
        "cross-entropy of the test images, of outputs times `scale`", "test NLL, nats", decimals=4, larger=False
    ),
    "test_ece": Column(
        "calibration error on the test images, of outputs times `scale`",
        "test ECE",
        decimals=4,
        tolerance=SHARE,
        larger=False,
    ),
    "test_roughness": Column(
        "normalized Dirichlet energy of the outputs along the classes, mean over test images; its mean over all orders "
        "of the classes is 2",
        "roughness along the classes",
        decimals=3,
    ),
    "test_spatial": Column(
        "squared periodic central difference of the outputs along the classes, divided by their largest magnitude, "
        "mean over classes and test images",
        "squared difference along the classes",
        decimals=4,
    ),
    "error_*": Column(
        "share of wrong answers on test images, corrupted: error_FAMILY_SEVERITY, of the extra `corruptions`",
        "error on corrupted test images, mean, %",
        scale=100,
        decimals=2,
        tolerance=SHARE,
        larger=False,
    ),
    "weights_moran": Column(
        "Moran's I of the weights that see the image, mean over units, of the extra `coherence`",
        "Moran's I of the first layer's weights",
        decimals=3,
    ),
    "saliency_moran": Column(
        "Moran's I of the gradients of the label's output, mean over test images, of the extra `coherence`",
        "Moran's I of the saliency",
        decimals=3,
    ),
    "validation_accuracy": Column(
        "as test_accuracy, of the validation images", "validation accuracy, %", guess=0.1, **ACCURACY
    ),
    "loss": Column("mean over the steps of an epoch", "training loss, last epoch"),
    "negative": Column(
        "share of the steps of an epoch with a negative energy, of the Ginzburg-Landau loss",
        "steps with negative energy, last epoch, %",
        scale=100,
        decimals=1,
        tolerance=3e-3,  # one of 391 steps
    ),
    "distance": Column("of the parameters from their start", "distance from the start"),
    "kinetic": Column(
        "temperature of the momenta, mean over every tenth step, not for Adam", "kinetic temperature, last epoch"
    ),
    "configurational": Column("temperature of the forces, likewise"),
    "energy": Column("mean over the steps of the mean inside the bars of the Ginzburg-Landau loss"),
    "norm": Column("of the parameters"),
    "scale": Column(
        "what the outputs are multiplied by for the smallest NLL of the validation images, in the last row"
    ),
    "validation_nll": Column("as test_nll, of the validation images, without `scale`", larger=False),
    "validation_ece": Column("as test_ece, of the validation images, without `scale`", tolerance=SHARE, larger=False),
    "validation_corrupted": Column(
        "mean of the errors on the first 2,000 validation images, corrupted, of the extra `corrupted-validation`",
        larger=False,
    ),
    "train_accuracy": Column("as test_accuracy, of all training images, with their true labels", **ACCURACY),
    "train_nll": Column("as test_nll, of all training images, without `scale`", larger=False),
    "weights_dirichlet": Column("normalized Dirichlet energy, as weights_moran"),
    "saliency_dirichlet": Column("normalized Dirichlet energy, as saliency_moran"),
    "seconds": Column("of training so far, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"
read = Recipe.read


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture.

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
        columns = {name: value if isinstance(value, list) else value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(stack.alive)
        ]


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(lambda dataset, device: load(dataset, device=device))
