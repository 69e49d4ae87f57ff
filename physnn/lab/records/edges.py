"""Optima at the edge of what was searched: an arm that has one might do better outside."""

import math

import numpy as np
import pandas as pd

from physnn.lab.records.finals import BETWEEN
from physnn.lab.records.studies import Study

NEAR = 0.05  # the share of a drawn range, in logarithms, that counts as its edge


def at_edge(study: Study) -> pd.DataFrame:
    """Return the chosen hyperparameters that lie at an edge of what was tried.

    Of listed values the lowest and the highest are the edges; of drawn ones, in logarithms, the outer twentieths of
    the range. Where there is one value nothing was searched. It is no edge if a setting inside is equally good, or if
    the design says which arm lies ``beyond``: the study looks there by itself.

    Returns:
        A row for each, by ``arm``: ``hyperparameter``, ``chosen``, the bounds ``low`` and ``high`` of what was tried,
        and ``edge``, the one that was met.

    Raises:
        FileNotFoundError: the study is not recorded.
        ValueError: as :meth:`physnn.lab.records.studies.Study.table` and ``tuned``.
    """
    table, rows = study.table(), []
    chosen, best, scores = study.tuned(table), study.best(table).score, dict(iter(study.scores(table).groupby("arm")))
    drawn = "trials" in study.design["tuning"]
    for name in study.hyperparameters:
        for arm, value in chosen[name].dropna().items():
            low, high = study.bounds(arm, name)
            edge = _edge(value, low, high, drawn) if low < high else ""
            equal = scores[arm][name][np.isclose(scores[arm].score, best[arm], rtol=1e-9, atol=0)]
            inside = any(not _edge(each, low, high, drawn) for each in equal)
            if edge and not inside and edge not in _beyond(study, arm, name):
                rows.append([arm, name, value, low, high, edge])
    columns = ["arm", "hyperparameter", "chosen", "low", "high", "edge"]
    return pd.DataFrame(rows, columns=columns).set_index("arm")


def _beyond(study: Study, arm: str, name: str) -> dict[str, str]:
    """Return which arms lie beyond the ends, ``low`` and ``high``, of an arm's hyperparameter."""
    variant = arm.partition(BETWEEN)[2] if "models" in study.design else arm
    return study.design.get("beyond", {}).get(variant, {}).get(name, {})


def _edge(value: float, low: float, high: float, drawn: bool) -> str:
    if not drawn:
        return {low: "low", high: "high"}.get(value, "")
    share = math.log(value / low) / math.log(high / low)
    return "low" if share < NEAR else "high" if share > 1 - NEAR else ""
