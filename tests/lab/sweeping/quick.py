"""Sweeps whose points are no notebooks but calls in threads of this process: a sweep of milliseconds."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client, LocalCluster

OUTCOME = {
    **{"status": "done", "error": "", "values": {"energy": 1.0}, "seconds": 0.1, "log": "printed", "notebook": b"{}"},
    **{"started": "2026-01-01T00:00:00+00:00", "host": "here", "torch": "2.0", "python": "3.11"},
}


def in_threads(monkeypatch: pytest.MonkeyPatch, run: Callable[[dict], dict] = lambda parameters: {}) -> None:
    """Let sweeps run ``run`` for each point, with the point's parameters; it returns what differs from ``OUTCOME``."""

    @contextmanager
    def local(workers: int | None = None) -> Iterator[Client]:
        options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
        ports = {"dashboard_address": "127.0.0.1:0"}
        with LocalCluster(**options, scheduler_kwargs=ports) as cluster, Client(cluster) as client:
            yield client

    monkeypatch.setattr("physnn.lab.running.cluster.local", local)
    monkeypatch.setattr("physnn.lab.sweeping.point.run", lambda task: {**OUTCOME, **run(task["parameters"])})


def rows(folder: Path) -> list[dict]:
    """Return the rows that a sweep in ``folder`` has left in ``out``, by their seeds."""
    found = [json.loads(path.read_text()) for path in (folder / "out" / "points").glob("*.json")]
    return sorted(found, key=lambda row: row["parameters"]["seed"])


def seeds(folder: Path) -> list[int]:
    """Return what its table holds."""
    return list(pd.read_csv(folder / "out" / "table.csv").seed)
