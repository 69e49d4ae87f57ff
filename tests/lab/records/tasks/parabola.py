"""A task without data, images or torch: descent on c x²/2, whose score is better where it is smaller."""

import random
from collections.abc import Mapping

from physnn.lab.training.task import Column

COLUMNS: Mapping[str, Column] = {
    "end": Column("distance from the minimum at the end", "distance at the end, cm", scale=100, decimals=1),
    "side_*": Column("what is left of a distance, in steps of 1, 2, ...", "remainder, mean, %", scale=100),
    "error": Column("distance", "distance, cm", scale=100, decimals=1, tolerance=0.01, larger=False, guess=20.0),
    "height": Column("c x²/2"),
    "seconds": Column("of training so far"),
}
SCORE, RESULT = "error", "end"


class Recipe(float):
    """A curvature c."""

    architecture = ("parabola",)
    size = 1


def read(given):
    """Return the recipe ``{curvature: c}``."""
    if set(given) != {"curvature"}:
        raise ValueError(f"a parabola has a curvature, got {sorted(given)}")
    return Recipe(given["curvature"])


def run(replicas, recipes, budget):
    """Descend from 1 to 2, by the seed."""
    x = [1 + random.Random(replica.seed).random() for replica in replicas]
    for epoch in range(budget.epochs + 1):
        if epoch:
            x = [value * (1 - own.lr * c) for value, own, c in zip(x, replicas, recipes, strict=True)]
        several = zip(x, recipes, strict=True)
        rows = [{"error": abs(v), "height": c * v * v / 2, "seconds": float(epoch)} for v, c in several]
        if budget.test and epoch == budget.epochs:
            rows = [row | {"end": row["error"], "side_1": row["error"] % 1, "side_2": row["error"] % 2} for row in rows]
        yield [row if row["error"] < 10 else None for row in rows]


def checksum(data):
    """There are no data."""
    return "none"
