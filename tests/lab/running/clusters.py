"""A Dask cluster for tests: a scheduler and workers in processes of their own, on loopback, to be killed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 900  # seconds, of a machine that does much else; only a defect waits so long


class Cluster:
    """A scheduler and its workers, without nannies, so that a killed worker stays dead."""

    def __init__(self, folder: Path, *options: object, **environment: object) -> None:
        self.file, self.options, self.processes = folder / "scheduler.json", options, []
        self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", **environment)
        wait_for(lambda: self.file.exists() and self.file.read_text(), "the scheduler")
        self.address = json.loads(self.file.read_text())["address"]

    def worker(self, threads: int = 1, **environment: object) -> subprocess.Popen:
        """Start a worker."""
        options = ["--host", "127.0.0.1", "--nthreads", threads, "--no-nanny", "--no-dashboard"]
        return self.start("worker", *options, **environment)

    def start(self, what: str, *options: object, **environment: object) -> subprocess.Popen:
        """Start ``dask WHAT``, which writes to a log beside the scheduler's file."""
        command = [sys.executable, "-m", "dask", what, "--scheduler-file", self.file, *options, *self.options]
        folder = self.file.parent / "scratch"
        folder.mkdir(exist_ok=True)
        more = ["--local-directory", folder] if what == "worker" else []
        whole = {**os.environ, **{name: str(value) for name, value in environment.items()}}
        with open(folder / f"{what}.log", "ab") as log:
            started = subprocess.Popen(
                [*map(str, command), *map(str, more)], stdout=log, stderr=log, cwd=folder, env=whole
            )
        self.processes.append(started)
        return self.processes[-1]


@contextmanager
def running(folder: Path, *options: object, **environment: object) -> Iterator[Cluster]:
    """Start a scheduler that writes its file into ``folder``, and end it with its workers."""
    cluster = Cluster(folder, *options, **environment)
    try:
        yield cluster
    finally:
        for process in cluster.processes:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until ``condition()`` holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)
