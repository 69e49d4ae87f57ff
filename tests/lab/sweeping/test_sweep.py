"""A sweep on this machine, through the command line: what runs, what is kept, and what survives which death."""

import json
import os
import signal

import pandas as pd
import psutil
import pytest

from physnn.lab import sweep as run_sweep
from physnn.lab.sweeping import cli
from tests.lab.running.clusters import wait_for
from tests.lab.sweeping.sweeps import BODY, PARAMETERS, at_work_in, finish, make_notebook, runs, start, sweep


def read(folder):
    return pd.read_csv(folder / "table.csv")


@pytest.fixture
def notebook(tmp_path):
    return make_notebook(tmp_path / "notebooks")


def test_a_sweep_keeps_what_is_done_and_runs_only_the_rest(notebook, tmp_path):
    out, beside = tmp_path / "out", notebook.parent
    (beside / "fail-1").touch()
    (beside / "once-2").touch()
    command = [notebook, "--grid", "quartic=-5,0.5", "--grid", "seed=0:3", "--out", out, "--workers", 2]

    status, printed = sweep(*command, "--retries", 1)
    assert status == 1
    assert "4 of 6 points are done" in printed
    assert "2 of 6 points failed" in printed
    table = read(out)
    assert list(table.columns[:7]) == ["point", "quartic", "seed", "name", "status", "seconds", "error"]
    assert list(zip(table.quartic, table.seed, strict=True)) == [(q, s) for q in (-5, 0.5) for s in range(3)]
    failed = table[table.status != "done"]
    assert set(failed.error) == {"ValueError: told to fail, seed 1"}
    for row in failed.itertuples():
        log = out / "points" / f"{row.point}.log"
        assert f"log: {log}" in printed
        assert "seed 1 with 1 thread" in log.read_text()
        assert "told to fail" in log.with_suffix(".ipynb").read_text()
    done = table[table.status == "done"]
    assert list(done.energy) == [0, -10, 0, 1]
    assert list(done["glued.seed"]) == ["seed 0", "seed 2"] * 2
    assert done["not-finite"].isna().all()
    assert (done.seconds > 0).all()
    attempts = {path.stem: json.loads(path.read_text())["attempts"] for path in out.glob("points/*.json")}
    assert sorted(attempts.values()) == [1, 1, 1, 2, 2, 2]  # both failures, and the one that failed once
    assert max(runs(notebook).values()) == 1

    (beside / "fail-1").unlink()
    before = runs(notebook, "begin")
    status, printed = sweep(*command)
    assert (status, runs(notebook, "begin") - before) == (0, {"-5 1": 1, "0.5 1": 1})
    assert set(read(out).status) == {"done"}

    # A truncated row, one with another number in it, and a missing notebook: all three run again, and nothing else.
    first, second, third = (out / "points" / f"{name}.json" for name in table.point[:3])
    first.write_bytes(first.read_bytes()[:100])
    second.write_text(second.read_text().replace("-5.0", "-5.5"))
    third.with_suffix(".ipynb").unlink()
    before = runs(notebook, "begin")
    status, printed = sweep(*command)
    assert (status, runs(notebook, "begin") - before) == (0, {"-5 0": 1, "-5 1": 1, "-5 2": 1})
    assert printed.count("damaged or incomplete; it runs again") == 3
    assert list(read(out).energy) == [0, -5, -10, 0, 0.5, 1]

    # A smaller grid, with a default named: nothing runs, and what the folder has beside it stays in the table.
    before = runs(notebook, "begin")
    assert sweep(notebook, "--grid", "seed=2", "--grid", "name=plain", "--out", out)[0] == 0
    assert runs(notebook, "begin") == before
    assert sorted(read(out).energy) == [-10, -5, 0, 0, 0.5, 1]
    assert read(out).energy[0] == -10


def test_what_the_notebook_imports_counts_and_nothing_else(tmp_path):
    beside = tmp_path / "notebooks"
    notebook = make_notebook(beside, body=f"import helper\n{BODY}")
    for name in ("helper", "idle"):
        (beside / f"{name}.py").write_text("")
    command = [notebook, "--grid", "seed=1", "--out", tmp_path / "out", "--workers", 1]
    for count, module in ((1, "idle"), (1, "helper"), (2, "idle")):  # counted first, then changed
        assert sweep(*command)[0] == 0
        assert runs(notebook)["-5 1"] == count
        (beside / f"{module}.py").write_text(f"{module} = {count}\n")


def test_a_killed_driver_leaves_no_process_and_loses_nothing(notebook, tmp_path):
    out, beside = tmp_path / "out", notebook.parent
    (beside / "hold-3").touch()
    command = [notebook, "--grid", "quartic=1", "--grid", "seed=0:5", "--out", out, "--workers", 2]
    driver = start(*command)
    wait_for(lambda: len(list(out.glob("points/*.json"))) == 4, "all points but the held one")

    family = [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]
    open_ports = [c for process in family for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(open_ports) > 3  # scheduler, workers, kernel
    assert {c.laddr.ip for c in open_ports} == {"127.0.0.1"}

    driver.send_signal(signal.SIGKILL)
    finish(driver)
    wait_for(lambda: not at_work_in(beside), "the end of the kernel")
    wait_for(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family), "the workers' end")

    # Another driver goes on, is told to stop as by a batch system, and still leaves the table.
    driver = start(*command)
    wait_for(lambda: runs(notebook, "begin")["1 3"] == 2, "the second start of the held point")
    driver.send_signal(signal.SIGTERM)
    status, printed = finish(driver)
    assert status == 130
    assert "the same command continues" in printed
    assert list(read(out).seed) == [0, 1, 2, 4]
    wait_for(lambda: not at_work_in(beside), "the end of the kernel")

    (beside / "hold-3").unlink()
    assert sweep(*command)[0] == 0
    assert list(read(out).energy) == [0, 1, 2, 3, 4]
    assert runs(notebook, "begin") == {"1 0": 1, "1 1": 1, "1 2": 1, "1 3": 3, "1 4": 1}
    assert set(runs(notebook).values()) == {1}


