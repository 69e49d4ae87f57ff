"""Recorded studies: a design that is committed before it runs, and the table that came out.

``python -m physnn.lab.studies [NAME ...]`` runs what is missing or stale, and goes on where it was stopped. A study is
a folder of ``results/``: ``design.yml`` (arms, tuning, final runs, contrasts), ``table.csv`` (one row per phase, arm,
learning rate, seed and epoch) and ``provenance.json``.
"""

import hashlib
import json
import os
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import yaml

from physnn.lab import data
from physnn.lab.provenance import PACKAGE, RESULTS, environment, show_line
from physnn.lab.replicas import Replica, chunks

# What decides a replica's numbers. Runs that were stopped go on only if none of it has changed.
CODE = ["field", "layer", *(f"lab/{name}" for name in ("data", "metrics", "models", "recipe", "replicas", "stack"))]


class Study:
    """The study ``results/NAME``: its design, its recorded table, and how to make it.

    Attributes:
        design: what ``design.yml`` says.
        arms: name to recipe (:class:`physnn.lab.recipe.Recipe`). Where a design has ``models``, every arm is run with
            what each of them adds to it, and is called ``"model: arm"``.

    Raises:
        ValueError: there is no study of that name.
    """

    def __init__(self, name: str, results: Path = RESULTS) -> None:
        self.name = name
        self.folder = results / name
        path = self.folder / "design.yml"
        if not path.exists():
            known = ", ".join(sorted(p.parent.name for p in results.glob("*/design.yml")))
            raise ValueError(f"no study {name!r}: {path} does not exist. Studies: {known}")
        self.design = yaml.safe_load(path.read_text(encoding="utf-8"))
        models = self.design.get("models", {"": {}})
        self.arms = {
            f"{model}: {arm}" if model else arm: {**shared, **recipe}
            for model, shared in models.items()
            for arm, recipe in self.design["arms"].items()
        }
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
        """Return each arm's learning rate: highest validation accuracy after the last tuning epoch, mean over seeds.

        Raises:
            ValueError: an arm has none with which every seed reached the end.
        """
        plan = self.design["tuning"]
        rows = table[(table.phase == "tuning") & (table.epoch == plan["epochs"])]
        rates = rows.groupby(["arm", "lr"], sort=False).validation_accuracy.agg(["mean", "count"]).reset_index()
        rates = rates[rates["count"] == len(plan["seeds"])]
        if lost := sorted(set(self.arms) - set(rates.arm)):
            raise ValueError(f"in study {self.name!r} every learning rate diverged for {lost}; give it smaller ones")
        return rates.loc[rates.groupby("arm", sort=False)["mean"].idxmax()].set_index("arm").lr

    def run(self, workers: int | None = None) -> None:
        """Run every replica that has no result yet, and record the table. Ctrl-C keeps what is finished."""
        start, made_by = time.time(), environment()
        code = hashlib.sha256(b"".join((PACKAGE / f"{name}.py").read_bytes() for name in CODE)).hexdigest()
        parts = Path("_build") / "studies" / f"{self.name}-{self.digest[:12]}-{code[:12]}"
        parts.mkdir(parents=True, exist_ok=True)
        tuning, final = self.design["tuning"], self.design["final"]
        trials = [
            Replica(arm, recipe, lr, seed)
            for arm, recipe in self.arms.items()
            for lr in tuning["lr"]
            for seed in tuning["seeds"]
        ]
        tuned = self._finish("tuning", trials, parts, workers)
        lr = self.tuned(tuned)
        runs = [
            Replica(arm, recipe, float(lr[arm]), seed) for arm, recipe in self.arms.items() for seed in final["seeds"]
        ]
        rows = pd.concat([tuned, self._finish("final", runs, parts, workers)], ignore_index=True)
        _write(self.folder / "table.csv", rows.to_csv(index=False, float_format="%.5g", lineterminator="\n"))
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

    def _finish(self, phase: str, replicas: list[Replica], parts: Path, workers: int | None) -> pd.DataFrame:
        """Run the replicas that have no part on disk, and return the rows of all, in their order.

        A part is one replica, written as a whole when those computed with it are finished.
        """
        path = [parts / f"{_key(phase, replica)}.csv" for replica in replicas]
        todo = [i for i, part in enumerate(path) if not part.exists()]
        options = {"batch_size": self.design["batch_size"], "epochs": self.design[phase]["epochs"]}
        options |= {"test": phase == "final", "workers": workers or os.cpu_count() or 1}
        left = len(todo)
        with closing(chunks([replicas[i] for i in todo], self.design["data"], **options)) as finished:
            for chunk in finished if todo else ():
                if not chunk.complete:
                    raise KeyboardInterrupt
                for member, rows in pd.DataFrame(chunk.rows).groupby("replica"):
                    _write(path[todo[member]], rows.drop(columns="replica").assign(phase=phase).to_csv(index=False))
                left -= len(chunk.members)
                print(f"{time.strftime('%H:%M:%S')} {self.name}, {phase}: {left} replicas to go", flush=True)
        table = pd.concat([pd.read_csv(part) for part in path], ignore_index=True)
        return table[["phase", *table.columns.drop("phase")]]


def _key(phase: str, replica: Replica) -> str:
    return hashlib.sha256(json.dumps([phase, vars(replica)], sort_keys=True).encode()).hexdigest()[:20]


def _write(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    partial_path = path.with_name(f".{path.name}.{os.getpid()}")
    partial_path.write_text(text, encoding="utf-8")
    os.replace(partial_path, path)


def main(names: list[str]) -> None:
    """Run the named studies, or all whose table is missing or stale."""
    for name in names or sorted(path.parent.name for path in RESULTS.glob("*/design.yml")):
        study = Study(name, RESULTS)
        try:
            study.table()
            print(f"{name}: recorded, and the design has not changed")
        except (FileNotFoundError, ValueError) as reason:
            print(f"{name}: {reason}", flush=True)
            try:
                study.run()
            except KeyboardInterrupt:
                raise SystemExit(f"{name}: interrupted; the same command goes on from here") from None


if __name__ == "__main__":
    main(sys.argv[1:])
