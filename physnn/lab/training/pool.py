"""Chunks in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing.connection import wait as wait_for
from typing import Any

import torch

from physnn.lab.training.chunk import Chunk, Job, collect


def in_processes(jobs: Sequence[Job], workers: int, tick: Callable[[int], Any]) -> Iterator[Chunk]:
    """Train chunks in processes. Ctrl-C asks them to stop after the epoch they are in, and gives what they have."""
    spawn = multiprocessing.get_context("spawn")  # a fork of a process that has threads may deadlock
    stop, ticks = spawn.Event(), spawn.SimpleQueue()
    with ProcessPoolExecutor(min(workers, len(jobs)), spawn, _begin, (stop, ticks)) as pool:
        running = {pool.submit(_job, job) for job in jobs}
        try:
            while running:
                try:
                    done, running = wait(running, timeout=0.2, return_when="FIRST_COMPLETED")
                    while not stop.is_set() and not ticks.empty():  # Ctrl-C may have cut one in two
                        tick(ticks.get())
                except KeyboardInterrupt:
                    stop.set()
                    running = {job for job in running if not job.cancel()}
                    continue
                for job in done:
                    yield job.result()
        finally:  # nobody may want the rest
            stop.set()
            pool.shutdown(cancel_futures=True)


def _begin(stop: Any, ticks: Any) -> None:
    """Set up a worker: one thread, and Ctrl-C left to the process that asked for it."""
    global _stop, _ticks
    _stop, _ticks = stop, ticks
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def _leave_with_parent() -> None:
    """End this process when the one that started it is gone, however it went: nobody would take its results."""
    wait_for([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _job(job: Job) -> Chunk:
    def tick(count: int) -> bool:
        _ticks.put(count)
        return not _stop.is_set()

    return collect(job, tick)
