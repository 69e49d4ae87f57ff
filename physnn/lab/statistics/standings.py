"""Where one method stands against its rivals on several problems, after Holm's correction over all comparisons."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from physnn.lab.statistics.stats import compare, holm

LEVEL = 0.05


def standings(values: Mapping[str, Mapping[str, pd.Series]], arm: str, against: Sequence[str]) -> pd.DataFrame:
    """Compare an arm with each of its rivals on each problem, paired over seeds.

    The family is all of these comparisons: two-sided paired t tests, adjusted by Holm
    (:func:`physnn.lab.statistics.stats.holm`). An arm is ``ahead`` of a rival on a problem where its mean is larger and
    the adjusted p is at most 5 %, ``behind`` where it is smaller, likewise, and else ``open``.

    Args:
        values: for each problem the values of each arm, by seed; the larger the better.
        arm: the one that is compared.
        against: its rivals.

    Returns:
        A row for each problem and rival: ``problem``, ``rival``, ``mean``, ``low``, ``high`` and ``n`` of the
        difference, ``holm_p``, and ``standing``.

    Raises:
        ValueError: there are no problems or no rivals, an arm is missing on a problem, or as
            :func:`physnn.lab.statistics.stats.compare`.
    """
    rows = []
    for problem, arms in values.items():
        if missing := [name for name in (arm, *against) if name not in arms]:
            raise ValueError(f"{problem} has no values of {missing}; it has {list(arms)}")
        for rival in against:
            difference, _, t_p, _ = compare(arms[arm], arms[rival])
            rows.append((problem, rival, *difference, t_p))
    if not rows:
        raise ValueError(f"standings need problems and rivals, got {list(values)} and {list(against)}")
    found = pd.DataFrame(rows, columns=["problem", "rival", "mean", "low", "high", "n", "t_p"])
    p = holm(found.pop("t_p"))
    clear = np.where(found["mean"] > 0, "ahead", "behind")
    return found.assign(holm_p=p, standing=np.where((p <= LEVEL) & (found["mean"] != 0), clear, "open"))


def won(table: pd.DataFrame) -> pd.Series:
    """Tell of each problem of :func:`standings` whether the arm is ahead of every rival."""
    return (table.standing == "ahead").groupby(table.problem, sort=False).all()


def lost(table: pd.DataFrame) -> pd.Series:
    """Tell of each problem whether it is behind at least one rival."""
    return (table.standing == "behind").groupby(table.problem, sort=False).any()
