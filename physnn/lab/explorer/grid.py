"""What the recorded studies hold, arm by arm: intervals, values by seed, learning curves, and how it was tuned."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from physnn.lab.records.provenance import RESULTS
from physnn.lab.records.studies import Study
from physnn.lab.statistics import stats


class Measure(NamedTuple):
    """What a study measures.

    Attributes:
        label: its name with the unit.
        decimals: how many are written; None for as many as make four digits, or three and a power of ten.
        scale: what a value of the table is multiplied by.
        margin: within which the book speaks of no difference; 0 where it names none.
    """

    label: str
    decimals: int | None
    scale: float = 1.0
    margin: float = 0.0

    def write(self, interval: stats.Interval) -> str:
        """Write ``mean [low, high]``."""
        if self.decimals is not None:
            return interval.format(f".{self.decimals}f")
        largest = max(map(abs, interval[:3]))
        power = math.floor(math.log10(largest)) if largest else 0
        if -2 < power < 5:
            return interval.format(f".{max(0, 3 - power)}f")
        return f"{interval.format('.2f', 10.0**-power)} ×10{str(power).translate(RAISED)}"


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MEASURES = {
    "test_accuracy": Measure("test accuracy, %", 2, 100, 0.2),
    "test_nll": Measure("test NLL, nats", 4),
    "test_ece": Measure("test ECE", 4),
    "test_roughness": Measure("roughness along the classes", 3),
    "test_spatial": Measure("squared difference along the classes", 4),
    "corruption": Measure("error on corrupted test images, mean, %", 2, 100),
    "weights_moran": Measure("Moran's I of the first layer's weights", 3),
    "saliency_moran": Measure("Moran's I of the saliency", 3),
    "validation_accuracy": Measure("validation accuracy, %", 2, 100, 0.2),
    "loss": Measure("training loss, last epoch", None),
    "negative": Measure("steps with negative energy, last epoch, %", 1, 100),
    "distance": Measure("distance from the start", None),
    "kinetic": Measure("kinetic temperature, last epoch", None),
}
TITLES = {
    "runs": "runs",
    "lr": "learning rate",
    "beta_init": "β at the start",
    "weight_decay": "weight decay",
    "best": "validation accuracy, %",
    "diverged": "tuning runs that diverged",
    **{name: measure.label for name, measure in MEASURES.items()},
}


class Grid:
    """A recorded study as the explorer shows it.

    Attributes:
        models: a model's name to its arms, ``{term: name of the arm in the table}``. Where a design names no models,
            arms of the same widths form one, and a term is the arm's whole name.
        measures: the keys of ``MEASURES`` that the final runs have; none where there were no final runs.
        runs: the last row of every final run that reached the end, in the units shown.
    """

    def __init__(self, study: Study) -> None:
        self.study, self.table = study, study.table()
        self.models: dict[str, dict[str, str]] = {}
        for arm, recipe in study.arms.items():
            model, _, term = arm.partition(": ") if "models" in study.design else ("", "", arm)
            self.models.setdefault(model or " → ".join(map(str, recipe["widths"])), {})[term] = arm
        self.plan = study.design.get("final", {"seeds": [], "epochs": 0})
        final = self.table[self.table.phase == "final"]
        self.curves = final[final.epoch > 0]
        self.runs = final[final.epoch == self.plan["epochs"]]
        if errors := [name for name in final if name.startswith("error_")]:
            self.runs = self.runs.assign(corruption=self.runs[errors].mean(axis=1))
        self.measures = [name for name in MEASURES if name in self.runs and np.isfinite(self.runs[name]).any()]
        scales = {name: MEASURES[name].scale for name in self.measures}
        self.runs = self.runs.assign(**{name: self.runs[name] * scale for name, scale in scales.items()})

    def by_seed(self, measure: str) -> pd.DataFrame:
        """Return one row per seed of the design and one column per arm; NaN where there is no finite value."""
        wide = self.runs.pivot(index="seed", columns="arm", values=measure)
        return wide.reindex(index=self.plan["seeds"], columns=list(self.study.arms)).where(np.isfinite)

    def curve(self, arm: str) -> list[list[int | None]] | None:
        """Return validation accuracy by epoch, in percent, of the runs that reached the end: means and half-widths."""
        rows = self.curves[(self.curves.arm == arm) & self.curves.seed.isin(self.runs.seed[self.runs.arm == arm])]
        if rows.seed.nunique() < 2:
            return None
        points = stats.summary(rows.assign(percent=100 * rows.validation_accuracy), "percent", by="epoch")
        return [packed(points["mean"], 2), packed(points.high - points["mean"], 2)]

    def tuning(self) -> pd.DataFrame:
        """Return per arm the tuning runs, how many diverged, and the best settings with their accuracy (``best``).

        The accuracy is that of the validation images in percent, the mean over the seeds of the settings where every
        seed reached the last epoch; the settings with the highest are the best.
        """
        plan = self.study.design["tuning"]
        rows = self.table[self.table.phase == "tuning"]
        keys = self.study.hyperparameters
        runs = rows.groupby(["arm", *keys, "seed"], sort=False, dropna=False).diverged.any()
        ends = rows[rows.epoch == plan["epochs"]].groupby(["arm", *keys], sort=False, dropna=False)
        ends = ends.validation_accuracy.agg(["mean", "count"]).reset_index()
        ends = ends[ends["count"] == len(plan["seeds"])]
        best = ends.loc[ends.groupby("arm", sort=False)["mean"].idxmax()].set_index("arm")
        result = runs.groupby("arm").agg(["size", "sum"]).set_axis(["runs", "diverged"], axis=1)
        return result.join(best[keys]).assign(best=100 * best["mean"]).reindex(list(self.study.arms))

    def numbers(self) -> pd.DataFrame:
        """Return all that is known of each arm, one row each, as it is written; the columns are those of ``TITLES``.

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
            return pd.DataFrame(columns | {"best": tuning.best.map("{:.2f}".format)}, arms)
        finished = finished.reindex(arms, fill_value=0)
        columns = {"runs": [f"{n} of {len(self.plan['seeds'])}" for n in finished]} | columns
        for measure in self.measures:
            values = self.by_seed(measure)
            columns[measure] = [written(values[arm], finished[arm], MEASURES[measure]) for arm in arms]
        return pd.DataFrame(columns, arms)


