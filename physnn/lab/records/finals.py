"""The rows of a study as chapters read them: its final runs, with the model and the variant of each arm in columns.

Where a design has ``models``, each of its arms is run in each of them and is called ``"model: arm"`` in the table.
Here the first part is the ``model`` and the second the ``variant``.
"""

import pandas as pd

from physnn.lab.chapter.naming import glue
from physnn.lab.records.studies import Study
from physnn.lab.statistics import stats

BETWEEN = ": "  # a model and a variant


def named(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their arm's ``model`` and ``variant``; an arm without a model is a variant of ``""``."""
    parts = [arm.partition(BETWEEN) for arm in table.arm]
    return table.assign(
        model=[model if between else "" for model, between, _ in parts],
        variant=[variant if between else model for model, between, variant in parts],
    )


def final_history(study: Study) -> pd.DataFrame:
    """Return all rows of the final runs, from epoch 0, with ``model`` and ``variant``.

    Raises:
        ValueError: the design has no final runs, or as :meth:`physnn.lab.records.studies.Study.table`.
        FileNotFoundError: the study is not recorded.
    """
    if "final" not in study.design:
        raise ValueError(f"study {study.name!r} has no final runs, its design names tuning alone; read study.table()")
    table = study.table()
    return named(table[table.phase == "final"])


def final_rows(study: Study) -> pd.DataFrame:
    """Return the last row of each final run that reached the end, and its test accuracy, if it has one, in ``percent``.

    Raises:
        ValueError: as :func:`final_history`.
        FileNotFoundError: the study is not recorded.
    """
    rows = final_history(study)
    rows = rows[rows.epoch == study.design["final"]["epochs"]]
    return rows.assign(percent=100 * rows.test_accuracy) if "test_accuracy" in rows else rows


def lost_runs(study: Study, rows: pd.DataFrame) -> pd.Series:
    """Return how many of each arm's final runs diverged: those that ``rows`` of :func:`final_rows` lack."""
    ended = rows.groupby("arm").size().reindex(list(study.arms), fill_value=0)
    return len(study.design["final"]["seeds"]) - ended


def glue_plan(study: Study) -> None:
    """Name what the design fixes: seeds and epochs of the final runs, ``n`` and ``n-epochs``, ``n-arms``, ``n-rates``.

    The last one is missing where learning rates are drawn at random.
    """
    design = study.design
    glue("n", len(design["final"]["seeds"]))
    glue("n-epochs", design["final"]["epochs"])
    glue("n-arms", len(design["arms"]))
    if "trials" not in design["tuning"]:
        glue("n-rates", len(design["tuning"]["lr"]))


def planned_contrasts(study: Study) -> list[tuple[str, str]]:
    """Return the contrasts that the design names, in each of its models, as pairs of arms of the table."""
    models = [f"{model}{BETWEEN}" for model in study.design.get("models", ())] or [""]
    return [(f"{model}{a}", f"{model}{b}") for model in models for a, b in study.design["contrasts"]]


def compared(study: Study, rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return what :func:`physnn.lab.statistics.stats.comparisons` says of ``value`` in all planned contrasts.

    Returns:
        A row for each contrast, with its ``model`` and the two variants, ``variant`` less ``against``, besides.
    """
    tests = stats.comparisons(rows, planned_contrasts(study), value)
    against = named(tests.rename(columns={"second": "arm"})).variant
    return named(tests.assign(arm=tests["first"])).drop(columns="arm").assign(against=against)
