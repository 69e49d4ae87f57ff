"""The interval of an accuracy over everything it was drawn from: searches, seeds and test images together.

Arrays hold a value for each draw of the search, seed and image: whether it was right (True or 1, False or 0), or of
two arms the difference, which is -1, 0 or 1.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from physnn.lab.statistics.stats import Interval

AXES = {2: ("seeds", "images"), 3: ("draws", "seeds", "images")}


def crossed_interval(values: np.ndarray) -> Interval:
    r"""Return the mean of values of shape (draws, seeds, images), or (seeds, images), with its 95 % interval.

    .. math::
        \bar d \pm t_{0.975,\,\nu} \sqrt V, \qquad V = \sum_a V_a, \qquad
        V_a = \frac{\operatorname{var}(\text{means of each level of } a)}{n_a}, \qquad
        \nu = \frac{V^2}{\sum_a V_a^2 / (n_a - 1)}

    over the axes a, each of them a random sample of :math:`n_a` levels and crossed with the others: every draw has
    the same seeds, and every run the same images. Tuning is part of the algorithm, so that a draw of the search is a
    level like a seed (Bouthillier et al. 2021). What is peculiar to a draw and a seed, or to a run and an image, is in
    the means of both, and counts twice or three times: V is too large where there is nothing else, never too small on
    average, like that of the pigeonhole bootstrap (Owen 2007), which the interval agrees with where levels are many.
    So it also holds where each draw has seeds of its own. The degrees of freedom are those of Satterthwaite (1946).

    Without an axis of draws it is the interval for the one search that was made, and says nothing of another.

    Returns:
        The interval; ``n`` is the number of draws, or of seeds where there is no axis of draws.

    Raises:
        ValueError: as :func:`spread`.
    """
    found = spread(values)
    mean = float(np.mean(values, dtype=float))
    half = float(stats.t.ppf(0.975, found.freedom)) * found.error if found.error else 0.0
    return Interval(mean, mean - half, mean + half, np.shape(values)[0])


class Spread(NamedTuple):
    """The standard error of a mean, its parts (each a standard error; their squares add up), and degrees of freedom.

    ``draws`` is 0 where there is no axis of draws. Without any spread the degrees of freedom are those of the images.
    """

    error: float
    draws: float
    seeds: float
    images: float
    freedom: float


def spread(values: np.ndarray) -> Spread:
    """Return where the standard error of :func:`crossed_interval` comes from.

    Raises:
        ValueError: the array has not two or three axes, a value is missing, or an axis has one level, of whose spread
            nothing is known.
    """
    values = np.asarray(values)
    if values.ndim not in AXES:
        raise ValueError(f"expected values of shape (draws, seeds, images) or (seeds, images), got {values.shape}")
    axes = AXES[values.ndim]
    for name, size in zip(axes, values.shape, strict=True):
        if size < 2:
            hint = "; give values[0], and the interval is for that search alone" if name == "draws" else ""
            raise ValueError(f"{size} of {name} says nothing of their spread, two at least are needed{hint}")
    if not np.isfinite(values).all():
        lacking = int((~np.isfinite(values)).sum())
        raise ValueError(
            f"{lacking} of {values.size} values are missing. A run that diverged has no answers: leave its seed out of "
            "all draws and arms and say so, or count it as wrong"
        )
    parts = {}
    for axis, name in enumerate(axes):
        others = tuple(other for other in range(values.ndim) if other != axis)
        parts[name] = values.mean(axis=others, dtype=float).var(ddof=1) / values.shape[axis]
    total = sum(parts.values())
    squares = sum(part**2 / (size - 1) for part, size in zip(parts.values(), values.shape, strict=True))
    freedom = total**2 / squares if squares else values.shape[-1] - 1
    named = {name: float(np.sqrt(parts.get(name, 0.0))) for name in AXES[3]}
    return Spread(float(np.sqrt(total)), **named, freedom=float(freedom))
