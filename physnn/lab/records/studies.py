"""Recorded studies: a design that is committed before it runs, and the table that came out.

A study is a folder of ``results/``: ``design.yml`` (arms, tuning, final runs, contrasts), ``table.csv`` (one row per
phase, arm, learning rate, seed and epoch) and ``provenance.json``.

Under ``tuning`` a design has ``seeds``, ``epochs`` and the hyperparameters, ``lr`` and those that arms leave to be
``search``-ed: lists of values, of which every combination is tried; or, with ``trials`` (how many) and ``draw`` (the
seed), two bounds each, between which trials are drawn log-uniformly, the same for every arm. An arm, or a model, may
have a ``draw`` of its own, and ``lr_unit``: what the drawn learning rates are multiplied by for it. ``final`` has
``seeds``, ``epochs`` and ``extras``; without it there are no final runs. With ``widens``, the name of another study, a
design runs some of its arms again, with wider ranges and all else alike (:mod:`physnn.lab.records.edges`). ``beyond``
says which arm is what another one comes to past an end of a range: ``{annealed T: {temperature: {low: T = 0}}}``.

What is trained and measured is the ``task``'s (:mod:`physnn.lab.training.task`; without one, images), which reads the
arms, and takes ``data``, ``batch_size`` and ``extras`` as it needs them.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from physnn.lab.records import design, parts
from physnn.lab.records.design import SEARCH, StudyError
from physnn.lab.records.provenance import READ, RESULTS, environment, package, show_line
from physnn.lab.running import files
from physnn.lab.running.command import uninterrupted
from physnn.lab.running.machine import cores
from physnn.lab.training.chunk import made_from
from physnn.lab.training.task import IMAGES, Budget, Replica, Task, column, find

if TYPE_CHECKING:
    from distributed import Client


WORK = Path("_build") / "studies"  # where runs that were stopped wait


class Study:
    """The study ``results/NAME``: its design, its recorded table, and how to make it.

    Attributes:
        design: what ``design.yml`` says.
        task: what the arms are recipes of, and ``task_name``, its name.
        arms: name to recipe. Where a design has ``models``, every arm is run with what each of them adds to it, and is
            called ``"model: arm"``.
        hyperparameters: ``lr``, then the others that are searched.

    Raises:
        StudyError: there is no study of that name, its design is none (:func:`physnn.lab.records.design.read`), there
            is no such task, or it tunes what no arm searches, or the reverse.
    """

    def __init__(self, name: str, results: Path = RESULTS) -> None:
        self.name = name
        self.folder = results / name
        path = self.folder / "design.yml"
        if not path.exists():
            known = ", ".join(sorted(p.parent.name for p in results.glob("*/design.yml")))
            raise StudyError(f"no study {name!r}: {path} does not exist. Studies: {known}")
        self.design = design.read(path)
        self.task_name = self.design.get("task", IMAGES)
        try:
            self.task: Task = find(self.task_name)
        except ValueError as error:
            raise StudyError(f"{path}: {error}") from error
        models = self.design.get("models", {"": {}})
        whole = {
            f"{model}: {arm}" if model else arm: {**shared, **recipe}
            for model, shared in models.items()
            for arm, recipe in self.design["arms"].items()
        }
        try:
            parted = {arm: design.trials_of(arm, recipe, self.design["tuning"]) for arm, recipe in whole.items()}
        except StudyError as error:
            raise StudyError(f"{path}: {error}") from None
        self.arms = {arm: recipe for arm, (recipe, _, _) in parted.items()}
        self._trials = {arm: trials for arm, (_, *trials) in parted.items()}
        rest = ("seeds", "epochs", "trials", "draw", "extras")
        self.hyperparameters = [name for name in self.design["tuning"] if name not in rest]
        sought = {name for recipe in self.arms.values() for name, value in recipe.items() if value == SEARCH}
        if sought != {*self.hyperparameters} - {"lr"} or "lr" not in self.hyperparameters:
            raise StudyError(
                f"study {name!r} tunes {self.hyperparameters}, and its arms search {sorted(sought)} and lr"
            )
        self.digest = hashlib.sha256(json.dumps(self.design, sort_keys=True).encode()).hexdigest()

    @property
    def provenance(self) -> dict:
        """What made the table: design, package, data, torch, machine, date and seconds.

        Raises:
            FileNotFoundError: the study has not run.
            StudyError: the file is damaged.
        """
        path = self.folder / "provenance.json"
        if not path.exists():
            raise FileNotFoundError(f"study {self.name!r} has no recorded table; make it with: make results")
        try:
            return dict(json.loads(path.read_bytes()))
        except (TypeError, ValueError) as error:
            raise StudyError(f"{path} is damaged ({error}); run: make results") from error

    def show_provenance(self) -> None:
        """Show the recorded study's provenance line in a notebook."""
        made = self.provenance
        hours = made["seconds_of_training"] / 3600
        show_line(
            f"Recorded study `{self.name}`",
            f"design {made['design'][:12]}",
            package(made),
            f"data {made['data'][:12]}",
            f"torch {made['torch']}, Python {made['python']}, {made['device']}",
            f"{made['date']}, {hours:.1f} hours of training",
        )

    def table(self) -> pd.DataFrame:
        """Return the recorded rows.

        Raises:
            FileNotFoundError: the study has not run.
            StudyError: the design, or the table, changed since; it names the command to refresh it.
        """
        recorded = self.provenance
        content = (self.folder / "table.csv").read_bytes()
        for part, digest in (("design", self.digest), ("table", _digest(content))):
            if recorded.get(part) != digest:
                raise StudyError(f"the {part} of study {self.name!r} changed since it was recorded; run: make results")
        READ[self.name] = self.show_provenance
        return pd.read_csv(self.folder / "table.csv")

    def settings(self, arm: str) -> list[dict[str, float]]:
        """Return the values of the hyperparameters that are tried of an arm."""
        tuning = self.design["tuning"]
        values = {name: tuning[name] for name in self.hyperparameters}
        if "trials" not in tuning:
            return [dict(zip(values, several, strict=True)) for several in product(*values.values())]
        draw, _ = self._trials[arm]
        logs = np.log([self.bounds(arm, name) for name in values])
        drawn = np.exp(np.random.default_rng(draw).uniform(*logs.T, size=(tuning["trials"], len(values))))
        # Four digits, that the table holds all of them.
        return [dict(zip(values, (float(f"{value:.3e}") for value in row), strict=True)) for row in drawn]

    def bounds(self, arm: str, name: str) -> tuple[float, float]:
        """Return the lowest and the highest value that can be tried of an arm's hyperparameter."""
        values, (_, unit) = self.design["tuning"][name], self._trials[arm]
        factor = unit if name == "lr" else 1.0
        return factor * min(values), factor * max(values)

    def replica(self, arm: str, setting: Mapping[str, float], seed: int) -> Replica:
        """Return the run of an arm with the hyperparameters of a setting, or of a row of the table."""
        recipe = self.arms[arm]
        searched = {name: float(setting[name]) for name, value in recipe.items() if value == SEARCH}
        return Replica(arm, {**recipe, **searched}, float(setting["lr"]), int(seed))

    def budget(self, phase: str) -> Budget:
        """Return what the runs of a phase, ``tuning`` or ``final``, have in common."""
        plan = self.design[phase]
        data, extras = self.design.get("data", ""), tuple(plan.get("extras", ()))
        size = self.design.get("batch_size", Budget.batch_size)
        return Budget(data, plan["epochs"], size, phase == "final", extras)

    def best(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return each arm's best setting: by the task's score after the last tuning epoch, mean over seeds.

        Returns:
            A row for each arm that has one in :meth:`scores`, the first of those that are equally good.
        """
        scores = self.scores(table)
        order = scores.score if column(self.task, self.task.SCORE).larger else -scores.score
        return scores.loc[order.groupby(scores.arm, sort=False).idxmax()].set_index("arm")

    def scores(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return what the settings came to that were tried.

        Returns:
            A row for each arm and setting with which every seed reached the end: ``arm``, the hyperparameters, NaN
            where the arm does not search them, and ``score``, the mean.
        """
        plan, score = self.design["tuning"], self.task.SCORE
        rows = table[(table.phase == "tuning") & (table.epoch == plan["epochs"])]
        means = rows.groupby(["arm", *self.hyperparameters], sort=False, dropna=False)[score].agg(["mean", "count"])
        return means[means["count"] == len(plan["seeds"])]["mean"].rename("score").reset_index()

    def tuned(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return each arm's best setting, as :meth:`best` does.

        Returns:
            A row for each arm, a column for each hyperparameter; NaN where an arm does not search it.

        Raises:
            StudyError: an arm has none with which every seed reached the end.
        """
        best = self.best(table)
        if lost := sorted(set(self.arms) - set(best.index)):
            raise StudyError(
                f"in study {self.name!r} no setting of {lost} has a {self.task.SCORE} of every seed after the last "
                f"epoch: its runs diverged; give it smaller learning rates"
            )
        return best[self.hyperparameters]

    def parts(self, work: Path = WORK) -> Path:
        """Return the folder that holds a table for each finished replica: of this design, made by this code."""
        return work / f"{self.name}-{self.digest[:12]}-{made_from(self.task_name)[:12]}"

    def run(self, workers: int | None = None, work: Path = WORK, client: "Client | None" = None) -> None:
        """Run every replica that has no result yet, and record the table. Ctrl-C keeps what is finished.

        One process at a time runs a study; the next one waits, and leaves a record that says the same as it is.

        Args:
            workers: processes of this machine; None for one per core.
            work: the folder of what is finished.
            client: a Dask client whose workers train instead, as in :func:`physnn.lab.training.replicas.chunks`.

        Raises:
            StudyError: no setting of an arm reaches the end.
            OSError: a result cannot be written.
        """
        processes, folder = {"workers": workers or cores(), "client": client}, self.parts(work)
        for other, count in parts.elsewhere(folder, self.name).items():
            print(f"{self.name}: {count} replicas of another design, code or torch stay in {other}", flush=True)
        with files.alone(folder, f"run of {self.name}"):
            for place in (folder, self.folder):
                files.tidy(place)
            start, made_by = time.time(), environment()
            data = self.task.checksum(self.budget("tuning").data)  # now, and not after hours, if they are not here
            seeds = self.design["tuning"]["seeds"]
            trials = [
                self.replica(arm, each, seed) for arm in self.arms for each in self.settings(arm) for seed in seeds
            ]
            rows = parts.finish(self, "tuning", trials, folder, **processes)
            if "final" in self.design:
                best, seeds = self.tuned(rows), self.design["final"]["seeds"]
                runs = [self.replica(arm, best.loc[arm], seed) for arm in self.arms for seed in seeds]
                rows = pd.concat([rows, parts.finish(self, "final", runs, folder, **processes)], ignore_index=True)
            table = rows.to_csv(index=False, float_format="%.5g", lineterminator="\n").encode()
            if self._is_recorded(table):
                return
            recorded = {
                "study": self.name,
                "design": self.digest,
                "table": _digest(table),
                "data": data,
                **made_by,
                "seconds_of_training": round(float(rows[rows.epoch.diff(-1) != -1].seconds.sum())),
                "seconds_of_this_run": round(time.time() - start),
            }
            with uninterrupted():
                files.write(self.folder / "table.csv", table)
                files.write(self.folder / "provenance.json", json.dumps(recorded, indent=2) + "\n")

    def _is_recorded(self, table: bytes) -> bool:
        try:
            self.table()
        except (FileNotFoundError, StudyError):
            return False
        return _digest(table) == self.provenance["table"]


def _digest(table: bytes) -> str:
    """Return the SHA-256 of a table with the line endings of Unix, whatever a checkout has made of them."""
    return hashlib.sha256(table.replace(b"\r\n", b"\n")).hexdigest()
