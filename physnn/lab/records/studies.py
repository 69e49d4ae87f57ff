"""Recorded studies: a design that is committed before it runs, and the table that came out.

A study is a folder of ``results/``: ``design.yml`` (arms, tuning, final runs, contrasts), ``table.csv`` (one row per
phase, arm, learning rate, seed and epoch) and ``provenance.json``.

Under ``tuning`` a design has ``seeds``, ``epochs`` and the hyperparameters, ``lr`` and those that arms leave to be
``search``-ed: lists of values, of which every combination is tried; or, with ``trials`` (how many) and ``draw`` (the
seed), two bounds each, between which trials are drawn log-uniformly, the same for every arm. ``final`` has ``seeds``,
``epochs`` and ``extras``; without it there are no final runs.

What is trained and measured is the ``task``'s (:mod:`physnn.lab.training.task`; without one, images), which reads the
arms, and takes ``data``, ``batch_size`` and ``extras`` as it needs them.
"""

import hashlib
import json
import math
import time
from collections.abc import Mapping
from contextlib import closing
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import yaml

from physnn.lab.records.provenance import RESULTS, environment, show_line
from physnn.lab.running import files
from physnn.lab.running.machine import cores
from physnn.lab.training.chunk import made_from
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import IMAGES, Budget, Replica, Task, column, find

if TYPE_CHECKING:
    from distributed import Client


WORK = Path("_build") / "studies"  # where runs that were stopped wait
SEARCH = "search"  # an arm's hyperparameter that a trial sets


