"""The runs of a sweep: what is missing goes to the workers, as many at once as they have room for, and is kept."""

import hashlib
import json
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from physnn.lab.records.provenance import commit, dirty
from physnn.lab.running.command import uninterrupted
from physnn.lab.sweeping.grid import Point
from physnn.lab.sweeping.notebook import made_from
from physnn.lab.sweeping.plan import Plan
from physnn.lab.sweeping.supply import Supply

if TYPE_CHECKING:
    from distributed import Client, Future

    from physnn.lab.running.crew import Crew
    from physnn.lab.sweeping.progress import Progress

GLANCE = 5.0  # seconds between two looks for workers that joined
POLL = 0.1  # seconds, while there is none


def run(plan: Plan, supply: Supply, rows: dict[str, dict], client: "Client") -> None:
    """Run what is supplied on the client's workers; put each row into ``rows`` and into the folder as it comes.

    Raises:
        ClusterError: the first workers do not fit; nothing has run then.
        ConnectionError: the scheduler was lost, or a worker that joined later does not fit.
    """
    from physnn.lab.running.cluster import ended
    from physnn.lab.sweeping.progress import Progress

    again: deque[tuple[Point, int]] = deque()
    running, crew = {}, _crew(plan, client)

    def following() -> tuple[Point, int] | None:
        if again:
            return again.popleft()
        return (point, 1) if (point := supply.next(rows)) else None

    sources = {"notebook": plan.notebook.digest, "package": plan.asked.package, "threads": plan.how.threads}
    sources |= {"commit": commit(), "dirty": dirty()}  # asked once: git takes its time
    before = [row["seconds"] for row in rows.values()]
    failures, most = 0, plan.how.max_failures or math.inf
    fixed = plan.fixed()
    with Progress(supply.total(), len(rows), before, fixed) as progress, _heard(client, progress):
        if not crew.room():
            progress.say(f"waiting for a worker to join {client.scheduler.address}")
        try:
            while True:
                # No more than can run: what Dask lets wait behind a long run, it may not move to a worker that is free.
                room = crew.room()
                while len(running) < room and failures < most and (one := following()):
                    future = _submit(plan, *one, client)
                    running[future] = one
                    progress.began(future.key, one[0])
                if not running:
                    if failures >= most or (supply.over() and not again):
                        break
                    time.sleep(POLL)  # no worker has joined yet
                    continue
                progress.resize(supply.total())
                progress.look(room)
                for future in sorted(ended(list(running), GLANCE), key=lambda future: future.status != "finished"):
                    point, attempt = running.pop(future)
                    outcome = _outcome(future, crew)
                    future.release()
                    progress.ended(future.key)
                    stopped = outcome["status"] == "stopped"  # for another driver that went away
                    if stopped or (outcome["status"] != "done" and attempt <= plan.how.retries):
                        progress.say(f"again: {point.told(fixed)}  {outcome['error'][:200]}")
                        again.append((point, attempt + 1))
                        continue
                    with uninterrupted():
                        rows[point.name] = _keep(plan, point, outcome | {"attempts": attempt}, sources)
                        supply.got(point, rows[point.name])
                    progress.finished(point, rows[point.name], room)
                    failures += outcome["status"] != "done"
            if left := supply.total() - len(rows):
                progress.say(f"{failures} points failed, which --max-failures takes for enough; {left} have not run")
        finally:
            if running:  # only after an interruption
                client.cancel(list(running))


@contextmanager
def _heard(client: "Client", progress: "Progress") -> Iterator[None]:
    """Let the workers tell how many cells their runs have done; they speak of other sweeps' runs as well."""
    from physnn.lab.sweeping.cells import TOPIC

    client.subscribe_topic(TOPIC, lambda event: progress.cells(*event[1]))
    try:
        yield
    finally:
        with suppress(ValueError, OSError, RuntimeError):  # the scheduler was lost
            client.unsubscribe_topic(TOPIC)


def _crew(plan: Plan, client: "Client") -> "Crew":
    """Return the client's workers, which must have this physnn and what runs a notebook."""
    from physnn.lab.running.crew import Crew, answers

    def check(workers: list[str]) -> dict[str, str]:
        told = client.run(made_from, plan.notebook.text, plan.notebook.path.parent, workers=workers, on_error="return")
        wrong = (
            "what the notebook imports on the worker {} is not the physnn, or the folder, that this sweep began with"
        )
        wrong += "; start the worker with the same ones"
        return {
            each: "" if it == plan.asked.package else wrong.format(each) for each, it in told.items() if answers(it)
        }

    return Crew(client, ("physnn", "nbformat"), ("physnn", "nbformat", "papermill", "ipykernel"), check)


def _submit(plan: Plan, point: Point, attempt: int, client: "Client") -> "Future":
    from physnn.lab.sweeping import point as worker

    task = {
        "notebook": plan.notebook.text,
        "folder": str(plan.notebook.path.parent),
        "parameters": point.given,
        "package": plan.asked.package,
        "timeout": plan.how.timeout,
        "threads": plan.how.threads,
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
