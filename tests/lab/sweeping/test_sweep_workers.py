"""Workers that cannot run a sweep are found before a point is handed out to them, and named."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import physnn
from physnn.lab.running import closure
from physnn.lab.running.cluster import remote
from physnn.lab.sweeping import cli
from physnn.lab.sweeping.notebook import READING, made_from
from tests.lab.running.clusters import running, wait_for
from tests.lab.sweeping.sweeps import finish, make_notebook, runs, start

KEPT = "what is finished is kept, and the same command continues"


@pytest.fixture
def command(tmp_path):
    notebook = make_notebook(tmp_path / "notebooks")
    return [notebook, "--grid", "seed=0:3", "--out", tmp_path / "out", "--scheduler-file", tmp_path / "scheduler.json"]


def without(folder: Path, *packages: str) -> Path:
    """Return what ``PYTHONPATH`` must be for a Python that lacks packages."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules |= dict.fromkeys({packages})\n")
    return folder


def said(command, capsys) -> str:
    assert cli.main(["sweep", *map(str, command)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_scheduler_and_workers_that_lack_something_are_named(command, tmp_path, capsys):
    bare = without(tmp_path / "bare", "physnn", "papermill")
    with running(tmp_path, PYTHONPATH=bare) as cluster:
        cluster.worker()
        assert said(command, capsys).startswith(f"physnn sweep: the scheduler {cluster.address} lacks physnn: pip ")
    (tmp_path / "scheduler.json").unlink()
    with running(tmp_path) as cluster:
        cluster.worker(PYTHONPATH=bare)
        assert re.search(r"the worker tcp://[\d.:]+ lacks physnn, papermill: pip install", said(command, capsys))
    assert not runs(command[0], "begin")


def test_another_physnn_is_found(command, tmp_path, capsys):
    package = tmp_path / "other" / "physnn"
    shutil.copytree(Path(physnn.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "lab" / "__init__.py").open("a") as file:
        file.write("\n# another version\n")
    with running(tmp_path) as cluster:
        worker = cluster.worker(PYTHONPATH=package.parent)
        assert re.search(r"on the worker tcp://[\d.:]+ is not the physnn", said(command, capsys))
        worker.kill()
        worker.wait()
        (package / "lab" / "sweeping" / "notebook.py").write_text("")  # one that has no such function yet
        cluster.worker(PYTHONPATH=package.parent)
        assert re.search(r"on the worker tcp://[\d.:]+ is not the physnn", said(command, capsys))
    assert not runs(command[0], "begin")


def test_one_that_joins_later_stops_the_sweep_and_takes_no_result(command, tmp_path):
    (command[0].parent / "hold-1").touch()
    with running(tmp_path) as cluster:
        cluster.worker()
        driver = start(*command)
        wait_for(lambda: runs(command[0], "begin")["-5 1"], "the start of the held point")
        cluster.worker(PYTHONPATH=without(tmp_path / "bare", "physnn"))
        status, printed = finish(driver)
    assert status == 1
    assert re.search(rf"physnn sweep: the worker \S+ lacks physnn: pip .*; {KEPT}$", printed.strip())
    assert "lost" not in printed
    assert list(pd.read_csv(tmp_path / "out" / "table.csv").seed) == [0]


def test_nothing_is_handed_out_before_a_worker_has_joined(command, tmp_path):
    with running(tmp_path) as cluster:
        driver = start(*command)
        assert driver.stdout.readline() == f"waiting for a worker to join {cluster.address}\n"
        cluster.worker(PYTHONPATH=without(tmp_path / "bare", "ipykernel"))
        status, printed = finish(driver)
    assert (status, "lacks ipykernel" in printed, "lost" in printed) == (2, True, False)


def test_sources_are_read_by_one_thread_at_a_time(tmp_path, monkeypatch):
    """Two in Python's parser at once have lost a point of a busy cluster."""
    found, text = closure.of_cells, make_notebook(tmp_path).read_text()

    def read(*given):
        assert not READING.acquire(blocking=False)
        return found(*given)

    monkeypatch.setattr(closure, "of_cells", read)
    assert len(made_from(text, tmp_path)) == 64
    assert not READING.locked()


def test_a_file_that_is_being_written_is_read_again(tmp_path):
    """By whoever starts the scheduler; a network's disk may show the half of it."""
    file = tmp_path / "half.json"
    code = "import sys, time\nfor part in sys.argv[2:]: time.sleep(0.3); open(sys.argv[1], 'a').write(part)"
    with running(tmp_path) as cluster:
        text = cluster.file.read_text()
        file.touch()
        writing = subprocess.Popen([sys.executable, "-c", code, file, text[:20], text[20:-3], text[-3:]])
        with writing, remote(scheduler_file=file) as client:
            assert client.scheduler.address == cluster.address
