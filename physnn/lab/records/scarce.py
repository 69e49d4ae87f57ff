"""What a search would have chosen if there were as few labels to choose by as there are to learn from."""

import numpy as np

from physnn.lab.metrics.answers import unpack
from physnn.lab.records.studies import Study

DRAWS = 400


def chosen_by(study: Study, arm: str, images: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return the accuracy of the trial of an arm that some of the validation images choose, on all the others.

    Each draw takes so many of the images whose answers the trials keep, without replacement, and keeps the trial with
    the most right answers to them, over the seeds of the search: the first of those that are equally good, in an order
    of the trials that is drawn as well. Images and seed alike, the draws of two arms are paired: they take the same
    images. With all images but one the choice is that of the study, but for ties.

    Args:
        arm: its name in the table.

    Returns:
        Shares, of shape (draws,).

    Raises:
        FileNotFoundError: the study is not recorded.
        ValueError: its search keeps no answers, or not so many; no trial of the arm reached its end.
    """
    table, plan = study.table(), study.design["tuning"]
    if "validation_right" not in table:
        raise ValueError(f"the search of study {study.name!r} keeps no answers: it needs the extra `answers`")
    rows = table[(table.phase == "tuning") & (table.epoch == plan["epochs"]) & (table.arm == arm)]
    trials = rows.groupby(study.hyperparameters, sort=False, dropna=False).validation_right
    whole = [[unpack(text) for text in texts] for _, texts in trials if len(texts) == len(plan["seeds"])]
    if not whole:
        raise ValueError(f"no trial of {arm!r} in study {study.name!r} reached its end with every seed")
    right = np.mean(whole, axis=1)  # (trials, images)
    if not 1 <= images < right.shape[1]:
        raise ValueError(f"images must be from 1 to {right.shape[1] - 1}, got {images}")
    order, pick = np.random.default_rng([seed, 1]), np.random.default_rng(seed)
    found = np.empty(draws)
    for i in range(draws):
        few = pick.permutation(right.shape[1])[:images]
        mixed = right[order.permutation(len(right))]
        best = mixed[mixed[:, few].mean(1).argmax()]
        found[i] = (best.sum() - best[few].sum()) / (right.shape[1] - images)
    return found
