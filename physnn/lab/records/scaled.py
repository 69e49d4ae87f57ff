"""Curves of a study against a size: what each seed's final runs came to in all of its models, which are sizes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from physnn.lab.records.finals import BETWEEN
from physnn.lab.records.outcomes import final_runs, final_values
from physnn.lab.records.studies import Study


def scaled(study: Study, variant: str, how: Mapping[str, Any]) -> pd.DataFrame:
    """Return the ``column`` of ``how`` for each seed (rows) and size (columns, rising), of one arm of every model.

    The size of a model is what its runs recorded in the column ``along`` of ``how``, before they were trained.

    Raises:
        FileNotFoundError: the study is not recorded.
        ValueError: it has no such arm in models, no such column, two models of one size or a model of two, or as
            :func:`physnn.lab.records.outcomes.final_values`.
    """
    arms = [f"{model}{BETWEEN}{variant}" for model in study.design.get("models", ())]
    if not arms or not {*arms} <= {*study.arms}:
        raise ValueError(f"study {study.name!r} has no {variant!r} in several models; it has {list(study.arms)}")
    curves = {}
    for arm in arms:
        rows = final_runs(study, arm)
        if how["along"] not in rows:
            raise ValueError(f"study {study.name!r} has no column {how['along']!r}")
        size, *more = rows[rows.epoch == 0][how["along"]].unique().tolist()
        if more or size in curves:
            raise ValueError(f"each model must have one {how['along']} of its own, got {[size, *more]} of {arm!r}")
        curves[size] = final_values(study, rows, how)
    return pd.DataFrame(curves).sort_index(axis=1)
