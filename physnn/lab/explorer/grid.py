"""What the recorded studies hold, arm by arm: intervals, values by seed, learning curves, and how it was tuned."""

import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from physnn.lab.records.provenance import RESULTS
from physnn.lab.records.studies import Study
from physnn.lab.statistics import stats
from physnn.lab.training.task import Column, column

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FAR = 1.0e9  # an arm with a value beyond it, as of states that ran away, has no mean that says anything
TITLES = {
    "runs": "runs",
    "lr": "learning rate",
    "beta_init": "β at the start",
    "weight_decay": "weight decay",
    "diverged": "tuning runs that diverged",
}


class Grid:
    """A recorded study as the explorer shows it.

    Attributes:
        models: a model's name to its arms, ``{term: name of the arm in the table}``. Where a design names no models,
            arms of the same widths form one, and a term is the arm's whole name.
        columns: what the study's task can measure and has a label for; a family's value is its mean.
        measures: those of ``columns`` that the final runs have; none where there were no final runs.
        score: the column by which settings were chosen.
        runs: the last row of every final run that reached the end, in the units shown.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.table = study, study.table()
        self.models: dict[str, dict[str, str]] = {}
        for arm, recipe in study.arms.items():
            model, _, term = arm.partition(": ") if "models" in study.design else ("", "", arm)
            self.models.setdefault(model or " → ".join(map(str, recipe.get("widths", ["all"]))), {})[term] = arm
        self.plan = study.design.get("final", {"seeds": [], "epochs": 0})
        final = self.table[self.table.phase == "final"]
        self.curves = final[final.epoch > 0]
        self.runs = final[final.epoch == self.plan["epochs"]]
        self.columns = {name: each for name, each in study.task.COLUMNS.items() if each.label}
        self.score = column(study.task, study.task.SCORE)
        values = {name: _values(self.runs, name) * each.scale for name, each in self.columns.items()}
        self.measures = [name for name, each in values.items() if np.isfinite(each).any()]
        self.runs = self.runs.assign(**{name: values[name] for name in self.measures})

    def by_seed(self, measure: str) -> pd.DataFrame:
        """Return one row per seed of the design and one column per arm.

        NaN where there is no finite value, and of an arm of which one is beyond ``FAR``.
        """
        wide = self.runs.pivot(index="seed", columns="arm", values=measure)
        wide = wide.reindex(index=self.plan["seeds"], columns=list(self.study.arms)).where(np.isfinite)
        wide.loc[:, wide.abs().max() > FAR] = np.nan
        return wide

    def curve(self, arm: str) -> list[list[int | None]] | None:
        """Return the score by epoch, as shown, of the runs that reached the end: means and half-widths.

        There is none where the final runs have no score, as they learn from the images that it is taken of, and none
        where one is beyond ``FAR``.
        """
        rows = self.curves[(self.curves.arm == arm) & self.curves.seed.isin(self.runs.seed[self.runs.arm == arm])]
        scores = rows[self.study.task.SCORE]
        if rows.seed.nunique() < 2 or scores.isna().all() or scores.abs().max() > FAR:
            return None
        shown = rows.assign(shown=self.score.scale * rows[self.study.task.SCORE])
        points = stats.summary(shown, "shown", by="epoch")
        return [packed(values, self.score.decimals) for values in (points["mean"], points.high - points["mean"])]

    def tuning(self) -> pd.DataFrame:
        """Return per arm the tuning runs, how many diverged, and the best setting with its score as shown (``best``).

        The best are those of :meth:`physnn.lab.records.studies.Study.best`.
        """
        rows, keys = self.table[self.table.phase == "tuning"], self.study.hyperparameters
        runs = rows.groupby(["arm", *keys, "seed"], sort=False, dropna=False).diverged.any()
        result = runs.groupby("arm").agg(["size", "sum"]).set_axis(["runs", "diverged"], axis=1)
        best = self.study.best(self.table)
        return result.join(best[keys]).assign(best=self.score.scale * best.score).reindex(list(self.study.arms))

    def numbers(self) -> pd.DataFrame:
        """Return all that is known of each arm, one row each, as it is written; the heads are of :meth:`title`.

        The settings are those of the final runs; where there were none, the best ones of the tuning, with ``best``.
        """
        tuning, final = self.tuning(), self.table[self.table.phase == "final"]
        arms, finished = list(self.study.arms), self.runs.groupby("arm").size()
        chosen = final.groupby("arm").first() if self.measures else tuning
        columns = {
            name: [_setting(value) for value in chosen[name].reindex(arms)] for name in self.study.hyperparameters
        }
        columns["diverged"] = [f"{tuning.diverged[arm]} of {tuning.runs[arm]}" for arm in arms]
        if not self.measures:
            digits = ".4g" if self.score.decimals is None else f".{self.score.decimals}f"
            return pd.DataFrame(columns | {"best": [f"{value:{digits}}" for value in tuning.best]}, arms)
        finished = finished.reindex(arms, fill_value=0)
        columns = {"runs": [f"{n} of {len(self.plan['seeds'])}" for n in finished]} | columns
        for measure in self.measures:
            values = self.by_seed(measure)
            columns[measure] = [written(values[arm], finished[arm], self.columns[measure]) for arm in arms]
        return pd.DataFrame(columns, arms)

    def title(self, name: str) -> str:
        """Return what the head of a column of :meth:`numbers` says."""
        if name == "best":
            return self.score.label
        return self.columns[name].label if name in self.columns else TITLES.get(name, name)


def _values(runs: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or the mean of a family of columns, of which there may be none."""
    stem, family, _ = name.partition("*")
    columns = [each for each in runs if (each.startswith(stem) if family else each == stem)]
    return runs[columns].mean(axis=1)


