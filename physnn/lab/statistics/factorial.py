"""Main effects and interactions of a factorial with two levels per factor, seed by seed.

With the signs :math:`s_i = \\pm 1` of k factors, +1 where a factor is on, the effect of a set S of factors is

.. math::
    e_S = 2^{1-k} \\sum_{\\text{cells}} y \\prod_{i \\in S} s_i

For one factor that is the mean of the cells that have it less the mean of those that do not; for two, half of what the
effect of one changes when the other is switched on; and so on (Box, Hunter & Hunter 2005).
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from physnn.lab.statistics.stats import Comparison, Interval, compare, digits_of, holm

TIMES = " × "  # between the factors of an interaction


def effects(table: pd.DataFrame, factors: Sequence[str], value: str, *, pair: str = "seed") -> pd.DataFrame:
    """Return all effects of each seed: one row per ``pair``, one column per main effect and interaction.

    The columns are called after their factors, ``"loss"``, ``"loss × layer"``, fewest factors first. The effects have
    twelve digits of the values, so that what is zero on paper is zero here.

    Args:
        table: one row for each seed and cell, with the columns ``pair``, ``value`` and a boolean one for each factor.
        factors: columns that say whether a factor is on.

    Raises:
        ValueError: a factor is not boolean, a value is not finite, or a seed lacks a cell, has it twice or is NaN.
    """
    factors = list(factors)
    if not factors or not all(pd.api.types.is_bool_dtype(table[factor]) for factor in factors):
        raise ValueError(f"factors must be columns of True and False, at least one, got {factors}")
    cells = table.groupby([pair, *factors], dropna=False)[value].agg(["size", "first"])
    seeds = cells.index.unique(pair)
    complete = len(cells) == len(seeds) * 2 ** len(factors) and (cells["size"] == 1).all()
    if not complete or seeds.hasnans or not np.isfinite(table[value]).all():
        counts = table.groupby(pair).size()
        raise ValueError(
            f"every {pair} needs each of the {2 ** len(factors)} cells once, with a finite {value}; rows: "
            f"{counts.to_dict()}. A run that diverged has no value: leave its seed out of all cells and say so"
        )
    y = cells["first"].unstack(factors)
    signs = y.columns.to_frame(index=False).astype(int) * 2 - 1
    digits = digits_of(y.to_numpy())
    columns = {}
    for size in range(1, len(factors) + 1):
        for several in combinations(factors, size):
            products = signs[list(several)].prod(axis=1).to_numpy()
            columns[TIMES.join(several)] = ((y * products).sum(axis=1) / 2 ** (len(factors) - 1)).round(digits)
    return pd.DataFrame(columns, index=seeds)


def family(several: pd.DataFrame) -> pd.DataFrame:
    """Return one row per column of effects with its mean and interval over seeds; ``holm_p`` is over all of them.

    Several tables of :func:`effects` become one family by ``pd.concat({name: effects, ...}, axis=1)``.

    Returns:
        The index is that of the columns; ``mean``, ``low``, ``high``, ``n``, ``effect`` (Cohen's d), ``t_p``,
        ``flip_p`` and ``holm_p``, as :func:`physnn.lab.statistics.stats.comparisons` gives them.

    Raises:
        ValueError: as :func:`physnn.lab.statistics.stats.compare`.
    """
    rows = {}
    for name, column in several.items():
        column = column.dropna()  # a seed of another table
        difference, *tests = compare(column, 0 * column)
        rows[name] = (*difference, *tests)
    result = pd.DataFrame(rows.values(), columns=[*Interval._fields, *Comparison._fields[1:]])
    result.index = several.columns
    return result.assign(holm_p=holm(result.t_p.reset_index(drop=True)).to_numpy())
