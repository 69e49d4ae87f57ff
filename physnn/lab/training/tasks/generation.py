r"""Generation: small pictures made from noise by a machine in a heat bath, and by others, against pictures never seen.

A machine (:mod:`physnn.lab.physics.machine`) is fitted to the reverse of dissolving pictures
(:mod:`physnn.lab.models.reversal`), begins in noise, and is left alone for as long as they took to dissolve. What is
read at the end is where its force would bring each unit within a relaxation time of the trap,
:math:`x - \nabla V(x)`: the picture without the unit's own heat. Nothing is cut to the range of gray values.

Distances are from pictures never seen, 4,000 at most. A replica's seed draws the training pictures and all chance.
Row 0 is of a copyist, who shows training pictures drawn at random: the floor. Row 1 is the model. Machines and normal
laws have no learning rate, and are the same at each.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from physnn.lab.data.graphs import principal
from physnn.lab.data.images import load
from physnn.lab.data.small import draw, small
from physnn.lab.metrics.generated import apart, frechet, nearest, shares_apart
from physnn.lab.models.maker import Recipe, read
from physnn.lab.models.onlooker import onlooker
from physnn.lab.training.making import fitted, made_by, others, reversed_paths
from physnn.lab.training.task import Budget, Column, Replica

__all__ = ["COLUMNS", "RESULT", "SCORE", "checksum", "read", "run"]

COLUMNS: Mapping[str, Column] = {
    "seen_apart": Column(
        "Fréchet distance of what a classifier sees, its 16 features, in the pictures made and in the test pictures; "
        "where all there are is a few pictures, in those",
        "classifier's distance",
        decimals=2,
        larger=False,
        tolerance=0.3,
    ),
    "validation_seen_apart": Column(
        "the same with validation pictures", "off the test", decimals=2, larger=False, guess=1000.0, tolerance=0.3
    ),
    "apart": Column(
        "energy distance of the pictures made from the test pictures, likewise, as a share of the largest",
        "energy distance, %",
        scale=100,
        decimals=2,
        larger=False,
        tolerance=2e-3,
    ),
    "validation_apart": Column("the same from validation pictures", scale=100, larger=False, tolerance=2e-3),
    "spread_apart": Column(
        "Fréchet distance of 20 principal components: it knows means and covariances, and nothing else",
        "distance of covariances",
        decimals=3,
        larger=False,
        tolerance=0.05,
    ),
    "classes_apart": Column(
        "total variation of the classes that the classifier finds in them and in the test pictures",
        "classes off, %",
        larger=False,
        tolerance=0.03,
        scale=100,
        decimals=1,
    ),
    "near": Column(
        "mean distance from the nearest training picture, over that of test pictures; where all there are is a few, "
        "over their own: 0 for copies",
        "nearest training picture",
        decimals=2,
        tolerance=0.03,
    ),
    "between": Column(
        "share of the pixels between -1/2 and 1/2", "pixels in between, %", tolerance=0.02, scale=100, decimals=1
    ),
    "heat": Column("that a machine emits while it makes a picture, in kT, mean", "heat, kT", decimals=0, tolerance=5.0),
    "fallen": Column("by which the machine's energy falls meanwhile, in kT, mean", "energy lost, kT", tolerance=5.0),
    "irreversible": Column(
        "log probability of dissolving paths less that of their reverse under the machine, mean over held-out pictures",
        "irreversibility, nats",
        larger=False,
        tolerance=5.0,
    ),
    "half_heats": Column(
        "half of what trap and machine would emit along these paths, in kT, mean: the same in small steps",
        tolerance=5.0,
    ),
    "double": Column("share of a machine's units that have two states by themselves", tolerance=0.02),
    "seconds": Column("of fitting or training, and of making the pictures", "seconds"),
}
SCORE, RESULT = "validation_seen_apart", "seen_apart"
STREAM = 0x6E0153  # keeps the training pictures apart from the rest of chance
HELD = 4000  # validation or test pictures that others are held against, at most
LOOKED = 500  # pictures made whose nearest neighbours are looked for, and that dissolve to be reversed
COMPONENTS = 20


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Make pictures; give what ``COLUMNS`` lists of a copyist, then of each model, against the test if asked for.

    Raises:
        ValueError: an extra, more than one epoch, or more pictures than there are.
    """
    if budget.extras:
        raise ValueError(f"generation knows no extras, got {sorted(budget.extras)}")
    if budget.epochs != 1:
        raise ValueError(f"epochs must be 1, as steps are the recipe's, got {budget.epochs}")
    rows = [_row(replica, recipe, budget) for replica, recipe in zip(replicas, recipes, strict=True)]
    yield [first for first, _ in rows]
    yield [second for _, second in rows]


def _row(replica: Replica, recipe: Recipe, budget: Budget) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what is measured of the copyist, and of the model; None if it made what is no picture."""
    pictures = draw(budget.data, recipe.levels, recipe.images, torch.Generator().manual_seed(replica.seed ^ STREAM))
    generator = torch.Generator().manual_seed(replica.seed)
    copies = pictures[torch.randint(len(pictures), (recipe.made,), generator=generator)]
    first = {**_judged(copies, pictures, recipe, budget), "seconds": 0.0}
    start, more = time.perf_counter(), {}
    if recipe.model == "machine":
        working = fitted(recipe, pictures)
        made, emitted, fallen = made_by(working, recipe, generator)
        more = {"heat": emitted.mean().item(), "fallen": fallen.mean().item()}
    else:
        made = others(recipe, pictures, replica.lr, budget.batch_size, replica.seed, generator)
    seconds = time.perf_counter() - start
    if not made.isfinite().all():
        return first, None
    if recipe.model == "machine":
        given = pictures if recipe.against == "own" else small(budget.data, "validation", recipe.levels)[0]
        chosen = given[torch.randint(len(given), (LOOKED,), generator=generator)]
        ratio, heats = reversed_paths(working, recipe, chosen, generator)
        two = (working[-1].quadratic < 0).double().mean().item() if recipe.quartic else 0.0
        more |= {"irreversible": ratio, "half_heats": heats, "double": two}
    return first, {**_judged(made, pictures, recipe, budget), **more, "seconds": seconds}


def _judged(made: Tensor, pictures: Tensor, recipe: Recipe, budget: Budget) -> dict[str, float]:
    """Measure pictures by those that are held out for validation, and by those of the test if it is asked for."""
    data, levels, own = budget.data, recipe.levels, recipe.against == "own"
    look = onlooker(data, levels)
    measured = {"between": (made.abs() < 0.5).double().mean().item()}
    for split, name in (("validation", "validation_"), ("test", ""))[: 1 + budget.test]:
        given = pictures if own else small(data, split, levels)[0][:HELD]
        several = pictures.repeat(-(-HELD // len(pictures)), 1) if own else given  # all alike often, as a law
        measured[f"{name}seen_apart"] = frechet(look.features(made), look.features(several))
        measured[f"{name}apart"] = apart(made, given, whole=own)
    if budget.test:
        near = nearest(made[:LOOKED], pictures).mean()
        usual = nearest(pictures, pictures, itself=True) if own else nearest(given[:LOOKED], pictures)
        measured["near"] = (near / usual.mean()).item()
        measured["classes_apart"] = shares_apart(look.classes(made), look.classes(several), 10)
        parts = [principal(each, COMPONENTS, small(data, "train", levels)[0]) for each in (made, several)]
        measured["spread_apart"] = frechet(*parts)
    return measured


@cache
def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum
