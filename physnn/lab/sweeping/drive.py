"""Run a sweep: what is missing runs on Dask workers, what comes back is kept, and the folder shows all of it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from physnn.lab.running.command import uninterrupted
from physnn.lab.running.where import here
from physnn.lab.sweeping import asked as folders
from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.combinations import Choice
from physnn.lab.sweeping.grid import Point, repeats, written
from physnn.lab.sweeping.plan import How, Plan, make_plan
from physnn.lab.sweeping.search import Goal
from physnn.lab.sweeping.show import show

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client
    from optuna import Study

    from physnn.lab.sweeping.supply import Supply


def sweep(
    notebook: str | Path,
    grid: Mapping[str, object],
    out: str | Path,
    *,
    client: "Client | None" = None,
    workers: int | None = None,
    trials: int | None = None,
    seed: int = 0,
    zipped: Sequence[Sequence[str]] = (),
    excluded: Sequence[Mapping[str, object]] = (),
    listed: str | Path | None = None,
    replicates: Sequence[str] = (),
    baseline: Mapping[str, object] | None = None,
    values: Sequence[str] = (),
    goal: Goal | None = None,
    retries: int = 0,
    timeout: float | None = None,
    threads: int = 1,
    max_failures: int | None = None,
    retry_failed: bool = True,
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
        zipped: groups of parameters whose lists are walked through together instead of being crossed.
        excluded: values that no point may have together.
        listed: a CSV of points, whose header has names of parameters; they are crossed with the grid.
        replicates: parameters that only repeat a setting: ``means.csv`` has means and intervals over them.
        baseline: parameters with the values of the setting that the others are compared with, in pairs.
        values: the glued values that are asked about; all numbers where there are none.
        goal: what a search with Optuna looks for among the distributions, in ``trials`` trials; None for plain draws.
        retries: how often a failed point is run again before it counts as failed.
        timeout: seconds after which a run is ended, with its kernel.
        threads: of each run, for OpenMP, MKL and OpenBLAS.
        max_failures: how many failed points end the sweep.
        retry_failed: whether points that failed in an earlier sweep run again.

    Raises:
        SweepError: the notebook, a parameter's name, a value or the folder is wrong; nothing has run then.
        ClusterError: the processes of this machine cannot start, or a worker lacks a package; nothing has run then.
        ConnectionError: the scheduler was lost, or a worker that joined later is wrong; what was finished is kept.
        OSError: a result cannot be written; what was finished before is kept.
    """
    asked = {"replicates": replicates, "baseline": baseline or {}, "values": values}
    how = How(retries, timeout, threads, max_failures, retry_failed)
    choice = Choice(zipped, excluded, Path(listed) if listed else None)
    plan = make_plan(notebook, grid, out, trials=trials, seed=seed, choice=choice, **asked, how=how, goal=goal)

    def connect() -> "AbstractContextManager[Client]":
        return nullcontext(client) if client else here(workers)

    rows, _ = drive(plan, connect)
    from physnn.lab.sweeping.table import table

    return table([rows[point.name] for point in plan.points if point.name in rows], plan.notebook.contract)


def drive(plan: Plan, connect: "Callable[[], AbstractContextManager[Client]]") -> tuple[dict[str, dict], bool]:
    """Run what is missing; return the rows of all points by name, and whether the tables and the page are written.

    ``connect`` opens the client; it is called only if something is missing. An interruption keeps what is finished.
    """
    if said := repeats(plan.points):
        print(said, flush=True)
    with plan.folder.alone(plan.notebook):
        plan.asked.keep(plan.folder)
        study = _study(plan)
        rows = plan.kept()
        missing = [point for point in plan.points if point.name not in rows]
        for point in missing:
            if plan.folder.file(point.name, ".json").exists() and plan.folder.row(point.name) is None:
                print(f"the record of {point} is damaged or incomplete; it runs again", flush=True)
        supply = _supply(plan, study, missing)
        if rows and not supply.over():
            total = supply.total()
            print(f"{len(rows)} of {total} points are done already; {total - len(rows)} to run", flush=True)
        if (fixed := plan.fixed()) and not supply.over():
            print(f"every point has {written(fixed)}", flush=True)
        try:
            if not supply.over():
                from physnn.lab.sweeping.runs import run

                with connect() as client:
                    run(plan, supply, rows, client)
        finally:
            with uninterrupted():
                asked = _answered(plan, study)
                to_show = folders.rows(asked, plan.folder, rows)
                shown = not to_show or show(asked, to_show, plan.folder)
    return rows, shown


def _study(plan: Plan) -> "Study | None":
    """Open the study of a search, and add the points that its trials have left to the plan's."""
    if plan.search is None:
        return None
    from physnn.lab.sweeping.trials import earlier

    study = plan.search.study(plan.folder)
    plan.points.extend(point for point in earlier(plan.search, study) if plan.folder.row(point.name))
    return study


def _supply(plan: Plan, study: "Study | None", missing: list[Point]) -> "Supply":
    if plan.search is None or study is None:
        from physnn.lab.sweeping.supply import Listed

        return Listed(missing, len(plan.points))
    from physnn.lab.sweeping.trials import Trials

    return Trials(plan.search, study, plan.points, plan.how.retry_failed)


def _answered(plan: Plan, study: "Study | None") -> Asked:
    """Return what was asked for, with what a search has found; it is kept for later reports."""
    if plan.search is None or study is None:
        return plan.asked
    from physnn.lab.sweeping.trials import best

    told = best(plan.search, study)
    print(told, flush=True)
    asked = replace(plan.asked, points=[point.name for point in plan.points], found=told)
    asked.keep(plan.folder)
    return asked
