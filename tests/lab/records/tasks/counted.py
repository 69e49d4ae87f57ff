"""A task that takes its time, and writes down which replicas it begins: what ``COUNTED`` names, where it is set."""

import os
import random
import time
from collections.abc import Mapping

from physnn.lab.training.chunk import SIZE
from physnn.lab.training.task import Column

COLUMNS: Mapping[str, Column] = {
    "error": Column("distance", larger=False),
    "end": Column("distance from the minimum at the end"),
    "seconds": Column("of training so far"),
}
SCORE, RESULT = "error", "end"


class Recipe(float):
    """A curvature."""

    architecture, size = ("counted",), SIZE // 3  # three replicas are trained together


def read(given):
    """Return the recipe ``{curvature: c}``."""
    return Recipe(given["curvature"])


def run(replicas, recipes, budget):
    """Descend, slowly; what gets too far from the mark diverges."""
    log = os.environ.get("COUNTED")
    if log:
        with open(log, "a") as file:
            file.writelines(f"{each.arm} {each.lr:g} {each.seed} {budget.epochs}\n" for each in replicas)
    x = [1 + random.Random(each.seed).random() for each in replicas]
    for epoch in range(budget.epochs + 1):
        if epoch:
            x = [value * (1 - each.lr * c) for value, each, c in zip(x, replicas, recipes, strict=True)]
            time.sleep(0.05 if log else 0)
        at_end = budget.test and epoch == budget.epochs
        rows = [{"error": abs(value), "seconds": float(epoch)} for value in x]
        yield [row | ({"end": row["error"]} if at_end else {}) if row["error"] < 10 else None for row in rows]


def checksum(data):
    """There are no data."""
    return "none"
