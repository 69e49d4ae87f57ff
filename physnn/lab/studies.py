"""Recorded studies: a design that is committed before it runs, and the table that came out.

``python -m physnn.lab.studies [NAME ...]`` runs what is missing or stale. A study is a folder of ``results/``:
``design.yml`` (arms, tuning, final runs, contrasts), ``table.csv`` (one row per phase, arm, learning rate, seed and
epoch) and ``provenance.json``.
"""

import functools
import hashlib
import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
import yaml
from torch import nn

from physnn import ExperimentalLayer, GinzburgLandauLoss, Langevin
from physnn.lab import data
from physnn.lab.models import network
from physnn.lab.provenance import RESULTS, environment, show_line
from physnn.lab.training import DivergedError, accuracy, fit

BETA_INIT = 0.1
DAMPING = 0.1
_load = functools.cache(data.load)


class Study:
    """The study ``results/NAME``: its design, its recorded table, and how to make it."""

    def __init__(self, name: str, results: Path = RESULTS) -> None:
        self.name = name
        self.folder = results / name
        path = self.folder / "design.yml"
        if not path.exists():
            known = ", ".join(sorted(p.parent.name for p in results.glob("*/design.yml")))
            raise ValueError(f"no study {name!r}: {path} does not exist. Studies: {known}")
        self.design = yaml.safe_load(path.read_text(encoding="utf-8"))
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

    def tuned(self, table: pd.DataFrame) -> pd.Series:
        """Return each arm's learning rate: highest validation accuracy after the last tuning epoch."""
        rows = table[(table.phase == "tuning") & (table.epoch == self.design["tuning"]["epochs"])]
        mean = rows.groupby(["arm", "lr"], sort=False).validation_accuracy.mean().reset_index()
        return mean.loc[mean.groupby("arm", sort=False).validation_accuracy.idxmax()].set_index("arm").lr

    def run(self, workers: int | None = None) -> None:
        """Run every replica that has no result yet, and record the table."""
        start, made_by = time.time(), environment()
        parts = Path("_build") / "studies" / f"{self.name}-{self.digest[:12]}-{made_by['source'][:12]}"
        parts.mkdir(parents=True, exist_ok=True)
        arms, tuning, final = self.design["arms"], self.design["tuning"], self.design["final"]
        grid = [("tuning", arm, lr, seed) for arm in arms for lr in tuning["lr"] for seed in tuning["seeds"]]
        rows = self._replicas(grid, parts, workers)
        lr = self.tuned(rows)
        grid = [("final", arm, float(lr[arm]), seed) for arm in arms for seed in final["seeds"]]
        rows = pd.concat([rows, self._replicas(grid, parts, workers)], ignore_index=True)
        _write(self.folder / "table.csv", rows.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
        recorded = {
            "study": self.name,
            "design": self.digest,
            "table": hashlib.sha256((self.folder / "table.csv").read_bytes()).hexdigest(),
            "data": data.load(self.design["data"]).checksum,
            **made_by,
            "seconds_of_training": round(float(rows.groupby(["phase", "arm", "lr", "seed"]).seconds.max().sum())),
            "seconds_of_this_run": round(time.time() - start),
        }
        _write(self.folder / "provenance.json", json.dumps(recorded, indent=2) + "\n")

    def _replicas(self, grid: list[tuple], parts: Path, workers: int | None) -> pd.DataFrame:
        """Run the replicas of ``grid`` that have no part on disk, in processes; return all rows in grid order."""
        path = {point: parts / (hashlib.sha256(repr(point).encode()).hexdigest()[:16] + ".csv") for point in grid}
        todo = [point for point in grid if not path[point].exists()]
        # Spawned, not forked: a fork of a process that has threads may deadlock.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers or os.cpu_count(), spawn, torch.set_num_threads, (1,)) as pool:
            jobs = {pool.submit(functools.partial(train_replica, self.design), *point): point for point in todo}
            for done, job in enumerate(as_completed(jobs), 1):
                point = jobs[job]
                _write(path[point], job.result().to_csv(index=False))
                print(f"{time.strftime('%H:%M:%S')} {done}/{len(jobs)} {point}", flush=True)
        return pd.concat([pd.read_csv(path[point]) for point in grid], ignore_index=True)


def train_replica(design: dict, phase: str, arm: str, lr: float, seed: int) -> pd.DataFrame:
    """Train one replica of ``arm``; return one row per epoch, the last with the test accuracy if ``phase`` is final.

    A replica that diverges keeps the epochs it finished and is marked in the column ``diverged``.
    """
    dataset = _load(design["data"])
    torch.manual_seed(seed)
    model, loss, optimizer = make_arm(design["arms"][arm], lr)
    diverged = False
    try:
        epochs = design[phase]["epochs"]
        history = fit(model, loss, optimizer, dataset, epochs=epochs, batch_size=design["batch_size"], seed=seed)
    except DivergedError as error:
        history, diverged = error.history, True
    test = [float("nan")] * len(history)
    if phase == "final" and not diverged:
        test[-1] = accuracy(model, dataset, dataset.test)
    identity = {"phase": phase, "arm": arm, "lr": lr, "seed": seed}
    return history.assign(**identity, test_accuracy=test, diverged=diverged)[
        [*identity, "epoch", "loss", "validation_accuracy", "test_accuracy", "seconds", "diverged"]
    ]


def make_arm(arm: dict, lr: float) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    """Build network, loss and optimizer of an arm of a design, from torch's global seed."""
    layers = {"experimental": functools.partial(ExperimentalLayer, beta_init=BETA_INIT), "linear": nn.Linear}
    losses = {"ginzburg-landau": GinzburgLandauLoss(), "cross-entropy": F.cross_entropy, "squared-error": squared_error}
    model = network(arm["widths"], layers[arm["layer"]])
    if arm["optimizer"] == "langevin":
        optimizer = Langevin(model.parameters(), lr, damping=DAMPING, temperature=arm["temperature"])
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr, momentum=1 - DAMPING)
    return model, losses[arm["loss"]], optimizer


def squared_error(phi: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean squared distance of the outputs from the one-hot labels."""
    return F.mse_loss(phi, F.one_hot(labels, phi.shape[1]).to(phi.dtype))


def _write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    partial_path = path.with_name(f".{path.name}.{os.getpid()}")
    partial_path.write_text(text, encoding="utf-8")
    os.replace(partial_path, path)


def main(names: list[str]) -> None:
    """Run the named studies, or all whose table is missing or stale."""
    for name in names or sorted(path.parent.name for path in RESULTS.glob("*/design.yml")):
        study = Study(name)
        try:
            study.table()
            print(f"{name}: recorded, and the design has not changed")
        except (FileNotFoundError, ValueError) as reason:
            print(f"{name}: {reason}", flush=True)
            study.run()


if __name__ == "__main__":
    main(sys.argv[1:])
