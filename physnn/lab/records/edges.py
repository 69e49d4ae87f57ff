"""Optima at the edge of what was searched: an arm that has one might do better outside."""

import math

import pandas as pd

from physnn.lab.records.studies import Study

NEAR = 0.05  # the share of a drawn range, in logarithms, that counts as its edge


def at_edge(study: Study) -> pd.DataFrame:
    """Return the chosen hyperparameters that lie at an edge of what was tried.

    Of listed values the lowest and the highest are the edges; of drawn ones, in logarithms, the outer twentieths of
    the range. Where there is one value nothing was searched.

    Returns:
        A row for each, by ``arm``: ``hyperparameter``, ``chosen``, the bounds ``low`` and ``high`` of what was tried,
        and ``edge``, the one that was met.

    Raises:
        FileNotFoundError: the study is not recorded.
        ValueError: as :meth:`physnn.lab.records.studies.Study.table` and ``tuned``.
    """
    chosen, rows = study.tuned(study.table()), []
    drawn = "trials" in study.design["tuning"]
    for name in study.hyperparameters:
        for arm, value in chosen[name].dropna().items():
            low, high = study.bounds(arm, name)
            if low < high and (edge := _edge(value, low, high, drawn)):
                rows.append([arm, name, value, low, high, edge])
    columns = ["arm", "hyperparameter", "chosen", "low", "high", "edge"]
    return pd.DataFrame(rows, columns=columns).set_index("arm")


def _edge(value: float, low: float, high: float, drawn: bool) -> str:
    if not drawn:
        return {low: "low", high: "high"}.get(value, "")
    share = math.log(value / low) / math.log(high / low)
    return "low" if share < NEAR else "high" if share > 1 - NEAR else ""
