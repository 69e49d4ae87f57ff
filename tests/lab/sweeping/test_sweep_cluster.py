"""A sweep on a Dask cluster: a scheduler and workers in processes of their own, on loopback, some of them killed."""

import shutil
import signal
import subprocess

import pandas as pd
import pytest
from distributed import Client

from physnn.lab import sweep as run_sweep
from physnn.lab.sweeping import cli
from tests.lab.running.clusters import running, wait_for
from tests.lab.sweeping.sweeps import at_work_in, finish, make_notebook, runs, start, sweep


@pytest.fixture
def notebook(tmp_path):
    return make_notebook(tmp_path / "notebooks")


def test_a_killed_worker_and_a_killed_driver_lose_nothing(notebook, tmp_path):
    out, beside = tmp_path / "out", notebook.parent
    (beside / "hold-0").touch()
    grid = ["--grid", "quartic=1", "--grid", "seed=0:4"]
    with running(tmp_path) as cluster:
        first, second = cluster.worker(), cluster.worker()
        driver = start(notebook, *grid, "--out", out, "--scheduler-file", cluster.file)
        wait_for(lambda: len(list(out.glob("points/*.json"))) == 3, "all points but the held one")

        # A killed driver: its run is stopped on the worker, and the next driver finds what was finished.
        driver.send_signal(signal.SIGKILL)
        finish(driver)
        wait_for(lambda: not at_work_in(beside), "the end of the run that nobody waits for")
        driver = start(notebook, *grid, "--out", out, "--scheduler", cluster.address)
        wait_for(lambda: runs(notebook, "begin")["1 0"] == 2, "the second start of the held point")

        # A killed worker, the one that holds the point: its kernel ends, and the other worker runs the point again.
        with Client(cluster.address) as client:
            ((busy, _),) = [(where, keys) for where, keys in client.processing().items() if keys]
            pid = client.run(__import__("os").getpid, workers=[busy])[busy]
        victim = next(process for process in (first, second) if process.pid == pid)
        victim.send_signal(signal.SIGKILL)
        wait_for(lambda: runs(notebook, "begin")["1 0"] == 3, "the third start of the held point")
        (beside / "hold-0").unlink()
        status, printed = finish(driver)
        assert status == 0, printed
    table = pd.read_csv(out / "table.csv")
    assert list(table.energy) == [0, 1, 2, 3]
    assert runs(notebook, "begin") == {"1 0": 3, "1 1": 1, "1 2": 1, "1 3": 1}
    assert runs(notebook) == {"1 0": 1, "1 1": 1, "1 2": 1, "1 3": 1}


def test_a_killed_scheduler_is_said_and_loses_nothing(notebook, tmp_path):
    (notebook.parent / "hold-1").touch()
    out = tmp_path / "out"
    with running(tmp_path) as cluster:
        cluster.worker()
        driver = start(notebook, "--grid", "seed=0:3", "--out", out, "--scheduler", cluster.address)
        wait_for(lambda: runs(notebook, "begin")["-5 1"], "the start of the held point")
        cluster.processes[0].send_signal(signal.SIGKILL)
        status, printed = finish(driver)
    assert status == 1
    assert printed.splitlines()[-1].startswith(f"physnn sweep: the Dask scheduler {cluster.address} went away")
    assert "Traceback" not in printed
    assert list(pd.read_csv(out / "table.csv").seed) == [0]


def test_two_sweeps_share_a_cluster_and_a_client_can_be_passed_in(notebook, tmp_path):
    (notebook.parent / "hold-5").touch()
    grid = ["--grid", "seed=5,6"]
    with running(tmp_path) as cluster:
        cluster.worker()
        drivers = [start(notebook, *grid, "--out", tmp_path / out, "--scheduler", cluster.address) for out in "ab"]
        with Client(cluster.address) as client:
            # Both have asked for the held point: it is one task of the scheduler, and runs once.
            wait_for(lambda: wanted(client) == 2, "both sweeps to wait for the held point")
            (notebook.parent / "hold-5").unlink()
            for driver in drivers:
                status, printed = finish(driver)
                assert status == 0, printed
            assert runs(notebook, "begin")["-5 5"] == 1
            (notebook.parent / "fail-8").touch()
            table = run_sweep(notebook, {"seed": [5, 8]}, tmp_path / "c", client=client)
            assert client.status == "running"
    assert list(table.status) == ["done", "failed"]
    for out in "ab":
        assert list(pd.read_csv(tmp_path / out / "table.csv").energy) == [-25, -30]


def wanted(client):
    """Count the clients that wait for the running task."""

    def count(dask_scheduler):
        return max((len(task.who_wants) for task in dask_scheduler.tasks.values() if task.processing_on), default=0)

    return client.run_on_scheduler(count)


def test_no_scheduler_is_said(notebook, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("physnn.lab.running.cluster.PATIENCE", 0.5)
    command = ["sweep", str(notebook), "--grid", "seed=1", "--out", str(tmp_path / "out")]
    for where in (["--scheduler", "tcp://127.0.0.1:9"], ["--scheduler-file", str(tmp_path / "none.json")]):
        assert cli.main([*command, *where]) == 2
        assert f"no connection to the Dask scheduler {where[1]}" in capsys.readouterr().err
    for half in ("", '{"addr', "{}", "[]", "\xff"):
        (tmp_path / "half.json").write_text(half, encoding="latin-1")
        assert cli.main([*command, "--scheduler-file", str(tmp_path / "half.json")]) == 2
        assert "half.json: it has no address of a scheduler" in capsys.readouterr().err
    assert cli.main([*command, "--tls-cert", "cert.pem"]) == 2
    assert "--tls-... is for a --scheduler" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")
def test_tls(notebook, tmp_path):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    new = ["req", "-newkey", "rsa:2048", "-nodes", "-subj"]
    openssl(*new, "/CN=the authority", "-x509", "-days", "2", "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl(*new, "/CN=127.0.0.1", "-keyout", "key.pem", "-out", "request.pem")
    sign = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2"]
    openssl("x509", "-req", "-in", "request.pem", *sign, "-out", "cert.pem")
    files = {"ca-file": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    tls = [part for name, file in files.items() for part in (f"--tls-{name}", tmp_path / file)]
    with running(tmp_path, "--protocol", "tls", *tls) as cluster:
        assert cluster.address.startswith("tls://127.0.0.1:")
        cluster.worker()
        command = [notebook, "--grid", "seed=3", "--out", tmp_path / "out", "--scheduler", cluster.address]
        status, printed = sweep(*command)
        assert status == 2
        assert "no connection to the Dask scheduler tls://" in printed
        status, printed = sweep(*command, *tls)
        assert status == 0, printed
    assert list(pd.read_csv(tmp_path / "out" / "table.csv").energy) == [-15]
