"""Drivers and workers killed at random moments: every point has one whole row, and none that was recorded ran again."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from physnn.lab.running import worker
from physnn.lab.sweeping.store import Folder
from tests.lab.running.clusters import wait_for
from tests.lab.sweeping.sweeps import at_work_in, finish, make_notebook, runs, start

POINTS, KILLS = 6, 6


class Sweep:
    """A sweep to be killed, and the check that what it had recorded never runs again."""

    def __init__(self, folder: Path) -> None:
        self.notebook, self.out = make_notebook(folder / "notebooks"), folder / "out"
        self.begun: dict[int, int] = {}  # by seed: how often a recorded point had begun when it was seen first

    def start(self) -> subprocess.Popen[str]:
        grid = ["--grid", "quartic=1", "--grid", f"seed=0:{POINTS}"]
        return start(self.notebook, *grid, "--out", self.out, "--workers", 2)

    def look(self) -> None:
        """Remember what is recorded, and see that nothing of it has begun again."""
        for row in Folder(self.out).rows():
            assert row["status"] == "done"
            seed = row["parameters"]["seed"]
            count = runs(self.notebook, "begin")[f"1 {seed}"]
            assert self.begun.setdefault(seed, count) == count

    def check(self) -> None:
        """Every point has one row, that is whole, and nothing else is there."""
        self.look()
        assert set(self.begun) == set(range(POINTS))
        assert list(pd.read_csv(self.out / "table.csv").seed) == list(range(POINTS))
        kinds = [path.suffix for path in (self.out / "points").iterdir()]
        assert {kind: kinds.count(kind) for kind in kinds} == {".ipynb": POINTS, ".log": POINTS, ".json": POINTS}
        assert not list(self.out.rglob(".*.part"))
        wait_for(lambda: not at_work_in(self.notebook.parent), "the end of every kernel")


@pytest.fixture
def tiny(tmp_path):
    return Sweep(tmp_path)


def test_a_driver_killed_at_random_moments(tiny):
    moments = random.Random(1)
    for _ in range(KILLS):
        driver = tiny.start()
        time.sleep(moments.uniform(0.3, 5.0))
        driver.send_signal(signal.SIGKILL)
        finish(driver)
        wait_for(lambda: not at_work_in(tiny.notebook.parent), "the end of its kernels")
        tiny.look()
    status, printed = finish(tiny.start())
    assert status == 0, printed
    tiny.check()


def test_workers_killed_at_random_moments(tiny, monkeypatch):
    """One that is killed again and again would count as lost, which another test is about."""
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "100")
    held = tiny.notebook.parent / f"hold-{POINTS - 1}"  # so that the sweep does not end before the last kill
    held.touch()
    moments, driver = random.Random(2), tiny.start()

    def workers():
        return [child for child in psutil.Process(driver.pid).children() if worker.__file__ in child.cmdline()]

    wait_for(lambda: runs(tiny.notebook, "begin"), "the first point to begin")
    for _ in range(KILLS):
        time.sleep(moments.uniform(0.2, 2.0))
        wait_for(workers, "a worker")
        moments.choice(workers()).kill()
        tiny.look()
    held.unlink()
    status, printed = finish(driver)
    assert status == 0, printed
    assert "lost" not in printed
    tiny.check()
