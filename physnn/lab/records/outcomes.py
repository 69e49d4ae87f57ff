"""What came of an arm's runs: a value for each seed of the final ones, or for each setting or run of the tuning.

Effects (:mod:`physnn.lab.records.effects`) are means and differences of these.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from physnn.lab.records.studies import Study
from physnn.lab.statistics.survival import Duration, epochs_to_threshold
from physnn.lab.training.task import Column, column


def recorded(study: Study) -> pd.DataFrame:
    """Return the study's recorded rows, read once for all the effects that need them.

    Raises:
        FileNotFoundError: the study is not recorded.
        ValueError: as :meth:`physnn.lab.records.studies.Study.table`.
    """
    made = study.provenance  # that it is there
    return _read(study.name, study.folder.parent, study.digest, made["table"])


@lru_cache(maxsize=32)
def _read(name: str, results: Path, design: str, table: str) -> pd.DataFrame:
    return Study(name, results).table()


def final_runs(study: Study, arm: str) -> pd.DataFrame:
    """Return the rows of an arm's final runs, of all epochs."""
    table = recorded(study)
    return table[(table.phase == "final") & (table.arm == arm)]


def final_values(study: Study, rows: pd.DataFrame, how: Mapping[str, Any]) -> pd.Series:
    """Return the ``column`` of ``how`` after the last epoch, times its ``scale``, by seed; ``lost`` where none is.

    Args:
        rows: of :func:`final_runs`.

    Raises:
        ValueError: there is no such column, or runs diverged and ``how`` has no value for them.
    """
    stem, every, _ = how["column"].partition("*")
    columns = [name for name in rows if name == stem or (every and name.startswith(stem))]
    if not columns:
        raise ValueError(f"study {study.name!r} has no column {how['column']!r}")
    ended = rows[rows.epoch == study.design["final"]["epochs"]].set_index("seed")[columns].mean(axis=1, skipna=False)
    values = ended.reindex(study.design["final"]["seeds"])
    if values.isna().any() and "lost" not in how:
        raise ValueError(f"runs of {how} diverged: give the rule a value for them, `lost`")
    return how.get("scale", 1) * values.fillna(how.get("lost"))


def epochs_to(study: Study, rows: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return each seed's epochs to the threshold, those that do not get there with the last one of the design.

    Args:
        rows: of :func:`final_runs`.
        threshold: of the task's score, in the unit in which it is shown.

    Returns:
        ``epochs`` and ``observed``, indexed by ``seed``.
    """
    last, (score, sign) = study.design["final"]["epochs"], _score(study)
    runs = dict(iter(rows.assign(reached=sign * rows[study.task.SCORE]).groupby("seed")))
    taken = {
        seed: epochs_to_threshold(runs[seed], "reached", sign * threshold / score.scale, budget=last)
        for seed in study.design["final"]["seeds"]
    }
    return pd.DataFrame.from_dict(taken, orient="index", columns=Duration._fields).rename_axis("seed")


def diverged(study: Study, arms: Sequence[str]) -> list[pd.Series]:
    """Tell of each tuning run whether it diverged, for each of the arms, by what they share of its setting and seed."""
    return [rows[rows.epoch == 0].set_index([*by, "seed"]).diverged.astype(bool) for rows, by in _tuning(study, arms)]


def tuned_scores(study: Study, arms: Sequence[str], measure: str) -> list[pd.Series]:
    """Return each setting's score after the last tuning epoch, for each of the arms: the larger the better.

    It is the mean over its seeds, in the unit in which the score is shown; a run that diverged counts as a guess.

    Raises:
        ValueError: the task's score has no guess, which the ``measure`` needs.
    """
    score, sign = _score(study)
    if score.guess is None:
        raise ValueError(f"task {study.task_name}: the column {study.task.SCORE} needs a guess, for {measure}")
    factor, several = sign * score.scale, []
    for rows, by in _tuning(study, arms):
        begun, ended = (
            rows[rows.epoch == epoch].set_index([*by, "seed"]) for epoch in (0, study.design["tuning"]["epochs"])
        )
        reached = (factor * ended[study.task.SCORE]).reindex(begun.index).fillna(factor * score.guess)
        several.append(reached.groupby(level=by, sort=False).mean())
    return several


def _tuning(study: Study, arms: Sequence[str]) -> list[tuple[pd.DataFrame, list[str]]]:
    """Return the rows of each arm's tuning runs, and the hyperparameters that tell its settings apart.

    They are those that all the arms have: a trial is the same trial for both.
    """
    table = recorded(study)
    shared = [
        name
        for name in study.hyperparameters
        if name == "lr" or all(study.arms[arm].get(name) == "search" for arm in arms)
    ]
    several = [table[(table.phase == "tuning") & (table.arm == arm)] for arm in arms]
    return [(rows, [name for name in shared if rows[name].notna().all()]) for rows in several]


def _score(study: Study) -> tuple[Column, int]:
    """Return the column of the task's score, and the sign with which larger is better."""
    score = column(study.task, study.task.SCORE)
    return score, 1 if score.larger else -1
