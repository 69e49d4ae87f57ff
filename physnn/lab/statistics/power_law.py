r"""Power laws of an error against a size, a number of images or a width, and how surely they are known.

.. math::
    \varepsilon(n) = a + b\,n^{-c}, \qquad a \ge 0,\; b \ge 0

a is the floor, where more would not help, b the amplitude and c the exponent. The form is that of Cortes et al. (1993);
Hestness et al. (2017) find it for networks of several kinds, with exponents that better models do not change, and an
error that stays near that of guesses while n is small, where the form does not hold.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from physnn.lab.statistics.stats import Interval

RANGE = (0.01, 5.0)  # of exponents that are looked at
GRID = np.geomspace(*RANGE, 32)
SECTIONS = 30  # golden ones of a step of the grid: to 1e-6 of it
RESAMPLES = 2_000


class PowerLaw(NamedTuple):
    """Floor a, amplitude b and exponent c, numbers or arrays of one shape."""

    floor: np.ndarray
    amplitude: np.ndarray
    exponent: np.ndarray

    def __call__(self, sizes: Sequence[float]) -> np.ndarray:
        """Return the errors at sizes (S,), of shape (\\*, S)."""
        floor, amplitude, exponent = (np.asarray(part)[..., None] for part in self)
        return floor + amplitude * np.asarray(sizes, float) ** -exponent


def fit_power_law(sizes: Sequence[float], errors: np.ndarray) -> PowerLaw:
    r"""Fit errors of shape (\*, S) at S sizes by least squares of the relative residuals.

    .. math::
        \min_{a \ge 0,\, b \ge 0,\, c} \sum_s \Bigl(\frac{a + b\,n_s^{-c}}{\varepsilon_s} - 1\Bigr)^2

    For a given c it is linear in a and b, so that c alone is searched, on a grid of ``RANGE`` and then within it: no
    start values, and no local minimum that is missed. An exponent at an end of ``RANGE`` says that the errors follow
    no such law.

    Raises:
        ValueError: fewer than four sizes, one that is not above 0 or there twice, or an error that is not above 0.
    """
    sizes, errors = np.asarray(sizes, float), np.asarray(errors, float)
    if sizes.ndim != 1 or len(sizes) < 4 or len({*sizes}) < len(sizes) or not (sizes > 0).all():
        raise ValueError(f"a law of three numbers needs four sizes or more, each once and above 0, got {sizes}")
    if errors.shape[-1:] != sizes.shape or not (np.isfinite(errors).all() and (errors > 0).all()):
        raise ValueError(f"errors must be above 0, one for each of {len(sizes)} sizes, got shape {errors.shape}")
    unit = np.exp(np.log(sizes).mean())
    weights, logs = 1 / errors[..., None, :], np.log(sizes / unit)
    misfits = _linear(GRID[:, None], logs, weights)[2]
    best = misfits.argmin(-1)
    low, high = (GRID[np.clip(best + shift, 0, len(GRID) - 1)] for shift in (-1, 1))
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(SECTIONS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        values = _linear(np.stack([left, right], -1)[..., None], logs, weights)[2]
        lower = values[..., 0] < values[..., 1]
        low, high = np.where(lower, low, left), np.where(lower, right, high)
    exponent = (low + high) / 2
    floor, amplitude, _ = _linear(exponent[..., None, None], logs, weights)
    return PowerLaw(floor[..., 0], amplitude[..., 0] * unit**exponent, exponent)


def _linear(exponents: np.ndarray, logs: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the best a and b at given exponents (\\*, C, 1), at least 0 both, and the misfit, (\\*, C) each."""
    of_floor, of_power = np.broadcast_arrays(weights, weights * np.exp(-exponents * logs))
    uu, uv, vv = ((x * y).sum(-1) for x, y in ((of_floor, of_floor), (of_floor, of_power), (of_power, of_power)))
    u, v = of_floor.sum(-1), of_power.sum(-1)
    determinant = np.maximum(uu * vv - uv**2, 1e-300)
    floor, amplitude = (u * vv - v * uv) / determinant, (v * uu - u * uv) / determinant
    power_alone, floor_alone = floor < 0, amplitude < 0
    amplitude = np.where(power_alone, v / vv, np.where(floor_alone, 0.0, amplitude))
    floor = np.where(power_alone, 0.0, np.where(floor_alone, u / uu, floor))
    residuals = floor[..., None] * of_floor + amplitude[..., None] * of_power - 1
    return floor, amplitude, (residuals**2).sum(-1)