def _setting(value: float) -> str:
    return "–" if pd.isna(value) else re.sub(r"e-0*", "e−", f"{value:.3g}")


def recorded(results: Path = RESULTS) -> dict[str, Grid]:
    """Return every study with a recorded table, by name.

    Raises:
        ValueError: a table does not belong to its design, see :meth:`Study.table`.
    """
    names = sorted(path.parent.name for path in results.glob("*/design.yml"))
    return {name: Grid(Study(name, results)) for name in names if (results / name / "provenance.json").exists()}


def written(values: pd.Series, finished: int, measure: Measure) -> str:
    """Write a cell of a table: the mean over seeds and its interval, or what there is instead of them.

    ``finished`` runs reached the end. An arm of which two did and that has no values knows no such measure.
    """
    values = values.dropna()
    if finished < 2:
        return "one run" if finished else "diverged"
    if len(values) < 2:
        return "–"
    return measure.write(stats.mean_interval(values))


def packed(values: Iterable[float], decimals: int | None = None, digits: int = 5) -> list[int | None] | None:
    """Return values as integers: decimals, the lowest, and each one's distance from it, None for NaN.

    Without ``decimals``, as many as make ``digits`` of the largest. Of NaN alone nothing is left.
    """
    values = list(values)
    if all(map(math.isnan, values)):
        return None
    if decimals is None:
        largest = max(abs(value) for value in values if not math.isnan(value))
        decimals = digits - 1 - math.floor(math.log10(largest)) if largest else 0
    whole = [None if math.isnan(value) else round(value * 10.0**decimals) for value in values]
    while decimals > 0 and all(number is None or number % 10 == 0 for number in whole):
        decimals, whole = decimals - 1, [None if number is None else number // 10 for number in whole]
    low = min(number for number in whole if number is not None)
    return [decimals, low, *(None if number is None else number - low for number in whole)]