def _setting(value: float) -> str:
    return "–" if pd.isna(value) else re.sub(r"e-0*", "e−", f"{value:.3g}")


def read_grids(results: Path = RESULTS) -> dict[str, Grid]:
    """Return every study with a recorded table, by name.

    Raises:
        ValueError: a table does not belong to its design, see :meth:`Study.table`.
    """
    names = sorted(path.parent.name for path in results.glob("*/design.yml"))
    return {name: Grid(Study(name, results)) for name in names if (results / name / "provenance.json").exists()}


def written(values: pd.Series, finished: int, measure: Column) -> str:
    """Write a cell of a table: the mean over seeds and its interval, or what there is instead of them.

    ``finished`` runs reached the end. An arm of which two did and that has no values knows no such measure.
    """
    values = values.dropna()
    if finished < 2:
        return "one run" if finished else "diverged"
    if len(values) < 2:
        return "–"
    return write(stats.mean_interval(values), measure.decimals)


def write(interval: stats.Interval, decimals: int | None) -> str:
    """Write ``mean [low, high]``, with decimals as :class:`physnn.lab.training.task.Column` has them."""
    if decimals is not None:
        return interval.format(f".{decimals}f")
    largest = max(map(abs, interval[:3]))
    power = math.floor(math.log10(largest)) if largest else 0
    if -2 < power < 5:
        return interval.format(f".{max(0, 3 - power)}f")
    return f"{interval.format('.2f', 10.0**-power)} ×10{str(power).translate(RAISED)}"


def packed(values: Iterable[float], decimals: int | None = None) -> list[int | None] | None:
    """Return values as integers: decimals, the lowest, and each one's distance from it, None for NaN.

    Without ``decimals``, as many as make five digits of the largest. Of NaN alone nothing is left.
    """
    values = list(values)
    if all(map(math.isnan, values)):
        return None
    if decimals is None:
        largest = max(abs(value) for value in values if not math.isnan(value))
        decimals = 4 - math.floor(math.log10(largest)) if largest else 0
    whole = [None if math.isnan(value) else round(value * 10.0**decimals) for value in values]
    while decimals > 0 and all(number is None or number % 10 == 0 for number in whole):
        decimals, whole = decimals - 1, [None if number is None else number // 10 for number in whole]
    low = min(number for number in whole if number is not None)
    return [decimals, low, *(None if number is None else number - low for number in whole)]
