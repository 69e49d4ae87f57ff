"""Chunks on Dask workers, of this machine or of others."""

import hashlib
import json
import pickle
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from physnn.lab.data.mnist import DataError
from physnn.lab.running.where import ClusterError
from physnn.lab.training.chunk import Chunk, Job, collect, made_from

if TYPE_CHECKING:
    from distributed import Client, Future, Worker

GLANCE = 0.2  # seconds between two looks at what has happened
EPOCHS = "physnn-epochs"  # the topic of what workers tell while they train
_made_from = cache(made_from)  # once a process: what it has imported stays as it is
_stopped: set[str] = set()  # on a worker: tasks that shall end after the epoch they are in


def on_workers(jobs: Sequence[Job], client: "Client", tick: Callable[[int], Any]) -> Iterator[Chunk]:
    """Train chunks on the workers of a client; ``tick`` is called with the number of replicas that have had an epoch.

    Ctrl-C asks the workers to stop after the epoch they are in: what they have is given then, nothing of the rest, and
    at the end a chunk of no replicas that is ``interrupted``. A second one does not wait for them. A chunk whose worker
    is lost runs again on another.

    Raises:
        ClusterError: a worker is not as it must be, or a chunk has lost several.
        ConnectionError: the scheduler was lost.
    """
    from physnn.lab.running.cluster import ended
    from physnn.lab.running.crew import Crew

    crew = Crew(client, ("physnn",), ("physnn",))  # without it a worker ends when it is handed a task
    if not crew.room():
        print(f"waiting for a worker to join {client.scheduler.address}", flush=True)
    waiting, running, left, stopping = deque((job, 1) for job in jobs), {}, {id(job): job for job in jobs}, False
    bar = _Bar(tick)
    client.subscribe_topic(EPOCHS, bar.heard.put)
    try:
        while waiting or running:
            try:
                room = crew.room()
                # No more than can run: what Dask lets wait behind a long one, it may not move to a worker that is free.
                while waiting and len(running) < room:
                    job, attempt = waiting.popleft()
                    running[_submit(job, attempt, client)] = job, attempt
                if not running:  # no worker has joined yet
                    time.sleep(GLANCE)
                done = ended(list(running), GLANCE)
                bar.move({future.key: job for future, (job, _) in running.items()})
                if stopping:  # again and again, for one that has only now begun
                    known = _stop_all(client, running)
                    running = {future: each for future, each in running.items() if future.key in known}
            except KeyboardInterrupt:
                if stopping:
                    raise
                stopping = True
                waiting.clear()
                continue
            for future in done:
                job, attempt = running.pop(future)
                chunk = _result(future, client)
                if chunk.complete or stopping:
                    bar.end(future.key, job, chunk)
                    del left[id(job)]
                    yield chunk
                else:  # stopped by another driver that had asked for the same
                    waiting.append((job, attempt + 1))
        for job in left.values():  # after Ctrl-C
            yield Chunk(job.members, [], False)
        if stopping:  # also where all were finished before they heard of it
            yield Chunk((), [], True, True)
    finally:  # nobody may want the rest
        with suppress(Exception):  # of a client that has lost its scheduler
            client.unsubscribe_topic(EPOCHS)
            client.cancel(list(running))


def _submit(job: Job, attempt: int, client: "Client") -> "Future":
    made_from = _made_from(job.task)
    replicas = [asdict(replica) for replica in job.replicas]
    content = [made_from, job.task, replicas, list(job.members), asdict(job.budget), attempt]
    # The key names the content: two drivers on one cluster that need the same chunk share it.
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, default=repr).encode()).hexdigest()
    pickled = pickle.dumps(job)  # to be read where its classes are known to be the same
    return client.submit(train_job, job.task, made_from, pickled, key=f"physnn-{digest}", pure=False)


def _result(future: "Future", client: "Client") -> Chunk:
    from distributed import KilledWorker

    from physnn.lab.running.cluster import lost

    if future.status not in ("finished", "error"):
        raise lost(client)
    try:
        return future.result()
    except KilledWorker as error:
        raise ClusterError(f"a chunk lost every worker that trained it; is there memory enough? {error}") from error
    except ImportError as error:
        raise ClusterError(f"a worker cannot import what training needs: {error}; install it there") from error


def _stop_all(client: "Client", futures: "Sequence[Future]") -> set[str]:
    """Ask for the end of tasks; return the keys of those that a worker has, finished ones too."""
    from physnn.lab.running.cluster import lost

    try:
        said = client.run(_stop, [future.key for future in futures], on_error="ignore")
    except OSError as error:
        raise lost(client) from error
    return {key for keys in said.values() for key in keys}


def _stop(keys: Sequence[str], dask_worker: "Worker") -> list[str]:
    _stopped.update(keys)
    return [key for key in keys if key in dask_worker.state.tasks]


def train_job(task: str, made_from: str, pickled: bytes) -> Chunk:
    """Train a job on the worker that calls this: to its end, until :func:`_stop`, or until nobody waits for it.

    Raises:
        ClusterError: the worker has another version of what the task is made from, no data, or more than one thread.
    """
    from distributed import get_worker

    from physnn.lab.running.cluster import wanted

    worker = get_worker()
    key, epochs, told = worker.get_current_task(), 0, 0.0
    _stopped.discard(key)
    if worker.state.nthreads != 1:  # replicas of two threads would draw from one generator
        many = f"the worker {worker.address} has {worker.state.nthreads} threads"
        raise ClusterError(f"{many}; training needs workers of one: dask worker --nthreads 1")
    if _made_from(task) != made_from:
        raise ClusterError(
            f"physnn or torch on {worker.address} is not the one that asks it to train; start it with the same"
        )
    import torch

    torch.set_num_threads(1)

    def tick(count: int) -> bool:
        nonlocal epochs, told
        epochs += 1
        if (now := time.monotonic()) > told + GLANCE:
            told = now
            worker.log_event(EPOCHS, {"key": key, "epochs": epochs})
        return key not in _stopped and wanted()

    try:
        return collect(pickle.loads(pickled), tick)
    except DataError as error:
        raise ClusterError(f"the worker {worker.address} has no data: {error}") from error


class _Bar:
    """Moves a bar by what workers tell. One that was lost says some of it again."""

    def __init__(self, tick: Callable[[int], Any]) -> None:
        self.tick, self.heard = tick, SimpleQueue()
        self.counted: dict[str, int] = {}

    def move(self, jobs: dict[str, Job]) -> None:
        """Count the epochs of ``jobs``, by key, of which something was heard."""
        while not self.heard.empty():
            _, said = self.heard.get()
            if said["key"] in jobs:
                self._count(said["key"], jobs[said["key"]], said["epochs"])

    def end(self, key: str, job: Job, chunk: Chunk) -> None:
        """Count the last epochs of a chunk."""
        self._count(key, job, max((row["epoch"] for row in chunk.rows), default=0))

    def _count(self, key: str, job: Job, epochs: int) -> None:
        before = self.counted.get(key, 0)
        if epochs > before:
            self.counted[key] = epochs
            self.tick((epochs - before) * len(job.members))
