"""An interruption keeps every finished point, and leaves the page and the table of them."""

import signal

import pytest

from physnn.lab.running import files
from physnn.lab.sweeping import cli, report
from physnn.lab.sweeping.progress import Progress
from tests.lab.sweeping.quick import in_threads, rows, seeds


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_every_interruption_leaves_the_page_and_the_table(command, tmp_path, monkeypatch, capsys, number):
    """Also a second one, while the processes are being closed and while the page is drawn."""
    in_threads(monkeypatch)
    draw, exit_ = report.report, Progress.__exit__

    def drawing(*given):
        signal.raise_signal(number)
        draw(*given)

    def closing(*given):
        exit_(*given)
        signal.raise_signal(number)

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "finished", lambda *_: signal.raise_signal(number))
        patched.setattr(Progress, "__exit__", closing)
        patched.setattr(report, "report", drawing)
        assert cli.main(command) == 130
    assert capsys.readouterr().err.strip() == (
        "physnn sweep: interrupted; what is finished is kept, and the same command continues"
    )
    assert len(seeds(tmp_path)) == len(rows(tmp_path)) == 1
    assert "1 of 3 points are done, 2 have not run" in (tmp_path / "out" / "index.html").read_text()


def test_an_interruption_between_the_files_of_a_point_waits(command, tmp_path, monkeypatch):
    in_threads(monkeypatch)
    write = files.write

    def interrupted(path, content):
        if path.suffix == ".log":
            signal.raise_signal(signal.SIGINT)
        write(path, content)

    monkeypatch.setattr(files, "write", interrupted)
    assert cli.main(command) == 130
    assert len(seeds(tmp_path)) == len(rows(tmp_path)) == 1


def test_a_crash_between_the_files_of_a_point_loses_that_point_alone(command, tmp_path, monkeypatch):
    in_threads(monkeypatch)
    write, logs = files.write, []

    def crashing(path, content):
        if path.suffix == ".log":
            logs.append(path)
        if len(logs) == 2:
            raise SystemExit("as good as dead")
        write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(files, "write", crashing)
        with pytest.raises(SystemExit):
            cli.main(command)
    (kept,) = (tmp_path / "out" / "points").glob("*.json")
    before = kept.stat().st_mtime_ns
    assert cli.main(command) == 0
    assert kept.stat().st_mtime_ns == before
    assert seeds(tmp_path) == [0, 1, 2]
