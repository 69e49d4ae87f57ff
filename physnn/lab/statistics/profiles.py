"""Performance profiles: how often each of several solvers is within a factor of the best one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def performance_ratios(costs: pd.DataFrame) -> pd.DataFrame:
    r"""Return each solver's cost on each problem over the least cost of any solver there.

    .. math::
        r_{p,s} = \frac{t_{p,s}}{\min_{s'} t_{p,s'}}

    A cost of zero has the ratio 1, and beside one of zero every other cost has an infinite ratio. A cost that is NaN,
    of a solver that failed on that problem, has an infinite ratio too.

    Args:
        costs: a row for each problem and a column for each solver; the smaller the better.

    Returns:
        The ratios, of the same shape.

    Raises:
        ValueError: there are none, a cost is negative, or no solver has a cost on some problem.
    """
    values = costs.to_numpy(dtype=float)
    if not values.size or (values < 0).any() or np.isnan(values).all(1).any():
        raise ValueError(f"costs must be at least 0, with one on every problem, got {costs.to_dict('index')}")
    least = np.nanmin(values, 1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(values == least, 1.0, values / least)
    return pd.DataFrame(np.where(np.isnan(values), np.inf, ratios), costs.index, costs.columns)


def performance_profile(costs: pd.DataFrame, at: Sequence[float]) -> pd.DataFrame:
    r"""Return the share of problems on which each solver's cost is within a factor :math:`\tau` of the least.

    .. math::
        \rho_s(\tau) = \frac{1}{n_p}\,\bigl|\{p : r_{p,s} \le \tau\}\bigr|

    At 1 it is the share of problems on which no solver is better. For large factors it is the share of those that the
    solver solves at all. What it says of one solver depends on the others: of more than two, the order away from the
    best one is no order of pairs. Source: Dolan and Moré (2002).

    Args:
        costs: as in :func:`performance_ratios`.
        at: the factors, each at least 1 and finite.

    Returns:
        A row for each factor, as ``factor``, and a column for each solver.

    Raises:
        ValueError: a factor is below 1 or not finite, or as :func:`performance_ratios`.
    """
    factors = np.asarray(at, dtype=float)
    if not factors.size or not ((factors >= 1) & np.isfinite(factors)).all():
        raise ValueError(f"factors must be finite and at least 1, got {list(at)}")
    ratios = performance_ratios(costs)
    shares = (ratios.to_numpy() <= factors[:, None, None] * (1 + 1e-12)).mean(1)
    return pd.DataFrame(shares, pd.Index(factors, name="factor"), costs.columns)
