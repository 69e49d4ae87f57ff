r"""A heat bath that tells how sure it is: networks that answer in probabilities, and how far these can be believed.

Langevin dynamics at a temperature of 1/N on the mean cross-entropy of N images, with weight decay for a normal prior,
samples the posterior of the weights (:func:`physnn.posterior`), and its answer is the mean of the draws' probabilities.
Beside it stand a training's end, scaled or not, the average of a path's weights, several networks together, and draws
of the last layer around an optimum: :class:`physnn.lab.models.bayes.Recipe`.

A step on a minibatch adds heat: with C the covariance of its gradient, and so far as the loss is a parabola,

.. math::
    \frac{\Delta T}{T} = \frac{\alpha\operatorname{tr} C}{2\gamma T P} \quad\text{in the mean of P weights, and}\quad
    \frac{\alpha\,\lambda_1(C)}{2\gamma T} \quad\text{in the hottest direction,}

:math:`\lambda_1` the largest eigenvalue (Mandt, Hoffman & Blei 2017). Both are read at the end of every epoch, C being
that of the batches of one more pass.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from physnn.lab.data.corruptions import FAMILIES
from physnn.lab.data.images import load
from physnn.lab.metrics.outputs import accuracy, ece, fit_scale, nll
from physnn.lab.metrics.predictive import agreement, variation
from physnn.lab.models.bayes import Recipe, read
from physnn.lab.statistics.mixing import Mixing, mixing
from physnn.lab.training.members import CORRUPTED, Members, points
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.truth import truth
from physnn.lab.training.updates import Update

__all__ = ["COLUMNS", "RESULT", "SCORE", "checksum", "read", "run"]

NATS = {"decimals": 4, "tolerance": 0.02, "larger": False}
PERCENT = {"scale": 100, "decimals": 2, "tolerance": 7e-3}
COLUMNS: Mapping[str, Column] = {
    "test_nll": Column("mean negative log-likelihood of the test images, nats", "test NLL", margin=0.005, **NATS),
    "validation_nll": Column(
        "the same of the first 2,000 validation images", "validation NLL", guess=math.log(10), **NATS
    ),
    "test_ece": Column(
        "expected calibration error of the test images, 15 bins", "test ECE, %", larger=False, **PERCENT
    ),
    "test_accuracy": Column("share of test images answered rightly", "test accuracy, %", larger=True, **PERCENT),
    "validation_accuracy": Column("the same of the validation images", larger=True, **PERCENT),
    "validation_ece": Column("as test_ece, of the validation images", larger=False, **PERCENT),
    "scaled_test_nll": Column("test_nll of logits times the best factor for the validation images", **NATS),
    "scaled_test_ece": Column("test_ece of the same", larger=False, **PERCENT),
    "factor": Column("that factor, one over the temperature of temperature scaling", tolerance=0.03),
    "corrupted_nll": Column("mean of corrupted_nll_1 to _3", "corrupted NLL", margin=0.01, **NATS),
    "corrupted_nll_*": Column("as test_nll, of corrupted test images of that severity, mean over families", **NATS),
    "corrupted_ece": Column("mean of corrupted_ece_1 to _3", "corrupted ECE, %", larger=False, **PERCENT),
    "corrupted_ece_*": Column("as corrupted_nll_*, of the calibration error", larger=False, **PERCENT),
    "corrupted_accuracy": Column("mean of corrupted_accuracy_1 to _3", "corrupted accuracy, %", larger=True, **PERCENT),
    "corrupted_accuracy_*": Column("as corrupted_nll_*, of the share of right answers", larger=True, **PERCENT),
    "kinetic": Column("kinetic temperature over the one that is set, mean of an epoch", "T_kin/T", tolerance=0.03),
    "configurational": Column(
        "configurational temperature over the one that is set, likewise", "T_conf/T", tolerance=0.1
    ),
    "heat": Column("added by minibatches over the temperature that is set, mean of the weights", tolerance=0.1),
    "heat_hottest": Column("the same in the hottest direction", "heat of minibatches over T", tolerance=0.2),
    "rhat": Column("largest R-hat of the probabilities of 50 validation images' labels", "R-hat", tolerance=0.2),
    "ess": Column("smallest effective sample size of the same, of all members' draws", "ESS", tolerance=0.5),
    "accepted": Column("share of hmc's proposals that were taken", "accepted", tolerance=0.1),
    "truth_variation": Column(
        "mean total variation from long chains of hmc, over the test images",
        "variation from the truth, %",
        larger=False,
        **PERCENT,
    ),
    "truth_agreement": Column("share of test images with the answer of the same", larger=True, **PERCENT),
    "truth_*": Column(
        "of the long chains: their test NLL (nll), what their halves have against each other (floor), R-hat, effective "
        "sample size and acceptance",
        tolerance=0.05,
    ),
    "loss": Column("training loss of a member, mean over an epoch", "training loss, last epoch", tolerance=0.05),
    "draws": Column("that each member has given"),
    "passes": Column("over the images, of all members together", "passes"),
    "seconds": Column("of training so far, shared among those trained together"),
}
SCORE, RESULT = "validation_nll", "test_nll"
MEASURES = {"nll": nll, "ece": ece, "accuracy": accuracy}


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train or sample; give what ``COLUMNS`` lists, with the test and the corrupted images last if there is a test.

    Raises:
        ValueError: an extra, or a device that is not the processor.
    """
    if budget.extras or budget.device != "cpu":
        raise ValueError(f"bath knows no extras and runs on the cpu, got {[*budget.extras]} and {budget.device}")
    recipe, seeds = recipes[0], [replica.seed for replica in replicas]
    looked = ("validation", "test", *CORRUPTED) if budget.test else ("validation",)
    rates = [replica.lr for replica in replicas]
    members = Members(recipes, rates, seeds, budget.data, budget.batch_size, budget.epochs, looked)
    seconds, loss = 0.0, torch.full((len(replicas),), torch.nan)
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            loss = members.epoch()
            seconds += (time.perf_counter() - start) / len(replicas)
        last = epoch == budget.epochs
        measured = _judged(members, looked if last else looked[:1]) | {"loss": loss}
        measured |= _thermal(members)
        if last and budget.test:
            measured |= _mixed(members) | _truth(members)
        columns = {name: value.tolist() for name, value in measured.items()}
        fixed = {"draws": members.draws, "passes": members.passed * recipe.members, "seconds": seconds}
        yield [
            {**{name: column[i] for name, column in columns.items()}, **fixed} if alive else None
            for i, alive in enumerate(members.alive)
        ]


