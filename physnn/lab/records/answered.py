"""Which test images the final runs of a study get right, over draws of the search and seeds."""

import numpy as np
import pandas as pd

from physnn.lab.metrics.answers import unpack
from physnn.lab.records.finals import BETWEEN
from physnn.lab.records.studies import Study


def answered(study: Study, variant: str) -> np.ndarray:
    """Return right or wrong of each test image, of shape (draws, seeds, images): the study's models are its draws.

    Raises:
        FileNotFoundError: the study is not recorded.
        ValueError: it has no such arm in its draws, or a run has no answers; or as
            :meth:`physnn.lab.records.studies.Study.table`.
    """
    draws = [f"{draw}{BETWEEN}{variant}" for draw in study.design.get("models", ())]
    if not draws or not {*draws} <= {*study.arms}:
        raise ValueError(f"study {study.name!r} has no {variant!r} in several draws; it has {list(study.arms)}")
    table, plan = study.table(), study.design["final"]
    if "test_right" not in table:
        raise ValueError(f"study {study.name!r} keeps no answers: its final runs need the extra `answers`")
    rows = table[(table.phase == "final") & (table.epoch == plan["epochs"])]
    index = pd.MultiIndex.from_product([draws, plan["seeds"]])
    texts = rows.set_index(["arm", "seed"]).test_right.reindex(index)
    return np.stack([unpack(text) for text in texts]).reshape(len(draws), len(plan["seeds"]), -1)
