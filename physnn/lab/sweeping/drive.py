"""Run a sweep: what is missing runs on Dask workers, what comes back is kept, and the folder shows all of it."""

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from physnn.lab.records.provenance import commit, dirty
from physnn.lab.running.command import uninterrupted
from physnn.lab.running.notebook import refuse_another_physnn
from physnn.lab.running.where import here
from physnn.lab.sweeping.grid import Point, points, repeats
from physnn.lab.sweeping.notebook import Notebook, SweepError, load, made_from
from physnn.lab.sweeping.show import show
from physnn.lab.sweeping.store import Folder

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client, Future

    from physnn.lab.running.crew import Crew

GLANCE = 5.0  # seconds between two looks for workers that joined
POLL = 0.1  # seconds, while there is none


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
        SweepError: the notebook, a parameter's name, a value or the folder is wrong; nothing has run then.
        ClusterError: the processes of this machine cannot start, or a worker lacks a package; nothing has run then.
        ConnectionError: the scheduler was lost, or a worker that joined later is wrong; what was finished is kept.
        OSError: a result cannot be written; what was finished before is kept.
    """
    plan = make_plan(notebook, grid, out, trials=trials, seed=seed, retries=retries, timeout=timeout, threads=threads)

    def connect() -> "AbstractContextManager[Client]":
        return nullcontext(client) if client else here(workers)

    rows, _ = drive(plan, connect)
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
    read, folder = load(notebook), Folder(out)
    try:
        refuse_another_physnn(read.path.parent)
    except ImportError as error:
        raise SweepError(str(error)) from error
    package = made_from(read.text, read.path.parent)
    wanted = points(read, package, grid, trials, seed)
    folder.check(read)
    return Plan(read, wanted, folder, package, retries, timeout, threads)


def drive(plan: Plan, connect: "Callable[[], AbstractContextManager[Client]]") -> tuple[dict[str, dict], bool]:
    """Run what is missing; return the rows of all points by name, and whether the table and the page are written.

    ``connect`` opens the client; it is called only if something is missing. An interruption keeps what is finished.
    """
    if said := repeats(plan.points):
        print(said, flush=True)
    with plan.folder.alone(plan.notebook):
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
            with uninterrupted():
                to_show = _rows_to_show(plan, rows)
                shown = not to_show or show(plan.notebook, to_show, plan.folder)
    return rows, shown


def _run(plan: Plan, missing: Sequence[Point], rows: dict[str, dict], client: "Client") -> None:
    from physnn.lab.running.cluster import ended
    from physnn.lab.sweeping.progress import Progress

    waiting, running, crew = deque((point, 1) for point in missing), {}, _crew(plan, client)
    sources = {"notebook": plan.notebook.digest, "package": plan.package, "threads": plan.threads}
    sources |= {"commit": commit(), "dirty": dirty()}  # asked once: git takes its time
    with Progress(len(plan.points), len(rows)) as progress:
        if not crew.room():
            progress.say(f"waiting for a worker to join {client.scheduler.address}")
        try:
            while waiting or running:
                # No more than can run: what Dask lets wait behind a long run, it may not move to a worker that is free.
                room = crew.room()
                while waiting and len(running) < room:
                    point, attempt = waiting.popleft()
                    running[_submit(plan, point, attempt, client)] = point, attempt
                if not running:  # no worker has joined yet
                    time.sleep(POLL)
                    continue
                for future in sorted(ended(list(running), GLANCE), key=lambda future: future.status != "finished"):
                    point, attempt = running.pop(future)
                    outcome = _outcome(future, crew)
                    future.release()
                    stopped = outcome["status"] == "stopped"  # for another driver that went away
                    if stopped or (outcome["status"] != "done" and attempt <= plan.retries):
                        progress.say(f"again: {point}  {outcome['error'][:200]}")
                        waiting.append((point, attempt + 1))
                        continue
                    with uninterrupted():
                        rows[point.name] = _keep(plan, point, outcome | {"attempts": attempt}, sources)
                    progress.finished(point, rows[point.name], room)
        finally:
            if running:  # only after an interruption
                client.cancel(list(running))


def _crew(plan: Plan, client: "Client") -> "Crew":
    """Return the client's workers, which must have this physnn and what runs a notebook."""
    from physnn.lab.running.crew import Crew, answers

    def check(workers: list[str]) -> dict[str, str]:
        told = client.run(made_from, plan.notebook.text, plan.notebook.path.parent, workers=workers, on_error="return")
        wrong = (
            "what the notebook imports on the worker {} is not the physnn, or the folder, that this sweep began with"
        )
        wrong += "; start the worker with the same ones"
        return {each: "" if it == plan.package else wrong.format(each) for each, it in told.items() if answers(it)}

    return Crew(client, ("physnn", "nbformat"), ("physnn", "nbformat", "papermill", "ipykernel"), check)


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


def _outcome(future: "Future", crew: "Crew") -> dict:
    """Return what a run left, or what can be said of one whose workers died."""
    from physnn.lab.running.cluster import lost

    if future.status == "finished":
        return future.result()
    if future.status != "error":
        raise lost(crew.client)
    crew.room()  # it may have ended on a worker that joined a moment ago
    said = f"{type(future.exception()).__name__}: {future.exception()}"
    outcome = {"status": "lost", "error": " ".join(said.split()), "values": {}, "seconds": 0.0, "log": said}
    return outcome | {"started": "", "host": "", "torch": "", "python": "", "notebook": None}


def _keep(plan: Plan, point: Point, outcome: dict, sources: dict) -> dict:
    log, ran = outcome.pop("log"), outcome.pop("notebook") or plan.notebook.text.encode()
    row = {"point": point.name, "parameters": point.parameters, **outcome, **sources}
    plan.folder.keep(row, ran, f"{point}\n{log}")
    return row


def _rows_to_show(plan: Plan, rows: Mapping[str, dict]) -> list[dict]:
    """Return the plan's rows, then others of this notebook done here earlier."""
    sources = (plan.notebook.digest, plan.package)
    others = [
        row
        for row in plan.folder.rows()
        if row["point"] not in rows and row["status"] == "done" and (row["notebook"], row["package"]) == sources
    ]
    return [*(rows[point.name] for point in plan.points if point.name in rows), *others]
