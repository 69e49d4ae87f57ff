"""The posterior's own prediction, by long Hamiltonian chains: what a shorter sampler is held against."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from physnn.lab.metrics.predictive import variation
from physnn.lab.models.bayes import Recipe
from physnn.lab.statistics.mixing import mixing
from physnn.lab.training.members import Members

SEEDS = (90_001, 90_002)  # of the two halves, which no study has
CHAINS, PROPOSALS, LEAPS = 4, 300, 50  # of each half


class Truth(NamedTuple):
    """Log-probabilities for the test images, (n, C), and how far they can be believed.

    ``floor`` is the total variation between the two halves, ``rhat`` and ``ess`` are of all chains, and ``accepted`` is
    the share of proposals that were taken.
    """

    answers: Tensor
    floor: float
    rhat: float
    ess: float
    accepted: float


@cache
def truth(
    data: str, images: int, components: int, hidden: tuple[int, ...], width: float, step: float, proposals: int = 0
) -> Truth:
    """Sample the posterior of fixed images for long, from eight starts.

    Args:
        data: the name of a data set.
        images: N, of which the first are drawn as for every fixed arm.
        components: principal components, or 0.
        hidden: widths of the layers between.
        width: of the prior.
        step: of the leaps.
        proposals: of each chain; 0 for ``PROPOSALS``. A third of them is left out.
    """
    recipe = Recipe(
        kind="hmc", optimizer="hmc", images=images, hidden=hidden, components=components, width=width, fixed=True,
        whole=True, members=CHAINS, leaps=LEAPS, passes=LEAPS * (proposals or PROPOSALS),
    )  # fmt: skip
    halves = Members([recipe] * 2, [step] * 2, SEEDS, data, images, 1, ("validation", "test"))
    halves.epoch()
    first, second = halves.answers("test")
    tracks = torch.stack(halves.tracks, 2).flatten(0, 1)  # (chains, draws, images)
    mixed = mixing(np.asarray(tracks.double()))
    assert halves.hmc is not None
    together = torch.logaddexp(first, second) - np.log(2)
    return Truth(together, float(variation(first, second)), *mixed, float(halves.hmc.accepted.mean()))