def law_intervals(curves: pd.DataFrame) -> dict[str, Interval]:
    """Return floor, amplitude and exponent of the mean curve with 95 % intervals over seeds.

    Args:
        curves: an error for each seed (rows) and size (columns, which are numbers).

    Raises:
        ValueError: as :func:`fit_power_law` and :func:`resampled`.
    """
    found = fit_power_law(curves.columns, curves.mean().to_numpy())
    drawn = fit_power_law(curves.columns, resampled(curves))
    return {
        name: _interval(float(value), values, len(curves))
        for name, value, values in zip(PowerLaw._fields, found, drawn, strict=True)
    }


def exponent_difference(first: pd.DataFrame, second: pd.DataFrame) -> Interval:
    """Return the exponent of one arm's mean curve less another's, with its 95 % interval over seeds.

    Both are resampled together, so that what a seed does to both, by its images, does not count.

    Args:
        first, second: as in :func:`law_intervals`, with the same seeds and sizes.

    Raises:
        ValueError: seeds or sizes differ, or as :func:`law_intervals`.
    """
    if not (first.columns.equals(second.columns) and {*first.index} == {*second.index}):
        raise ValueError(
            f"paired curves need the same seeds and sizes, got {list(first.index)} at {list(first.columns)} and "
            f"{list(second.index)} at {list(second.columns)}"
        )
    sizes, pair = first.columns, (first, second.loc[first.index])
    one, two = (fit_power_law(sizes, curves.mean().to_numpy()).exponent for curves in pair)
    drawn = [fit_power_law(sizes, resampled(curves)).exponent for curves in pair]
    return _interval(float(one - two), drawn[0] - drawn[1], len(first))


def resampled(curves: pd.DataFrame) -> np.ndarray:
    """Return ``RESAMPLES`` mean curves of seeds drawn with replacement, always the same draws, shape (RESAMPLES, S).

    Raises:
        ValueError: fewer than two seeds, or one that is there twice.
    """
    n = len(curves)
    if n < 2 or curves.index.has_duplicates:
        raise ValueError(f"an interval over seeds needs two or more, each once, got {list(curves.index)}")
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    return counts @ curves.to_numpy(float) / n


def _interval(found: float, drawn: np.ndarray, n: int) -> Interval:
    r"""Return a value with the percentiles of its resamples, which are moved outwards as n is small.

    .. math::
        p = \Phi\bigl(-\sqrt{n/(n-1)}\; t_{0.975,\,n-1}\bigr)

    and 1 - p, so that the interval of a mean of normal values is as long as Student's. Source: Hesterberg (2015),
    the expanded percentile interval.
    """
    tail = stats.norm.cdf(-math.sqrt(n / (n - 1)) * stats.t.ppf(0.975, n - 1))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(found, float(low), float(high), n)


def slopes(curves: pd.DataFrame) -> pd.Series:
    r"""Return each seed's mean slope: the c of least squares of log errors against log sizes, without a floor.

    .. math::
        c_0 = -\frac{\sum_s x_s \log\varepsilon_s}{\sum_s x_s^2}, \qquad x_s = \log n_s - \overline{\log n}

    It is a number of each seed, so that Student's interval and the test of signs apply, and asks nothing of the form.
    """
    x = np.log(np.asarray(curves.columns, float))
    x = x - x.mean()
    return -(np.log(curves) * x).sum(axis=1) / (x**2).sum()
