"""Run a sweep: what is missing runs on Dask workers, what comes back is kept, and the folder shows all of it."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from physnn.lab.records.provenance import commit
from physnn.lab.running import files
from physnn.lab.running.where import here
from physnn.lab.sweeping.grid import Point, points, repeats
from physnn.lab.sweeping.notebook import Notebook, SweepError, load, made_from
from physnn.lab.sweeping.store import Folder

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client, Future

GLANCE = 5.0  # seconds between two looks for workers that joined


def sweep(
    notebook: str | Path,
    grid: Mapping[str, object],
    out: str | Path,
    *,
    client: "Client | None" = None,
    workers: int | None = None,
    trials: int | None = None,
    seed: int = 0,
    retries: int = 0,
    timeout: float | None = None,
    threads: int = 1,
) -> "pd.DataFrame":
    """Run a parameterized notebook once per point of a grid, and return one row per point, in the grid's order.

    What ``out`` already holds is not run again. A point that fails is a row with its ``status`` and ``error``.

    Args:
        notebook: an .ipynb with a parameters cell, or its .md source.
        grid: the values of each parameter: a list, a range, or a text as after ``--grid`` (``"log(1e-3, 1)"``).
        out: the folder of the results; made where it is missing.
        client: a Dask client whose workers have this version of physnn; None for processes of this machine.
        workers: how many processes without a client; None for one per core.
        trials: how often parameters with a distribution are drawn, jointly.
        seed: of the draws.
        retries: how often a failed point is run again before it counts as failed.
        timeout: seconds after which a run is ended, with its kernel.
        threads: of each run, for OpenMP, MKL and OpenBLAS.

    Raises:
        SweepError: the notebook, a parameter's name or a value is wrong; nothing has run then.
        ClusterError: the processes of this machine cannot start.
        ConnectionError: the scheduler was lost; what was finished is kept.
    """
    plan = make_plan(notebook, grid, out, trials=trials, seed=seed, retries=retries, timeout=timeout, threads=threads)

    def connect() -> "AbstractContextManager[Client]":
        return nullcontext(client) if client else here(workers)

    rows = drive(plan, connect)
    from physnn.lab.sweeping.table import table

    return table([rows[point.name] for point in plan.points], plan.notebook.contract)


@dataclass(frozen=True)
class Plan:
    """All that a sweep will do: its points and how they are run."""

    notebook: Notebook
    points: list[Point]
    folder: Folder
    package: str
    retries: int
    timeout: float | None
    threads: int

    def kept(self) -> dict[str, dict]:
        """Return the rows of the points that are done, by name."""
        rows = {point.name: self.folder.row(point.name) for point in self.points}
        return {name: row for name, row in rows.items() if row and row["status"] == "done"}


def make_plan(
    notebook: str | Path,
    grid: Mapping[str, object],
    out: str | Path,
    *,
    trials: int | None = None,
    seed: int = 0,
    retries: int = 0,
    timeout: float | None = None,
    threads: int = 1,
) -> Plan:
    """Check everything that can be checked before the first run. Arguments and errors as in :func:`sweep`."""
    if retries < 0 or threads < 1 or (timeout is not None and not timeout > 0):
        raise SweepError(
            f"retries = {retries}, timeout = {timeout}, threads = {threads}: expected retries from 0, a timeout above "
            "0 s, and threads from 1"
        )
    read = load(notebook)
    package = made_from(read.text, read.path.parent)
    return Plan(read, points(read, package, grid, trials, seed), Folder(out), package, retries, timeout, threads)


def drive(plan: Plan, connect: "Callable[[], AbstractContextManager[Client]]") -> dict[str, dict]:
    """Run what is missing, write the table and the page, and return the rows of all points by name.

    ``connect`` opens the client; it is called only if something is missing. An interruption keeps what is finished.
    """
    if said := repeats(plan.points):
        print(said, flush=True)
    with plan.folder.alone():
        rows = plan.kept()
        for point in plan.points:
            if plan.folder.file(point.name, ".json").exists() and plan.folder.row(point.name) is None:
                print(f"the record of {point} is damaged or incomplete; it runs again", flush=True)
        try:
            missing = [point for point in plan.points if point.name not in rows]
            if missing:
                with connect() as client:
                    _run(plan, missing, rows, client)
        finally:
            _show(plan, rows)
    return rows


def _run(plan: Plan, missing: Sequence[Point], rows: dict[str, dict], client: "Client") -> None:
    from physnn.lab.running.cluster import ended, slots
    from physnn.lab.sweeping.progress import Progress

    waiting, running = deque((point, 1) for point in missing), {}
    with Progress(len(plan.points), len(rows)) as progress:
        if not slots(client):
            progress.say(f"waiting for a worker to join {client.scheduler.address}")
        try:
            while waiting or running:
                # No more than can run: what Dask lets wait behind a long run, it may not move to a worker that is free.
                room = slots(client)
                while waiting and len(running) < max(1, room):
                    point, attempt = waiting.popleft()
                    running[_submit(plan, point, attempt, client)] = point, attempt
                for future in ended(list(running), GLANCE):
                    point, attempt = running.pop(future)
                    outcome = _outcome(future, client)
                    future.release()
                    stopped = outcome["status"] == "stopped"  # for another driver that went away
                    if stopped or (outcome["status"] != "done" and attempt <= plan.retries):
                        progress.say(f"again: {point}  {outcome['error'][:200]}")
                        waiting.append((point, attempt + 1))
                        continue
                    rows[point.name] = _keep(plan, point, attempt, outcome)
                    progress.finished(point, rows[point.name], room)
        finally:
            if running:  # only after an interruption
                client.cancel(list(running))


def _submit(plan: Plan, point: Point, attempt: int, client: "Client") -> "Future":
    from physnn.lab.sweeping import point as worker

    task = {
        "notebook": plan.notebook.text,
        "folder": str(plan.notebook.path.parent),
        "parameters": point.given,
        "package": plan.package,
        "timeout": plan.timeout,
        "threads": plan.threads,
    }
    # The key names the content: two sweeps on one cluster that need the same run share it.
    content = hashlib.sha256(json.dumps([task, point.name, attempt], sort_keys=True).encode()).hexdigest()
    return client.submit(worker.run, task, key=f"physnn-{content}", pure=False)


def _outcome(future: "Future", client: "Client") -> dict:
    """Return what a run left, or what can be said of one whose workers died."""
    from physnn.lab.running.cluster import lost

    if future.status == "finished":
        return future.result()
    if future.status != "error":
        raise lost(client)
    said = f"{type(future.exception()).__name__}: {future.exception()}"
    outcome = {"status": "lost", "error": " ".join(said.split()), "values": {}, "seconds": 0.0, "log": said}
    return outcome | {"started": "", "host": "", "notebook": None}


def _keep(plan: Plan, point: Point, attempt: int, outcome: dict) -> dict:
    log, ran = outcome.pop("log"), outcome.pop("notebook") or plan.notebook.text.encode()
    sources = {"notebook": plan.notebook.digest, "package": plan.package, "commit": commit()}
    row = {"point": point.name, "parameters": point.parameters, "attempts": attempt, **outcome, **sources}
    plan.folder.keep(row, ran, f"{point}\n{log}")
    return row


def _show(plan: Plan, rows: Mapping[str, dict]) -> None:
    """Write ``table.csv`` and ``index.html``: the plan's points, then others of this notebook done here earlier."""
    from physnn.lab.sweeping.report import report
    from physnn.lab.sweeping.table import table

    mine = [rows[point.name] for point in plan.points if point.name in rows]
    sources = (plan.notebook.digest, plan.package)
    others = [
        row
        for row in plan.folder.rows()
        if row["point"] not in rows and row["status"] == "done" and (row["notebook"], row["package"]) == sources
    ]
    if shown := [*mine, *others]:
        frame = table(shown, plan.notebook.contract)
        files.write(plan.folder.path / "table.csv", frame.to_csv(index=False, lineterminator="\n"))
        report(plan.notebook, shown, plan.folder)
