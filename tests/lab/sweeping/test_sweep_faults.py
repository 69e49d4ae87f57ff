"""What goes wrong after a run takes no results with it, and is one line."""

import errno
import io
import os
import subprocess
import sys

import pytest

from physnn.lab import sweep as run_sweep
from physnn.lab.running import files
from physnn.lab.sweeping import cli
from physnn.lab.sweeping import runs as loop
from tests.lab.running.clusters import PATIENCE
from tests.lab.sweeping.quick import in_threads, rows, seeds
from tests.lab.sweeping.sweeps import runs


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_machine_without_git_loses_nothing(command, tmp_path, monkeypatch):
    in_threads(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(command) == 0
    assert {row["commit"] for row in rows(tmp_path)} <= {"unknown", ""}
    assert {row["dirty"] for row in rows(tmp_path)} == {None}


def test_the_state_of_the_checkout_is_asked_once_and_shown(command, tmp_path, monkeypatch):
    in_threads(monkeypatch)
    asked = []
    monkeypatch.setattr(loop, "commit", lambda: asked.append(1) or "abc")
    monkeypatch.setattr(loop, "dirty", lambda: True)
    assert cli.main(command) == 0
    assert len(asked) == 1
    assert {(row["commit"], row["dirty"]) for row in rows(tmp_path)} == {("abc", True)}
    assert "commit abc with changes" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("broken", "name", "other"),
    [("report.report", "index.html", "table.csv"), ("table.table", "table.csv", "index.html")],
)
def test_a_page_or_table_that_fails_hides_no_result(command, tmp_path, monkeypatch, capsys, broken, name, other):
    in_threads(monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(f"physnn.lab.sweeping.{broken}", lambda *_: 1 / 0)
        assert cli.main(command) == 1
        out, err = capsys.readouterr()
        assert "3 of 3 points are done" in out
        assert err.startswith(f"{name} is not written: unforeseen ZeroDivisionError")
        assert len(err.splitlines()) == 1
    assert (tmp_path / "out" / other).exists()
    monkeypatch.setattr("physnn.lab.sweeping.point.run", None)  # the rows are there
    assert cli.main(command) == 0
    assert seeds(tmp_path) == [0, 1, 2]


def test_from_python_a_page_that_fails_leaves_the_table(command, tmp_path, monkeypatch, capsys):
    in_threads(monkeypatch)
    monkeypatch.setattr("physnn.lab.sweeping.report.report", full)
    assert list(run_sweep(command[1], {"seed": range(3)}, tmp_path / "out").energy) == [1, 1, 1]
    assert "index.html is not written: No space left on device; the results are kept\n" == capsys.readouterr().err


def test_a_reader_s_settings_do_not_reach_the_page(command, tmp_path, monkeypatch):
    """LaTeX, which they ask for, may be missing; a setting may be of another matplotlib."""
    in_threads(monkeypatch)
    monkeypatch.setattr("physnn.lab.sweeping.report.report", full)
    assert cli.main(command) == 1
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nno.such: setting\nfont.family: nothing\n")
    environment = dict(os.environ, MATPLOTLIBRC=str(tmp_path / "matplotlibrc"), PATH=str(tmp_path))
    module = [sys.executable, "-m", "physnn.lab.sweeping.cli"]
    done = subprocess.run([*module, *command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize("what", ["a file", "below a file", "read-only", "full", "its points are a file"])
def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(command, tmp_path, monkeypatch, capsys, what):
    in_threads(monkeypatch, lambda _: pytest.fail("it ran"))
    out = tmp_path / "out"
    if what == "a file":
        out.touch()
    elif what == "below a file":
        out.touch()
        command[-1] = str(out / "inside")
    elif what == "its points are a file":
        out.mkdir()
        (out / "points").touch()
    else:
        refused = OSError(errno.EROFS, "Read-only file system", str(out)) if what == "read-only" else None
        monkeypatch.setattr(files, "alone" if refused else "write", full if not refused else lambda *_: raises(refused))
    assert cli.main(command) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert str(tmp_path / "out") in said or "No space left" in said
    assert out.is_file() or not list(out.glob("points/*"))


def raises(error):
    raise error


def test_a_disk_that_fills_up_keeps_what_was_written(command, tmp_path, monkeypatch, capsys):
    in_threads(monkeypatch)
    write, rows_written = files.write, []

    def filling(path, content):
        if path.suffix == ".json" and path.parent.name == "points":
            rows_written.append(path)
        full() if len(rows_written) > 1 else write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(files, "write", filling)
        assert cli.main(command) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == (
        "physnn sweep: No space left on device; what is finished is kept, and the same command continues"
    )
    assert len(rows(tmp_path)) == 1
    assert cli.main(command) == 0
    assert seeds(tmp_path) == [0, 1, 2]


@pytest.mark.parametrize("error", ["No space left on device", "Broken pipe"])
def test_a_log_that_takes_no_more_loses_no_point(command, tmp_path, monkeypatch, capsys, error):
    in_threads(monkeypatch)
    if error == "Broken pipe":
        reading, writing = os.pipe()
        os.close(reading)
        output = os.fdopen(writing, "w")
    else:
        output = open("/dev/full", "w")
    with output, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", output)
        assert cli.main(command) == 1
    assert capsys.readouterr().err == (
        f"physnn sweep: {error}; what is finished is kept, and the same command continues\n"
    )
    assert seeds(tmp_path) == [0, 1, 2]
    assert (tmp_path / "out" / "index.html").exists()


def test_python_does_not_complain_of_a_closed_pipe_once_more(command):
    module = [sys.executable, "-m", "physnn.lab.sweeping.cli"]
    with open("/dev/full", "w") as output:
        done = subprocess.run(
            [*module, *command, "--dry-run"], stdout=output, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_a_terminal_that_cannot_show_an_error_shows_it_escaped(command, tmp_path, monkeypatch):
    in_threads(monkeypatch, lambda _: {"status": "failed", "error": "ValueError: α > β"})
    shown = io.TextIOWrapper(io.BytesIO(), "ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", shown)
    assert set(run_sweep(command[1], {"seed": range(3)}, tmp_path / "out").status) == {"failed"}
    assert cli.main(command) == 1
    shown.seek(0)
    assert shown.read().count(r"ValueError: \u03b1 > \u03b2") == 6
    assert [row["error"] for row in rows(tmp_path)] == ["ValueError: α > β"] * 3


def test_half_a_sign_is_kept_escaped(command, tmp_path, monkeypatch):
    in_threads(monkeypatch, lambda _: {"values": {"text": "\ud800"}, "log": "\udc80"})
    assert cli.main(command) == 0
    assert [row["values"] for row in rows(tmp_path)] == [{"text": "\ud800"}] * 3
    assert cli.main(command) == 0  # the rows are whole
    assert r"\ud800" in (tmp_path / "out" / "table.csv").read_text()


def test_a_script_needs_no_guard(command, tmp_path):
    """Its workers import nothing of it, and so start no sweeps of their own."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom physnn.lab import sweep\n"
        "print(len(sweep(sys.argv[1], {'seed': [1]}, sys.argv[2], workers=2)), 'row')\n"
    )
    run = [sys.executable, script, command[1], tmp_path / "out"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1 row") == 1
    assert runs(tmp_path / "notebooks" / "tiny.ipynb") == {"-5 1": 1}
