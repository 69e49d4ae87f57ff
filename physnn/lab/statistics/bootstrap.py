"""The interval of a mean for skewed values, where Student's covers one side too seldom."""

import numpy as np

RESAMPLES = 9_999


def bootstrap_t(values: np.ndarray, level: float) -> tuple[float, float]:
    r"""Return the interval of the mean of n values by the bootstrap of Student's t, at a ``level`` such as 0.95.

    .. math::
        \Bigl[\bar x - t^*_{(1+c)/2}\, \tfrac{s}{\sqrt n},\; \bar x - t^*_{(1-c)/2}\, \tfrac{s}{\sqrt n}\Bigr],
        \qquad t^* = \frac{\bar x^* - \bar x}{s^*/\sqrt n}

    with the quantiles of 9,999 resamples, always from seed 0. A resample that drew one value n times has no spread and
    an infinite t; where there are many, as with values of which most are equal or with four values, an end is
    infinite. Source: Efron and Tibshirani (1993), section 12.5.
    """
    n, mean = len(values), values.mean()
    resampled = values[np.random.default_rng(0).integers(0, n, (RESAMPLES, n))]
    away, spread = resampled.mean(1) - mean, resampled.std(1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.sort(np.where(spread > 1e-12 * values.std(), away / spread, np.copysign(np.inf, away)))
    cut = round((1 - level) / 2 * (RESAMPLES + 1)) - 1
    s = values.std(ddof=1)
    return float(mean - t[-1 - cut] * s), float(mean - t[cut] * s)
