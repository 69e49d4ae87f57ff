"""Whether chains have mixed: R-hat and effective sample sizes of what was read out of them, by ArviZ."""

import math
from typing import NamedTuple

import numpy as np


class Mixing(NamedTuple):
    """The largest split, rank-normalized R-hat of some quantities, and the smallest bulk effective sample size."""

    rhat: float
    ess: float


def mixing(draws: np.ndarray) -> Mixing:
    """Return how well chains have mixed in several quantities.

    Args:
        draws: of shape (chains, draws, quantities). One chain has no R-hat, and below four draws of each there is
            neither: NaN.

    Raises:
        ValueError: another shape, or a value that is not finite.

    Source: Vehtari et al. (2021).
    """
    if draws.ndim != 3 or not draws.shape[0] or not draws.shape[2]:
        raise ValueError(f"draws must have shape (chains, draws, quantities), got {draws.shape}")
    if not np.isfinite(draws).all():
        raise ValueError("draws hold values that are not finite: a chain has diverged")
    if draws.shape[1] < 4:
        return Mixing(math.nan, math.nan)
    from arviz_stats.base import array_stats  # a second, which what only trains does without

    axes = {"chain_axis": 0, "draw_axis": 1}
    ess = float(np.min(array_stats.ess(draws, **axes)))
    return Mixing(float(np.max(array_stats.rhat(draws, **axes))) if len(draws) > 1 else math.nan, ess)