def test_ctrl_c_stops_everything_and_keeps_what_is_done(notebook, tmp_path):
    """It reaches every process of the terminal, Dask's workers among them, and their complaints would fill it."""
    (notebook.parent / "hold-1").touch()
    command = [notebook, "--grid", "seed=0:2", "--out", tmp_path / "out", "--workers", 2]
    driver = start(*command, start_new_session=True)
    wait_for(lambda: runs(notebook)["-5 0"] and runs(notebook, "begin")["-5 1"], "the start of both points")
    wait_for(lambda: list(tmp_path.glob("out/points/*.json")), "the row of the finished point")
    os.killpg(driver.pid, signal.SIGINT)
    status, printed = finish(driver)
    assert status == 130
    assert "Traceback" not in printed
    assert list(read(tmp_path / "out").seed) == [0]
    wait_for(lambda: not at_work_in(notebook.parent), "the end of the kernel")


def test_a_run_that_takes_too_long_is_ended_with_its_kernel(notebook, tmp_path):
    (notebook.parent / "hold-7").touch()
    status, printed = sweep(notebook, "--grid", "seed=7", "--out", tmp_path / "out", "--timeout", 4, "--workers", 1)
    assert status == 1
    assert "seed=7  timeout: took longer than 4 s" in printed
    assert list(read(tmp_path / "out").status) == ["timeout"]
    assert at_work_in(notebook.parent) == []
    assert not runs(notebook)


def test_a_point_that_kills_its_workers_is_lost_and_the_others_are_not(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
    (notebook.parent / "kill-0").touch()
    status, printed = sweep(notebook, "--grid", "seed=0:3", "--out", tmp_path / "out", "--workers", 1)
    assert status == 1
    assert "seed=0  lost: KilledWorker: " in printed
    assert list(read(tmp_path / "out").status) == ["lost", "done", "done"]
    assert runs(notebook, "begin") == {"-5 0": 2, "-5 1": 1, "-5 2": 1}


def test_two_sweeps_at_once_run_nothing_twice(notebook, tmp_path):
    out = tmp_path / "out"
    grids = (["seed=0:3"], ["seed=1:4"])
    drivers = [start(notebook, "--grid", *grid, "--out", out, "--workers", 1) for grid in grids]
    elsewhere = start(notebook, "--grid", "seed=10", "--out", tmp_path / "other", "--workers", 1)
    for driver in (*drivers, elsewhere):
        status, printed = finish(driver)
        assert status == 0, printed
    assert runs(notebook, "begin") == {f"-5 {seed}": 1 for seed in (0, 1, 2, 3, 10)}
    assert sorted(read(out).seed) == [0, 1, 2, 3]
    assert list(read(tmp_path / "other").seed) == [10]


def test_nothing_runs_where_something_is_wrong(notebook, tmp_path, capsys):
    grid = ["--grid", "quartic=1,20,x", "--grid", "sed=1", "--grid", "name=fat", "--grid", "seed=log(1,2)"]
    assert cli.main(["sweep", str(notebook), *grid, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    for words in (
        "quartic = 20.0 is not in [-10, 10]",
        "quartic: 'x' is not a float",
        "unknown parameter 'sed'; this notebook has quartic, seed, name; did you mean seed?",
        "name = 'fat' is not in {plain, <b>bold</b>}",
        "seed = log(1,2): expected",
    ):
        assert words in said
    assert not runs(notebook, "begin")
    assert not (tmp_path / "out").exists()


def test_a_parameter_that_nothing_reads_fails_its_points(tmp_path):
    notebook = make_notebook(tmp_path, PARAMETERS + "idle: int = 1  # nothing, in [0, 9]\n", BODY)
    status, printed = sweep(notebook, "--grid", "idle=2", "--out", tmp_path / "out", "--workers", 1)
    assert status == 1
    assert "idle=2  failed: ParameterError: never read, so changing it would change nothing: idle" in printed
    assert not runs(notebook, "begin")


def test_a_dry_run_shows_points_and_time_and_runs_nothing(notebook, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["sweep", str(notebook), "--grid", "quartic=1,2", "--grid", "seed=0:2", "--out", str(out), "--workers"]
    assert cli.main([*command, "2", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.count("to run") == 5
    assert "quartic=1.0 seed=1" in said
    assert "time: not known" in said
    assert not out.exists()

    learn = said.splitlines()[-1].split()  # the command that it prints
    assert learn[:2] == ["physnn", "sweep"]
    assert cli.main([*learn[1:], "--workers", "1"]) == 0
    capsys.readouterr()
    assert cli.main([*command, "2", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "4 points of tiny.ipynb: 1 done, 3 to run" in said
    assert "on 2 workers" in said
    assert runs(notebook, "begin") == {"1 0": 1}


def test_from_python(notebook, tmp_path):
    grid = {"quartic": [1, 2], "seed": range(3, 4), "name": "<b>bold</b>"}
    table = run_sweep(notebook, grid, tmp_path / "out", workers=2)
    assert list(table.status) == ["done", "done"]
    assert list(table.energy) == [3, 6]
    assert os.getcwd() != str(notebook.parent)
