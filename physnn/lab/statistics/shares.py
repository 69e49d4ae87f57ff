"""How often something happens, with intervals that hold where it is rare: shares of runs that diverge, for one."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from physnn.lab.statistics.stats import Interval


def share(events: Sequence[bool]) -> Interval:
    """Return the share of events with its 95 % interval, Wilson's score interval (1927).

    Student's interval of the same zeros and ones covers a rare share far too seldom: where no event was seen it has no
    width.

    Raises:
        ValueError: there are no values, or one is not True or False.
    """
    events = _events(events)
    found = stats.binomtest(int(events.sum()), len(events))
    return Interval(found.statistic, *map(float, found.proportion_ci(method="wilson")), len(events))


class Shares(NamedTuple):
    """The difference of two shares of paired events with its 95 % interval, and the p of the exact sign test."""

    difference: Interval
    p: float


def paired_shares(first: pd.Series, second: pd.Series) -> Shares:
    r"""Compare how often an event comes in two arms, over their common index, as ``first - second``.

    With b pairs in which only the first has it and c in which only the second does, :math:`p_b = (b+1)/(n+2)` and
    :math:`p_c` likewise,

    .. math::
        p_b - p_c \pm 1.96 \sqrt{\frac{p_b + p_c - (p_b - p_c)^2}{n + 2}}

    is the interval, that of Bonett and Price (2012), cut at ±1. The test is that of McNemar in its exact form: whether
    b and c are as likely. ``mean`` is what was observed, (b - c)/n.

    Raises:
        ValueError: the indices differ, there are no pairs, or a value is not True or False.
    """
    if set(first.index) != set(second.index) or first.index.has_duplicates or second.index.has_duplicates:
        raise ValueError(f"paired values need one common index, got {list(first.index)} and {list(second.index)}")
    one, other = _events(first), _events(second.reindex(first.index))
    n, b, c = len(one), int((one & ~other).sum()), int((~one & other).sum())
    pb, pc = (b + 1) / (n + 2), (c + 1) / (n + 2)
    half = float(stats.norm.ppf(0.975)) * math.sqrt((pb + pc - (pb - pc) ** 2) / (n + 2))
    interval = Interval((b - c) / n, max(-1.0, pb - pc - half), min(1.0, pb - pc + half), n)
    return Shares(interval, float(stats.binomtest(b, b + c).pvalue) if b + c else 1.0)


def _events(values: Sequence[bool]) -> np.ndarray:
    values = pd.Series(values)
    if values.empty or not values.isin([True, False]).all():
        raise ValueError(f"shares need events that are True or False, at least one, got {values.unique().tolist()}")
    return values.to_numpy(dtype=bool)
