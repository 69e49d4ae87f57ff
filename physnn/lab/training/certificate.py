"""The bounds of a chain that is cooled, kept from rung to rung."""

import math

import torch

from physnn.lab.statistics import bounds
from physnn.lab.training.chains import Chains

KINDS = ("heat", "ladder", "steps", "incoherence")
FREE = ("heat", "steps", "incoherence")  # that ask for no equilibrium
WORKS = 0.9  # the accuracy above which a network counts as working
DRAWS, STREAM = 8, 0xB1  # of weights from a Gaussian law, and their seed


class Certificate:
    """What theory says of one chain, rung by rung.

    Args:
        count: how many images the bounds are of.
        rungs: how many bounds hold together.
    """

    def __init__(self, count: int, rungs: int) -> None:
        self.count, self.choices = count, rungs + 1
        self.inverse: list[float] = []
        self.losses: list[float] = []
        self.rows: list[dict[str, float]] = []
        self.information = 0.0

    def row(
        self, inverse: float, *, error: float, accuracy: float, loss: float, heat: float, path: float, left: float
    ) -> dict[str, float]:
        """Return the numbers at the end of a rung, from those of
        :meth:`physnn.lab.training.chains.Chains.rung`; NaN gives a bound of 1."""
        self.inverse.append(inverse)
        self.losses.append(loss)
        self.information += left
        ladder = bounds.ladder_kl(self.inverse, self.losses) if inverse else 0.0
        known = {"heat": heat, "ladder": ladder, "steps": path, "incoherence": self.information}
        found = {f"{kind}_kl": value for kind, value in known.items()}
        found |= {f"{kind}_bound": self._bound(kind, value, error) for kind, value in known.items()}
        found |= {"train_error": error, "validation_accuracy": accuracy, "loss": loss}
        self.rows.append(found)
        return dict(found)

    def _bound(self, kind: str, value: float, error: float) -> float:
        if not math.isfinite(value):
            return 1.0
        if kind in ("heat", "ladder"):
            return bounds.pac_bayes(error, value, self.count, choices=self.choices)
        return min(1.0, error + bounds.expected_gap(value, self.count if kind == "steps" else 1))

    def lowest(self) -> dict[str, float]:
        """Return the least bounds where the network works, and ``heat_least``, the least by the heat of all rungs."""
        cold = self.rows[1:]
        where = [row for row in cold if row["validation_accuracy"] > WORKS]
        found = {f"{kind}_lowest": min((row[f"{kind}_bound"] for row in where), default=1.0) for kind in KINDS}
        least = min(row["heat_bound"] for row in cold)
        return found | {"free_lowest": min(found[f"{kind}_lowest"] for kind in FREE), "heat_least": least}


def beside(chains: Chains, steps: int) -> list[dict[str, float]]:
    """Return what is usual with the prior of chains that are at its centre: without a temperature, for each chain.

    Returns:
        ``held_out``, the bound of the centre; and, of a Gaussian law of the prior's width around the weights after so
        many steps without noise, ``gaussian_kl`` and ``gaussian_bound``.
    """
    centre = chains.errors().tolist()
    chains.descend(steps)
    squares = sum(p.detach().double().square().reshape(len(p), -1).sum(1) for p in chains.engine.params).tolist()
    means = chains.spread_errors(DRAWS, torch.Generator().manual_seed(STREAM)).tolist()
    found = []
    for first, error, square in zip(centre, means, squares, strict=True):
        divergence = bounds.gaussian_kl(math.sqrt(square), 1.0)
        bound = bounds.pac_bayes(error, divergence, chains.count)
        held_out = bounds.held_out(first, chains.count)
        found.append({"held_out": held_out, "gaussian_kl": divergence, "gaussian_bound": bound})
    return found
