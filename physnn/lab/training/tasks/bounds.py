r"""Bounds: networks that the proposal's optimizer cools from their prior, with what theory then says of their error.

The weights are drawn from their prior and go through a ladder of temperatures, one for an epoch of ``steps`` steps, on
minibatches that come in a fixed order. At the end of every rung four bounds are read, of
:mod:`physnn.lab.statistics.bounds`:

- ``heat``: PAC-Bayes, KL from the prior by the entropy given off (:mod:`physnn.lab.physics.entropy`). It needs no
  equilibrium.
- ``ladder``: PAC-Bayes, KL of the Gibbs law by the training losses at all higher temperatures (Maurer, Mirzaei &
  Pontil 2025). It holds for chains in equilibrium.
- ``steps``: Xu & Raginsky, with the information of all steps (Pensia, Jog & Loh 2018). Of means.
- ``incoherence``: the same for samples left out, by how far they turn the gradient (Negrea et al. 2019). Of means.

A prior from half of the images is compared with what is usual there: a Gaussian law around weights that were moved
without noise, ``gaussian`` (Dziugaite & Roy 2017; Pérez-Ortiz et al. 2021), and the bound of the prior's centre by the
other half as a test set, ``held_out``.

Mean training errors and KL are those of one chain, with which the spread over seeds belongs. In the final runs every
network has a twin whose labels are random, with the same start and samples: its columns begin with ``random_``.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch

from physnn.lab.data.corruptions import CLASSES
from physnn.lab.data.images import Dataset, load
from physnn.lab.models import losses
from physnn.lab.models.network import seeded
from physnn.lab.models.plain import choice, number
from physnn.lab.models.recipe import Recipe as ImageRecipe
from physnn.lab.models.standard import Standard
from physnn.lab.training.certificate import Certificate, beside
from physnn.lab.training.chains import Chains
from physnn.lab.training.task import Budget, Column, Replica

BOUND = {"scale": 100, "decimals": 1, "larger": False, "tolerance": 0.03}
COLUMNS: Mapping[str, Column] = {
    "test_accuracy": Column(
        "share of right answers to the test images, at the coldest temperature",
        "test accuracy, %",
        scale=100,
        decimals=2,
        larger=True,
        tolerance=0.02,
    ),
    "validation_accuracy": Column(
        "as test_accuracy, of the first 2,000 validation images, at the row's temperature",
        "validation accuracy, %",
        scale=100,
        decimals=2,
        larger=True,
        tolerance=0.02,
        guess=0.1,
    ),
    "free_lowest": Column(
        "the least of heat_lowest, steps_lowest and incoherence_lowest: no equilibrium is asked for",
        "best bound where it works, %",
        **BOUND,
    ),
    "heat_lowest": Column(
        "the least heat_bound of the temperatures at which validation accuracy is above 90 %; 1 where it never is",
        "bound by heat, where it works, %",
        **BOUND,
    ),
    "heat_least": Column("the same of all temperatures, whether it works or not", "bound by heat, least, %", **BOUND),
    "ladder_lowest": Column("as heat_lowest, of ladder_bound", "bound by the ladder, where it works, %", **BOUND),
    "steps_lowest": Column("the same of steps_bound", "bound by steps, where it works, %", **BOUND),
    "incoherence_lowest": Column("the same of incoherence_bound", "bound by incoherence, where it works, %", **BOUND),
    "gaussian_bound": Column(
        "PAC-Bayes bound of a Gaussian law around weights without noise, of a prior from half of the images; last row",
        "bound of a Gaussian law, %",
        **BOUND,
    ),
    "gaussian_kl": Column("its KL from the prior, nats", tolerance=0.05),
    "held_out": Column(
        "bound of the prior's centre by the images that it has not seen; last row",
        "held-out bound of the prior, %",
        **BOUND,
    ),
    "random_slack": Column(
        "heat_least of the twin with random labels, less 0.9, the error of any network there", tolerance=0.02
    ),
    "random_*": Column("of the twin with random labels: its random_heat_bound is its heat_bound", tolerance=0.03),
    "heat_bound": Column("PAC-Bayes bound of the error, with KL by the heat", "bound by heat, coldest, %", **BOUND),
    "ladder_bound": Column(
        "the same with KL by the losses at higher temperatures, in equilibrium",
        "bound by the ladder, coldest, %",
        **BOUND,
    ),
    "steps_bound": Column(
        "training error, and the bound of the gap by the information of all steps",
        "bound by steps, coldest, %",
        **BOUND,
    ),
    "incoherence_bound": Column(
        "training error, and the bound of the gap by samples left out", "bound by incoherence, coldest, %", **BOUND
    ),
    "heat_kl": Column("entropy given off so far, nats", tolerance=0.03),
    "ladder_kl": Column("KL by the losses so far, nats", tolerance=0.03),
    "steps_kl": Column("KL of the steps so far, nats", tolerance=0.03),
    "incoherence_kl": Column("information on one image, given the others, nats", tolerance=0.05),
    "train_error": Column("share of wrong answers to the images that the bounds are of", tolerance=0.03),
    "loss": Column("mean over the minibatches of the second half of the rung", tolerance=0.03),
    "temperature": Column("of the rung"),
    "seconds": Column("of training so far, shared among those trained together"),
}
SCORE, RESULT = "validation_accuracy", "test_accuracy"
PRIORS = ("start", "half")
SEEN = 2000  # validation images
LEFT = 50  # a minibatch needs so many images, that some can be left out
STREAM = 0xB0  # keeps the choice of images apart from the start values, which the bare seed gives


@dataclass(frozen=True)
class Recipe(ImageRecipe):
    """An arm of the task ``images`` with ``optimizer: langevin``, its prior, and its ladder.

    ``images`` are drawn from the training images by the seed. ``prior`` is that of
    :class:`physnn.lab.models.standard.Standard`, ``start``; or, ``half``, the same made narrower by ``spread`` (0.2),
    around weights that were trained without noise on half of the images, four times ``steps`` long; the bounds are of
    the other half. The ladder goes from the temperature ``hottest`` to ``coldest`` by equal ratios, a rung an epoch, of
    ``steps`` (100) steps. A learning rate is that of weights of spread 1.
    """

    prior: str = "start"
    spread: float = 1.0
    hottest: float = 0.1
    coldest: float = 1e-4
    steps: int = 100

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        kind = self.loss, self.choices, self.coefficients, self.layer
        ladder = self.prior, self.spread, self.hottest, self.coldest, self.steps
        return *super().architecture, *kind, *ladder

    def make(self) -> Standard:
        """Make the network with its weights drawn from the prior, from torch's global seed."""
        return Standard(self.network())

    def temperatures(self, rungs: int) -> list[float]:
        """Return those of the ladder."""
        ratio = self.coldest / self.hottest
        return [self.hottest * ratio ** (i / max(rungs - 1, 1)) for i in range(rungs)]


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    own: dict[str, Any] = {"prior": choice(rest, "prior", PRIORS, PRIORS[0])}
    own |= {"spread": number(rest, "spread", 0.2)} if own["prior"] == "half" else {}
    own |= {"hottest": number(rest, "hottest", 0.1), "coldest": number(rest, "coldest", 1e-4)}
    own["steps"] = rest.pop("steps", 100)
    if not own["hottest"] >= own["coldest"] > 0 or not 0 < own.get("spread", 1.0) <= 1:
        raise ValueError(f"coldest must be above 0, hottest no colder, and spread above 0 and at most 1, got {own}")
    if type(own["steps"]) is not int or own["steps"] < 2:
        raise ValueError(f"steps must be a whole number of at least 2, got {own['steps']!r}")
    recipe = replace(Recipe.read(rest), **own)
    fixed = (recipe.optimizer, recipe.scheme, recipe.temperature, recipe.weight_decay, recipe.lr_schedule)
    if fixed != ("langevin", "post", 0.0, 0.0, "constant"):
        raise ValueError(f"bounds are of langevin as printed; ladder and prior set temperature and decay, got {fixed}")
    if recipe.images is None or recipe.label_noise or recipe.smoothness or recipe.layer.frozen:
        raise ValueError("bounds need a number of images, right labels, no smoothness, and nothing frozen")
    return recipe


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Cool replicas of one architecture, and their twins if the budget has a test.

    Raises:
        ValueError: an extra, or minibatches that do not divide the images.
    """
    if budget.extras:
        raise ValueError(f"bounds knows no extras, got {sorted(budget.extras)}")
    recipe, data, twins = recipes[0], _load(budget.data, budget.device), 1 + budget.test
    used = recipe.images // (2 if recipe.prior == "half" else 1)
    if recipe.images > len(data.train) or used % budget.batch_size or budget.batch_size < LEFT:
        raise ValueError(
            f"images must be at most {len(data.train)}, and batch_size, of at least {LEFT}, must divide {used}, those "
            f"of the bounds; got {recipe.images} and {budget.batch_size}"
        )
    start = time.perf_counter()
    chains, gaussian = _begin(list(replicas) * twins, list(recipes) * twins, data, budget)
    accounts = [Certificate(chains.count, budget.epochs) for _ in gaussian]
    rungs = [math.inf, *recipe.temperatures(budget.epochs)]
    for epoch, temperature in enumerate(rungs):
        measured = chains.rung(temperature, recipe.steps) if epoch else chains.rest()
        measured |= {"error": chains.errors(), "accuracy": chains.accuracy(data.validation, SEEN)}
        several = {name: value.tolist() for name, value in measured.items()}
        rows = [
            account.row(1 / temperature, **{name: values[i] for name, values in several.items()})
            for i, account in enumerate(accounts)
        ]
        if epoch == budget.epochs and budget.test:
            tests = chains.accuracy(data.test, len(data.test)).tolist()
            for row, test, account, more in zip(rows, tests, accounts, gaussian, strict=True):
                row |= {"test_accuracy": test, **more} | account.lowest()
        seconds, alone = (time.perf_counter() - start) / len(replicas), len(replicas)
        yield [
            _together(rows[i::alone], temperature, seconds) if all(chains.engine.alive[i::alone]) else None
            for i in range(alone)
        ]


def _begin(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], data: Dataset, budget: Budget
) -> tuple[Chains, list[dict[str, float]]]:
    """Return the chains at their start, and what a prior from half of the images has by itself, for each."""
    recipe, singles = recipes[0], len(replicas) // (1 + budget.test)
    seeds = [replica.seed for replica in replicas]
    choose = [torch.Generator().manual_seed(seed ^ STREAM) for seed in seeds]
    places = torch.stack([torch.randperm(len(data.train), generator=g)[: recipe.images] for g in choose])
    labels = data.train.labels[places.to(data.train.labels.device)]
    for i, generator in enumerate(choose[singles:], singles):
        labels[i] = torch.randint(CLASSES, labels[i].shape, generator=generator)
    made, noise = zip(*(seeded(r.make, seed) for r, seed in zip(recipes, seeds, strict=True)), strict=True)
    loss = losses.make(recipe.loss, recipe.choices, recipe.coefficients)
    motions = [(replica.lr, r.damping, g) for replica, r, g in zip(replicas, recipes, noise, strict=True)]

    def chains(networks: Sequence[Standard], part: slice) -> Chains:
        return Chains(networks, loss, motions, places[:, part], labels[:, part], data, budget)

    if recipe.prior == "start":
        return chains(made, slice(None)), [{} for _ in replicas]
    half = labels.shape[1] // 2
    early = chains(made, slice(half))
    early.descend(4 * recipe.steps)
    made = [network.around(r.spread, g) for network, r, g in zip(early.networks(), recipes, noise, strict=True)]
    centres = [network.centred() for network in made]
    alone = beside(chains(centres, slice(half, None)), recipe.steps) if budget.test else [{} for _ in replicas]
    later = chains(made, slice(half, None))
    later.drop(early.engine.alive)
    return later, alone


def _together(rows: Sequence[dict[str, float]], temperature: float, seconds: float) -> dict[str, float]:
    """Return a network's numbers with those of its twin."""
    first, *twin = rows
    kept = {"heat_least", "held_out", "train_error"}
    named = {
        f"random_{name}": value
        for row in twin
        for name, value in row.items()
        if name in kept or name.endswith(("_bound", "_kl"))
    }
    slack = {"random_slack": named["random_heat_least"] - (1 - 1 / CLASSES)} if "random_heat_least" in named else {}
    return first | named | slack | {"temperature": temperature, "seconds": seconds}


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(lambda dataset, device: load(dataset, device=device))
