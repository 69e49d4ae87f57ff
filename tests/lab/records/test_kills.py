"""A study whose driver and workers are killed, ten times: nothing is lost, and nothing is done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from physnn.lab.records import parts
from physnn.lab.records.studies import Study
from physnn.lab.training import tasks

ROOT = Path(__file__).resolve().parents[3]
TASKS = Path(__file__).with_name("tasks")
DESIGN = {
    "task": "counted",
    "arms": {"steep": {"curvature": 2.0}, "flat": {"curvature": 0.5}},
    "tuning": {"lr": [0.1, 0.4, 3.0], "seeds": list(range(10)), "epochs": 5},
    "final": {"seeds": list(range(20, 40)), "epochs": 8},
}
RUN = """
import sys
from pathlib import Path
from physnn.lab.records import rerun, studies
studies.RESULTS = Path("results")
if __name__ == "__main__":
    sys.exit(rerun.main(["small", "--workers", "2"]))
"""
SIGNALS = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 130, signal.SIGHUP: 130}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the study and the script that runs it; the workers know the task, too."""
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(TASKS)])
    monkeypatch.chdir(tmp_path)
    for results in ("results", "undisturbed"):
        (tmp_path / results / "small").mkdir(parents=True)
        (tmp_path / results / "small" / "design.yml").write_text(yaml.safe_dump(DESIGN, sort_keys=False))
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "site").mkdir()
    known = f"from physnn.lab.training import tasks\ntasks.__path__.append({str(TASKS)!r})\n"
    (tmp_path / "site" / "sitecustomize.py").write_text(known)
    return tmp_path


def wait_for(run, condition):
    """Wait until a condition holds, or the run has ended."""
    end = time.monotonic() + 240
    while run.poll() is None and not condition():
        assert time.monotonic() < end, "nothing happens any more"
        time.sleep(0.01)


def test_killed_at_random_moments_nothing_is_lost_and_nothing_is_done_twice(folder):
    chance, log = random.Random(5), folder / "begun"
    path = os.pathsep.join([str(folder / "site"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "COUNTED": str(log), "OMP_NUM_THREADS": "1"}
    work, finished = folder / "_build" / "studies", {}

    def made():
        return {part: part.stat().st_mtime_ns for part in work.glob("small-*/*.csv")}

    def moment(run, count):
        """Wait for so many more replicas, and then for some part of the time that one takes."""
        there = len(made())
        wait_for(run, lambda: len(made()) >= there + count)
        time.sleep(chance.uniform(0, 0.1))

    for number in (*SIGNALS, None):  # and to the end, in spite of what happens to its workers
        begun = log.read_text() if log.exists() else ""
        with subprocess.Popen([sys.executable, "run.py"], env=environment, stderr=subprocess.PIPE, text=True) as run:
            for victim in ("worker", "driver") if number else ("worker", "worker"):
                moment(run, chance.randrange(1, 9))
                workers = psutil.Process(run.pid).children()
                if victim == "worker":
                    chance.choice(workers).kill()
                else:
                    run.send_signal(number)
            error = run.communicate(timeout=240)[1]
        assert run.returncode == (SIGNALS[number] if number else 0), error
        if number and number != signal.SIGKILL:
            assert error.count("\n") == 2 and "rerun: interrupted; what is finished is kept" in error
        assert not psutil.wait_procs(workers, timeout=60)[1], "a worker outlived its driver"
        assert finished.items() <= made().items(), "what was finished is gone, or was made again"
        again = log.read_text().removeprefix(begun).splitlines()
        assert not {name(part) for part in finished} & {*again}, "what was finished was trained again"
        finished = made()

    assert len(finished) == 2 * (3 * 10 + 20)
    left = [file.name for file in folder.glob("*/**/*") if file.name.endswith(".part")]
    assert not left, "half-written"
    Study("small", folder / "undisturbed").run(workers=1, work=folder / "alone")
    table, undisturbed = (Study("small", folder / results).table() for results in ("results", "undisturbed"))
    assert table.equals(undisturbed)


def name(part):
    """Return what the task has written of a replica when it began."""
    row = parts.read(part).iloc[0]
    return f"{row.arm} {row.lr:g} {row.seed} {DESIGN[row.phase]['epochs']}"