def _judged(members: Members, names: Sequence[str]) -> dict[str, Tensor]:
    """Return what is measured on the answers to some images, each of shape (R,)."""
    found: dict[str, Tensor] = {}
    said = _answers(members, "validation")
    factor = fit_scale(said, points(members.data, members.recipe.components, "validation")[1])
    for name in names:
        answers = said if name == "validation" else _answers(members, name)
        labels = points(members.data, members.recipe.components, name)[1]
        scaled = (factor[:, None, None] * answers).log_softmax(-1)
        main = scaled if members.recipe.scaled else answers
        if name.startswith("corrupted"):
            parts, count = main.unflatten(1, (len(FAMILIES), -1)), len(labels) // len(FAMILIES)
            several = {kind: measure(parts, labels[:count]).mean(1) for kind, measure in MEASURES.items()}
            found |= {f"corrupted_{kind}_{name[-1]}": value for kind, value in several.items()}
            continue
        found |= {f"{name}_{kind}": measure(main, labels) for kind, measure in MEASURES.items()}
        if name == "test":
            found |= {"scaled_test_nll": nll(scaled, labels), "scaled_test_ece": ece(scaled, labels), "factor": factor}
    if "test" in names:
        for kind in MEASURES:
            own = [value for name, value in found.items() if name.startswith(f"corrupted_{kind}_")]
            found[f"corrupted_{kind}"] = torch.stack(own).mean(0)
    return found


def _answers(members: Members, name: str) -> Tensor:
    """Return the log-probabilities that are answered to some images, softened if the recipe says so."""
    answers, softened = members.answers(name).double(), members.recipe.softened
    return answers if softened == 1 else (softened * answers).log_softmax(-1)


def _thermal(members: Members) -> dict[str, Tensor]:
    """Return what thermometers of chains say, and how much heat comes from minibatches, each of shape (R,)."""
    update, found = members.engine.update, {}
    if not isinstance(update, Update) or not update.temperature.any():
        return found
    ratios = update.temperatures() / update.temperature
    found = dict(zip(("kinetic", "configurational"), map(members.by_replica, ratios), strict=True))
    if members.recipe.whole or not members.passed:
        return found
    grads = [members.engine.gradients(*batch)[1] for batch in members.batches()]
    flat = torch.stack([torch.cat([g.reshape(len(g), -1) for g in several], 1) for several in grads], 1)
    away = (flat - flat.mean(1, keepdim=True)).double()  # (RM, batches, P)
    gram = away @ away.mT / away.shape[1]  # its eigenvalues are those of the covariance
    added = update.lr / (2 * update.damping * update.temperature)
    heats = {"heat": gram.diagonal(dim1=1, dim2=2).sum(1) / away.shape[2]}
    heats["heat_hottest"] = torch.linalg.eigvalsh(gram)[:, -1]
    return found | {name: members.by_replica(added * heat) for name, heat in heats.items()}


def _mixed(members: Members) -> dict[str, Tensor]:
    """Return whether the chains have mixed, each of shape (R,)."""
    if not members.draws:
        return {}
    tracks = np.asarray(torch.stack(members.tracks, 2).double())  # (R, M, draws, images)
    mixed = [mixing(one) if np.isfinite(one).all() else Mixing(math.nan, math.nan) for one in tracks]
    found = dict(zip(("rhat", "ess"), torch.tensor(mixed).T, strict=True))
    return found if members.hmc is None else found | {"accepted": members.by_replica(members.hmc.accepted)}


def _truth(members: Members) -> dict[str, Tensor]:
    """Return how far answers to the test images are from those of long chains, each of shape (R,)."""
    own = members.recipe
    if not own.truth:
        return {}
    true = truth(members.data, own.images, own.components, own.hidden, *own.truth)
    said, labels = _answers(members, "test"), points(members.data, own.components, "test")[1]
    of_it = {"nll": float(nll(true.answers.double(), labels)), "floor": true.floor, "rhat": true.rhat}
    of_it |= {"ess": true.ess, "accepted": true.accepted}
    found = {f"truth_{name}": torch.full((len(said),), value) for name, value in of_it.items()}
    found["truth_variation"] = variation(said, true.answers.double())
    return found | {"truth_agreement": agreement(said, true.answers.double())}


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum
