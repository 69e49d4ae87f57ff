"""How far a sweep is: the page while it runs and after a kill, the cells that are done, the time that is left."""

import signal
import time

import pandas as pd
import pytest

from physnn.lab.sweeping import cli, progress
from physnn.lab.sweeping.asked import FILE
from physnn.lab.sweeping.cells import Cells
from physnn.lab.sweeping.grid import Point
from tests.lab.running.clusters import PATIENCE, wait_for
from tests.lab.sweeping.quick import in_threads
from tests.lab.sweeping.sweeps import finish, make_notebook, runs, start


def test_a_report_while_it_runs_and_after_a_kill(tmp_path, capsys):
    notebook, out = make_notebook(tmp_path / "notebooks"), tmp_path / "out"
    (notebook.parent / "hold-2").touch()
    command = [notebook, "--grid", "quartic=1,2", "--grid", "seed=0:3", "--out", out, "--workers", 2]
    driver = start(*command)
    wait_for(lambda: runs(notebook, "begin")["1 2"] and runs(notebook, "begin")["2 2"], "the start of the held points")
    wait_for(lambda: len(list(out.glob("points/*.json"))) == 4, "the other points")
    assert not (out / "table.csv").exists()
    assert cli.main(["report", str(out)]) == 0
    assert f"4 of 6 points are done, 2 have not run: {out}" in capsys.readouterr().out
    assert list(pd.read_csv(out / "table.csv").seed) == [0, 1, 0, 1]
    assert driver.poll() is None  # undisturbed
    driver.send_signal(signal.SIGKILL)
    finish(driver)
    # Another question, and no notebook any more.
    hidden = notebook.rename(tmp_path / "elsewhere.ipynb")
    assert cli.main(["report", str(out), "--replicates", "seed", "--baseline", "quartic=1"]) == 0
    assert list(pd.read_csv(out / "means.csv").difference.dropna()) == [0.5]
    capsys.readouterr()
    assert cli.main(["report", str(out), "--replicates", "sed"]) == 2
    assert "did you mean seed?" in capsys.readouterr().err
    hidden.rename(notebook)
    (notebook.parent / "hold-2").unlink()
    status, printed = finish(start(*command))
    assert status == 0
    assert "4 of 6 points are done already; 2 to run" in printed
    assert "left)" in printed  # of the first of two, by the time of those that were kept


def test_a_report_of_what_is_no_sweep_is_refused(command, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert cli.main(["report", str(out)]) == 2
    assert f"{out} has no {FILE} that can be read (no sweep has begun there" in capsys.readouterr().err
    assert not out.exists()
    in_threads(monkeypatch)
    assert cli.main(command) == 0
    (out / FILE).write_text("{}")
    assert cli.main(["report", str(out)]) == 2
    assert "run the sweep's command again" in capsys.readouterr().err
    assert cli.main(command) == 0
    assert cli.main(["report", str(out)]) == 0


def test_cells_are_counted_as_papermill_ends_them(tmp_path):
    notebook = make_notebook(tmp_path)  # prose, an import, the parameters, the body; papermill adds a cell before it
    cells = Cells(notebook.read_text(), tmp_path / "log")
    lines = [f"Executing Cell {i}------\nEnding Cell {i}--------\n" for i in range(1, 6)]
    counts = []
    for line in lines:
        with open(tmp_path / "log", "a") as log:
            log.write(line)
        counts.append(cells.done())
    assert (counts, cells.of) == ([0, 1, 2, 2, 3], 3)


@pytest.fixture
def clock(monkeypatch):
    """A clock of ours; it is moved by appending to it."""
    times = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: times[-1])
    return times


def test_the_time_left_counts_what_is_under_way(clock, capsys):
    points = [Point(str(i), {"seed": i, "epochs": 1}, {"seed": i, "epochs": 1}) for i in range(4)]
    told = progress.Progress(total=6, kept=2, seconds=[100.0, 100.0], fixed={"epochs"})
    for key in "ab":
        told.began(key, points["ab".index(key)])
    told.cells("a", 3, 30)
    told.cells("another sweep's", 1, 2)
    told.look(2)
    assert capsys.readouterr().out == ""  # not yet a minute
    clock.append(61.0)
    told.look(2)
    line = "[2/6] running: seed=0  3 of 30 cells, 61 s; seed=1  61 s  (about 2 min left)\n"
    assert capsys.readouterr().out == line  # (2 * 100 + 2 * 39) / 2 = 139 s
    told.look(2)
    assert capsys.readouterr().out == ""
    told.ended("a")
    clock.append(80.0)
    told.finished(points[0], {"status": "done", "seconds": 80.0, "error": ""}, 2)
    assert capsys.readouterr().out == "[3/6] done    seed=0  80.0 s  (about 80 s left)\n"  # (2 * 80 + 0) / 2


@pytest.mark.parametrize(
    ("grid", "every", "each"),
    [
        (["seed=0,1", "quartic=2"], "every point has quartic=2.0\n", "done    seed=1  0.1 s"),
        (["seed=0,1", "quartic=2,3"], "", "done    seed=1 quartic=3.0  0.1 s"),
        (["seed=1", "quartic=2"], "", "done    seed=1 quartic=2.0  0.1 s"),
    ],
)
def test_what_all_points_have_is_said_once(grid, every, each, tmp_path, monkeypatch, capsys):
    in_threads(monkeypatch)
    notebook = make_notebook(tmp_path / "notebooks")
    command = ["sweep", str(notebook), *(f"--grid={one}" for one in grid), "--out", str(tmp_path / "out")]
    assert cli.main([*command, "--dry-run"]) == 0
    planned = capsys.readouterr().out
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert each in said
    assert every in planned and every in said
    assert bool(every) == ("every point has" in said) == ("every point has" in planned)


def test_a_running_point_tells_its_cells(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("physnn.lab.sweeping.progress.QUIET", 0.0)
    monkeypatch.setattr("physnn.lab.sweeping.runs.GLANCE", 0.2)
    notebook = make_notebook(tmp_path / "notebooks")
    held = notebook.parent / "hold-0"
    held.touch()
    look, end = progress.Progress.look, time.monotonic() + PATIENCE

    def looking(self, slots):
        look(self, slots)
        if (2, 3) in self._cells.values() or time.monotonic() > end:
            held.unlink(missing_ok=True)

    monkeypatch.setattr(progress.Progress, "look", looking)
    assert cli.main(["sweep", str(notebook), "--grid", "seed=0", "--out", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert "running: seed=0  2 of 3 cells, " in capsys.readouterr().out
