"""Run a sweep: what is missing runs on Dask workers, what comes back is kept, and the folder shows all of it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from physnn.lab.running.command import uninterrupted
from physnn.lab.running.where import here
from physnn.lab.sweeping import asked as folders
from physnn.lab.sweeping.grid import repeats
from physnn.lab.sweeping.plan import How, Plan, make_plan
from physnn.lab.sweeping.show import show

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client


def sweep(
    notebook: str | Path,
    grid: Mapping[str, object],
    out: str | Path,
    *,
    client: "Client | None" = None,
    workers: int | None = None,
    trials: int | None = None,
    seed: int = 0,
    replicates: Sequence[str] = (),
    baseline: Mapping[str, object] | None = None,
    values: Sequence[str] = (),
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
        replicates: parameters that only repeat a setting: ``means.csv`` has means and intervals over them.
        baseline: parameters with the values of the setting that the others are compared with, in pairs.
        values: the glued values that are asked about; all numbers where there are none.
        retries: how often a failed point is run again before it counts as failed.
        timeout: seconds after which a run is ended, with its kernel.
        threads: of each run, for OpenMP, MKL and OpenBLAS.

    Raises:
        SweepError: the notebook, a parameter's name, a value or the folder is wrong; nothing has run then.
        ClusterError: the processes of this machine cannot start, or a worker lacks a package; nothing has run then.
        ConnectionError: the scheduler was lost, or a worker that joined later is wrong; what was finished is kept.
        OSError: a result cannot be written; what was finished before is kept.
    """
    asked = {"replicates": replicates, "baseline": baseline or {}, "values": values}
    how = How(retries, timeout, threads)
    plan = make_plan(notebook, grid, out, trials=trials, seed=seed, **asked, how=how)

    def connect() -> "AbstractContextManager[Client]":
        return nullcontext(client) if client else here(workers)

    rows, _ = drive(plan, connect)
    from physnn.lab.sweeping.table import table

    return table([rows[point.name] for point in plan.points], plan.notebook.contract)


def drive(plan: Plan, connect: "Callable[[], AbstractContextManager[Client]]") -> tuple[dict[str, dict], bool]:
    """Run what is missing; return the rows of all points by name, and whether the tables and the page are written.

    ``connect`` opens the client; it is called only if something is missing. An interruption keeps what is finished.
    """
    if said := repeats(plan.points):
        print(said, flush=True)
    with plan.folder.alone(plan.notebook):
        plan.asked.keep(plan.folder)
        rows = plan.kept()
        missing = [point for point in plan.points if point.name not in rows]
        for point in missing:
            if plan.folder.file(point.name, ".json").exists() and plan.folder.row(point.name) is None:
                print(f"the record of {point} is damaged or incomplete; it runs again", flush=True)
        if missing and rows:
            print(f"{len(rows)} of {len(plan.points)} points are done already; {len(missing)} to run", flush=True)
        try:
            if missing:
                from physnn.lab.sweeping.runs import run

                with connect() as client:
                    run(plan, missing, rows, client)
        finally:
            with uninterrupted():
                to_show = folders.rows(plan.asked, plan.folder, rows)
                shown = not to_show or show(plan.asked, to_show, plan.folder)
    return rows, shown