class Study:
    """The study ``results/NAME``: its design, its recorded table, and how to make it.

    Attributes:
        design: what ``design.yml`` says.
        task: what the arms are recipes of, and ``task_name``, its name.
        arms: name to recipe. Where a design has ``models``, every arm is run with what each of them adds to it, and is
            called ``"model: arm"``.
        hyperparameters: ``lr``, then the others that are searched.

    Raises:
        ValueError: there is no study of that name, no such task, or it tunes what no arm searches, or the reverse.
    """

    def __init__(self, name: str, results: Path = RESULTS) -> None:
        self.name = name
        self.folder = results / name
        path = self.folder / "design.yml"
        if not path.exists():
            known = ", ".join(sorted(p.parent.name for p in results.glob("*/design.yml")))
            raise ValueError(f"no study {name!r}: {path} does not exist. Studies: {known}")
        self.design = yaml.safe_load(path.read_text(encoding="utf-8"))
        self.task_name = self.design.get("task", IMAGES)
        self.task: Task = find(self.task_name)
        models = self.design.get("models", {"": {}})
        self.arms = {
            f"{model}: {arm}" if model else arm: {**shared, **recipe}
            for model, shared in models.items()
            for arm, recipe in self.design["arms"].items()
        }
        rest = ("seeds", "epochs", "trials", "draw", "extras")
        self.hyperparameters = [name for name in self.design["tuning"] if name not in rest]
        sought = {name for recipe in self.arms.values() for name, value in recipe.items() if value == SEARCH}
        if sought != {*self.hyperparameters} - {"lr"} or "lr" not in self.hyperparameters:
            raise ValueError(
                f"study {name!r} tunes {self.hyperparameters}, and its arms search {sorted(sought)} and lr"
            )
        self.digest = hashlib.sha256(json.dumps(self.design, sort_keys=True).encode()).hexdigest()

    @property
    def provenance(self) -> dict:
        """What made the table: design, package, data, torch, machine, date and seconds."""
        path = self.folder / "provenance.json"
        if not path.exists():
            raise FileNotFoundError(f"study {self.name!r} has no recorded table; make it with: make results")
        return json.loads(path.read_text(encoding="utf-8"))

    def show_provenance(self) -> None:
        """Show the recorded study's provenance line in a notebook."""
        made = self.provenance
        hours = made["seconds_of_training"] / 3600
        show_line(
            f"Recorded study `{self.name}`",
            f"design {made['design'][:12]}",
            f"physnn {made['physnn']}, commit {made['commit']}, source {made['source'][:12]}",
            f"data {made['data'][:12]}",
            f"torch {made['torch']}, Python {made['python']}, {made['device']}",
            f"{made['date']}, {hours:.1f} hours of training",
        )

    def table(self) -> pd.DataFrame:
        """Return the recorded rows.

        Raises:
            FileNotFoundError: the study has not run.
            ValueError: the design, or the table, changed since; it names the command to refresh it.
        """
        recorded = self.provenance
        content = (self.folder / "table.csv").read_bytes()
        for part, digest in (("design", self.digest), ("table", hashlib.sha256(content).hexdigest())):
            if recorded[part] != digest:
                raise ValueError(f"the {part} of study {self.name!r} changed since it was recorded; run: make results")
        return pd.read_csv(self.folder / "table.csv")

    @cached_property
    def settings(self) -> list[dict[str, float]]:
        """The values of the hyperparameters that are tried."""
        tuning = self.design["tuning"]
        values = {name: tuning[name] for name in self.hyperparameters}
        if "trials" not in tuning:
            return [dict(zip(values, several, strict=True)) for several in product(*values.values())]
        logs = np.log([values[name] for name in values])
        drawn = np.random.default_rng(tuning["draw"]).uniform(*logs.T, size=(tuning["trials"], len(values)))
        # Four digits, that the table holds all of them.
        return [dict(zip(values, (float(f"{value:.3e}") for value in np.exp(row)), strict=True)) for row in drawn]

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
            A row for each arm that has a setting with which every seed reached the end: the hyperparameters, NaN where
            the arm does not search them, and ``score``, the mean.
        """
        plan, score = self.design["tuning"], self.task.SCORE
        rows = table[(table.phase == "tuning") & (table.epoch == plan["epochs"])]
        means = rows.groupby(["arm", *self.hyperparameters], sort=False, dropna=False)[score].agg(["mean", "count"])
        means = means[means["count"] == len(plan["seeds"])]["mean"].rename("score").reset_index()
        order = means.score if column(self.task, score).larger else -means.score
        return means.loc[order.groupby(means.arm, sort=False).idxmax()].set_index("arm")

    def tuned(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return each arm's best setting, as :meth:`best` does.

        Returns:
            A row for each arm, a column for each hyperparameter; NaN where an arm does not search it.

        Raises:
            ValueError: an arm has none with which every seed reached the end.
        """
        best = self.best(table)
        if lost := sorted(set(self.arms) - set(best.index)):
            raise ValueError(
                f"in study {self.name!r} no setting of {lost} has a {self.task.SCORE} of every seed after the last "
                f"epoch: its runs diverged; give it smaller learning rates"
            )
        return best[self.hyperparameters]

    def parts(self, work: Path = WORK) -> Path:
        """Return the folder that holds a table for each finished replica: of this design, made by this code."""
        return work / f"{self.name}-{self.digest[:12]}-{made_from(self.task_name)[:12]}"

    def run(self, workers: int | None = None, work: Path = WORK, client: "Client | None" = None) -> None:
        """Run every replica that has no result yet, and record the table. Ctrl-C keeps what is finished.

        Args:
            workers: processes of this machine; None for one per core.
            work: the folder of what is finished.
            client: a Dask client whose workers train instead, as in :func:`physnn.lab.training.replicas.chunks`.
        """
        processes = {"workers": workers or cores(), "client": client}
        start, made_by, parts = time.time(), environment(), self.parts(work)
        parts.mkdir(parents=True, exist_ok=True)
        seeds = self.design["tuning"]["seeds"]
        trials = [self.replica(arm, each, seed) for arm in self.arms for each in self.settings for seed in seeds]
        rows = self._finish("tuning", trials, parts, processes)
        if "final" in self.design:
            best, seeds = self.tuned(rows), self.design["final"]["seeds"]
            runs = [self.replica(arm, best.loc[arm], seed) for arm in self.arms for seed in seeds]
            rows = pd.concat([rows, self._finish("final", runs, parts, processes)], ignore_index=True)
        files.write(self.folder / "table.csv", rows.to_csv(index=False, float_format="%.5g", lineterminator="\n"))
        recorded = {
            "study": self.name,
            "design": self.digest,
            "table": hashlib.sha256((self.folder / "table.csv").read_bytes()).hexdigest(),
            "data": self.task.checksum(self.budget("tuning").data),
            **made_by,
            "seconds_of_training": round(float(rows[rows.epoch.diff(-1) != -1].seconds.sum())),
            "seconds_of_this_run": round(time.time() - start),
        }
        files.write(self.folder / "provenance.json", json.dumps(recorded, indent=2) + "\n")

    def _finish(self, phase: str, replicas: list[Replica], parts: Path, processes: dict) -> pd.DataFrame:
        """Run the replicas that have no part on disk, and return the rows of all, in their order.

        A part is one replica, written as a whole when those computed with it are finished.
        """
        path = [parts / f"{_key(phase, replica)}.csv" for replica in replicas]
        todo = [i for i, part in enumerate(path) if not part.exists()]
        budget = self.budget(phase)
        left, others = len(todo), [name for name in self.hyperparameters if name != "lr"]
        with closing(chunks([replicas[i] for i in todo], budget, task=self.task_name, **processes)) as finished:
            for chunk in finished if todo else ():
                if not chunk.complete:
                    raise KeyboardInterrupt
                for member, rows in pd.DataFrame(chunk.rows).groupby("replica"):
                    recipe = self.arms[(replica := replicas[todo[member]]).arm]
                    searched = {k: replica.recipe[k] if recipe.get(k) == SEARCH else math.nan for k in others}
                    rows = rows.drop(columns="replica").assign(phase=phase, **searched)
                    files.write(path[todo[member]], rows.to_csv(index=False))
                left -= len(chunk.members)
                print(f"{time.strftime('%H:%M:%S')} {self.name}, {phase}: {left} replicas to go", flush=True)
        table = pd.concat([pd.read_csv(part) for part in path], ignore_index=True)
        first = ["phase", "arm", "lr", *others]
        return table[[*first, *table.columns.drop(first)]]


def _key(phase: str, replica: Replica) -> str:
    return hashlib.sha256(json.dumps([phase, vars(replica)], sort_keys=True).encode()).hexdigest()[:20]
