"""Chunks on Dask workers, in processes that are real, and killed."""

import os
import signal
from dataclasses import replace

import pandas as pd
import pytest
import torch
from distributed import Client

from physnn.lab.models.recipe import Recipe
from physnn.lab.running import cluster
from physnn.lab.running.cluster import ended, local
from physnn.lab.running.where import ClusterError
from physnn.lab.training import pool
from physnn.lab.training.chunk import Chunk, Job, collect
from physnn.lab.training.pool import on_workers
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from tests.lab.running.clusters import running, wait_for

PLAIN = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}
FOREVER = 10**6


def jobs(count: int, epochs: int) -> list[Job]:
    """Return jobs of two replicas."""
    made = []
    for first in range(0, 2 * count, 2):
        replicas = [Replica("plain", PLAIN, 0.01, seed) for seed in (first, first + 1)]
        recipe = Recipe.read(PLAIN)
        made.append(Job("images", replicas, [recipe] * 2, [first, first + 1], Budget("digits", epochs, 256)))
    return made


def agree(chunk, job):
    """The chunk's rows are those of its job, trained here."""
    torch.set_num_threads(1)
    first, second = (pd.DataFrame(each.rows).drop(columns="seconds") for each in (chunk, collect(job)))
    pd.testing.assert_frame_equal(first, second, rtol=2e-4, atol=2e-5)


def at_work(client) -> list[int]:
    """Return the processes of the workers that train."""

    def pid(dask_worker) -> int:
        return os.getpid() if dask_worker.state.executing else 0

    # Of a worker that was killed a moment ago nothing is heard.
    return [found for found in client.run(pid, on_error="ignore").values() if found]


@pytest.fixture(scope="module")
def here():
    with local(2) as client:
        yield client


def test_a_killed_worker_is_replaced_and_its_chunk_runs_again(here):
    several, ticks, victims = jobs(2, 200), [], []

    def tick(count):
        ticks.append(count)
        if not victims:
            victims.append(at_work(here)[0])
            os.kill(victims[0], signal.SIGKILL)

    made = list(on_workers(several, here, tick))
    assert victims and all(chunk.complete for chunk in made)
    for chunk in made:
        agree(chunk, several[chunk.members[0] // 2])
    assert sum(ticks) == 2 * 2 * 200, "every epoch once, those of the killed worker too"
    wait_for(lambda: len(here.nthreads()) == 2, "another worker")
    assert victims[0] not in here.run(os.getpid).values()


def test_an_interruption_gives_what_the_workers_have(here):
    several, told = jobs(3, FOREVER), []

    def tick(count):
        told.append(count)
        if sum(told) == told[0]:
            raise KeyboardInterrupt

    *made, last = on_workers(several, here, tick)
    assert last == Chunk((), [], True, True)
    assert sorted(member for chunk in made for member in chunk.members) == list(range(6))
    assert not any(chunk.complete for chunk in made)
    assert max(len(chunk.rows) for chunk in made) > 2 and any(not chunk.rows for chunk in made)
    assert not at_work(here)
    (again,) = on_workers(jobs(1, 3), here, lambda count: None)
    assert again.complete, "what was stopped does not stop what comes after it"


def test_an_interruption_that_comes_too_late_is_told(here, monkeypatch):
    """All have reached their end, and nobody has heard of it yet: they are given, and whoever asked for more stops."""
    asked = []

    def late(futures, timeout):
        asked.append(len(futures))
        if len(asked) == 1:
            wait_for(lambda: all(future.status == "finished" for future in futures), "the end of all")
            raise KeyboardInterrupt
        return ended(futures, timeout)

    monkeypatch.setattr(cluster, "ended", late)
    *made, last = on_workers(jobs(2, 2), here, lambda count: None)
    assert asked[0] == 2 and len(made) == 2 and all(chunk.complete and not chunk.interrupted for chunk in made)
    assert last == Chunk((), [], True, True)


def test_a_chunk_that_kills_its_workers_is_an_error(here):
    here.cluster.scheduler.allowed_failures = 0
    with pytest.raises(ClusterError, match="a chunk lost every worker that trained it; is there memory enough"):
        list(on_workers(jobs(1, FOREVER), here, lambda count: [os.kill(pid, signal.SIGKILL) for pid in at_work(here)]))


def test_workers_that_cannot_start_are_an_error(monkeypatch, tmp_path, capfd):
    (tmp_path / "broken.py").write_text("raise OSError('a broken disk')")
    monkeypatch.setattr("physnn.lab.running.worker.__file__", str(tmp_path / "broken.py"))
    with pytest.raises(ClusterError, match="2 workers ended before they began"), local(2):
        pass
    assert "a broken disk" in capfd.readouterr().err


def test_a_cluster_trains_what_it_understands_and_stops_when_nobody_waits(tmp_path, monkeypatch):
    (job,) = jobs(1, 2)
    with running(tmp_path) as cluster:
        cluster.worker()
        with Client(cluster.address) as client:
            (made,) = chunks(job.replicas, job.budget, client=client)
            agree(made, job)
            monkeypatch.setattr(pool, "_made_from", lambda task: "another")
            with pytest.raises(ClusterError, match=r"physnn or torch on .* is not the one that asks it to train"):
                list(on_workers([job], client, lambda count: None))
            monkeypatch.undo()
            with Client(cluster.address) as other:
                future = pool._submit(*jobs(1, FOREVER), 1, other)
                wait_for(lambda: at_work(client), "the beginning")
                future.release()
            wait_for(lambda: not at_work(client), "the end of what nobody waits for")


def test_a_worker_of_two_threads_is_refused_and_a_lost_scheduler_is_said(tmp_path):
    with running(tmp_path) as cluster:
        cluster.worker(threads=2)
        with Client(cluster.address) as client:
            with pytest.raises(ClusterError, match="has 2 threads; training needs workers of one"):
                list(on_workers(jobs(1, 1), client, lambda count: None))
            cluster.processes[0].kill()
            with pytest.raises(ConnectionError, match=f"the Dask scheduler {cluster.address} went away"):
                list(on_workers(jobs(1, 1), client, lambda count: None))


def test_several_processes_need_dask_and_one_does_not(monkeypatch):
    (job,) = jobs(1, 1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ClusterError, match=r"need distributed, which this Python has not: pip install .*sweep"):
        list(chunks(job.replicas, job.budget, workers=2))
    (made,) = chunks(job.replicas, job.budget)
    assert made.complete


@pytest.mark.parametrize("without", ["worker", "scheduler"])
def test_a_worker_or_a_scheduler_without_physnn_is_named_before_anything_is_handed_out(tmp_path, monkeypatch, without):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['physnn'] = None\n")
    if without == "scheduler":
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with running(tmp_path) as cluster:
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        cluster.worker()
        with Client(cluster.address) as client:
            wait_for(client.nthreads, "the worker")
            with pytest.raises(ClusterError, match=rf"the {without} tcp://\S+ lacks physnn: pip install"):
                list(on_workers(jobs(1, 1), client, lambda count: None))


def test_a_worker_without_the_data_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PHYSNN_DATA", "/dev/null/data")
    (job,) = jobs(1, 1)
    with local(1) as client, pytest.raises(ClusterError, match=r"the worker tcp://\S+ has no data: MNIST is not in"):
        list(on_workers([replace(job, budget=Budget("mnist", 1, 256))], client, lambda count: None))
