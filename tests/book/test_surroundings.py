"""The build where something is in its way: odd places, a user's own settings, full disks, editors, signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import nbformat
import psutil
import pytest

from book.tools import build, bundle, fingerprint, parameters, place, run_all
from book.tools.project import BookError
from tests.book import tiny
from tests.book.tiny import add_to, build_now
from tests.lab.running.clusters import wait_for

ROOT = Path(__file__).resolve().parents[2]
DRAWS = """import matplotlib.pyplot as plt
import physnn
from physnn.lab.figures import plots
plots.style()
fig, ax = plt.subplots()
ax.set_title("$x$")
print(physnn.__file__)
fig"""


def started(project, **variables: str) -> subprocess.Popen:
    """Start a build with variables of its environment; what it says can be read."""
    command = [sys.executable, "-m", "book.tools.build", "--root", project.root, "--out", project.out]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | variables
    )


def test_nothing_of_the_user_s_reaches_a_build_in_an_odd_place(tmp_path):
    """No home, settings that need LaTeX, other code and another physnn on the path, a terminal that knows no Greek."""
    project = tiny.write_project(tmp_path / "a {b} c#.d é")
    add_to(project.root / "notebooks" / "second.md", DRAWS)
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "matplotlibrc").write_text("text.usetex: True\n")
    (tmp_path / "physnn").mkdir()
    (tmp_path / "physnn" / "__init__.py").write_text("raise RuntimeError('of another checkout')\n")
    users = {"XDG_CONFIG_HOME": str(tmp_path), "MATPLOTLIBRC": str(tmp_path / "matplotlib"), "HOME": "/dev/null"}
    (tmp_path / "startup.py").write_text("raise RuntimeError('of the user')\n")
    (tmp_path / "kernels" / "python3").mkdir(parents=True)
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text('{"argv": ["false"], "display_name": "another"}')
    users |= {"PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "ascii", "PYTHONWARNINGS": "default"}
    users |= {"PYTHONSTARTUP": str(tmp_path / "startup.py"), "JUPYTER_PATH": str(tmp_path), "PYTHONDEVMODE": "1"}
    said, complained = (builder := started(project, **users)).communicate(timeout=120)
    assert (builder.returncode, complained) == (0, "")
    assert "c#.d \\xe9" in said
    printed = nbformat.read(project.executed / "second.ipynb", as_version=4).cells[-1].outputs[0].text
    assert printed == f"{ROOT / 'physnn' / '__init__.py'}\n"

    add_to(project.root / "notebooks" / "second.md", "raise ValueError('α > β')")
    complained = (builder := started(project, **users)).communicate(timeout=120)[1]
    assert builder.returncode == 1
    assert complained.rstrip().endswith("ValueError: \\u03b1 > \\u03b2")


def one_line(capsys) -> str:
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_an_out_that_is_a_file_or_read_only_is_one_line(project, capsys):
    (project.root / "file").touch()
    for out, trouble in (("file", "File exists"), ("file/in", "Not a directory"), ("/proc/x", "No such file")):
        arguments = ["--root", str(project.root), "--out", str(project.root / out)]
        assert build.main(arguments) == 1
        said = one_line(capsys)
        assert said.startswith("make book: ") and trouble in said and "the same command goes on" in said


@pytest.mark.parametrize("name", ["html", "stage", "executed"])
def test_a_folder_of_somebody_is_not_replaced(project, capsys, name):
    out = project.root / "mine"
    (out / name).mkdir(parents=True)
    (out / name / "thesis.txt").touch()
    assert build.main(["--root", str(project.root), "--out", str(out)]) == 1
    assert f"holds {name}, which no build has made" in capsys.readouterr().err
    assert [path.name for path in out.rglob("*")] == [name, "thesis.txt"]


def test_a_build_does_not_go_among_the_sources(project, capsys):
    assert build.main(["--root", str(project.root), "--out", str(project.root / "book" / "out")]) == 1
    assert "lies in book/" in capsys.readouterr().err
    assert not (project.root / "book" / "out").exists()


def test_clean_knows_all_that_is_made():
    (built,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("BUILT := ")]
    assert set(place.MADE) <= set(built.split())


def test_a_full_disk_costs_no_chapter_that_ran(project, monkeypatch, capsys):
    write, written = run_all.files.write, []

    def once(path, content):
        if written:
            raise OSError(28, "No space left on device", str(path))
        written.append(path.stem)
        write(path, content)

    for name in ("first", "second"):
        add_to(project.root / "notebooks" / f"{name}.md", "1 + 1")
    monkeypatch.setattr(run_all.files, "write", once)
    assert build_now(project) == 1
    assert "No space left on device; the chapters that ran" in one_line(capsys)
    monkeypatch.setattr(run_all.files, "write", write)
    assert tiny.ran(project) == {"first", "second"} - set(written)


def test_an_executed_notebook_that_is_empty_is_made_again(project):
    (project.executed / "first.ipynb").write_bytes(b"")
    assert tiny.ran(project) == {"first"}


def test_what_editors_leave_changes_nothing(project, capsys):
    (project.root / "results" / "one").mkdir(parents=True)
    assert build_now(project) == 0
    capsys.readouterr()
    for folder in ("notebooks", "book", "physnn", "results/one"):
        (project.root / folder / ".#first.md").symlink_to("somebody@here.123")
        (project.root / folder / ".~lock.first.md#").touch()
        (project.root / folder / "first.md~").touch()
        (project.root / folder / "#first.md#").touch()
        (project.root / folder / ".ipynb_checkpoints").mkdir()
        (project.root / folder / ".ipynb_checkpoints" / "first.md").touch()
    assert build_now(project) == 0
    said = capsys.readouterr().out
    assert "executing" not in said and "building" not in said
    assert not [*project.stage.rglob(".*"), *project.stage.rglob("*~"), *project.stage.rglob("#*")]


def test_a_source_that_is_no_notebook_is_named(project, capsys):
    (project.root / "notebooks" / "second.md").write_text("# No header\n")
    assert build_now(project) == 1
    assert "second.md does not begin with the header of a notebook" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("profiles", "said"),
    [
        ("test:\n  first: {steps: 1}\n  first: {steps: 2}\n", "line 3: .*'first' is given twice"),
        ("test: [\n", "line 2"),
    ],
)
def test_a_profile_that_can_be_read_in_two_ways_is_refused(project, profiles, said):
    (project.root / "notebooks" / "profiles.yml").write_text(profiles)
    with pytest.raises(BookError, match=said):
        parameters.chosen(project, "test")


@pytest.mark.parametrize("name", ["_config.yml", "_toc.yml"])
def test_a_setting_that_stands_twice_is_refused(project, name, capsys):
    text = (project.root / name).read_text()
    (project.root / name).write_text(text + text.splitlines()[0] + "\n")
    assert build_now(project) == 1
    assert f"{name}, line {len(text.splitlines()) + 1}: the key" in capsys.readouterr().err


def test_another_physnn_beside_the_notebooks_is_refused(project, capsys):
    (project.root / "notebooks" / "physnn.py").touch()
    add_to(project.root / "notebooks" / "first.md", "1 + 1")
    assert build_now(project) == 1
    assert "notebooks/physnn.py would be imported in place of" in capsys.readouterr().err


def test_a_zip_that_does_not_fit_leaves_the_one_of_before(tmp_path, monkeypatch):
    target = tmp_path / "book.zip"
    bundle.write(target, {"a": b"old"})
    before = target.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle.zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="No space"):
        bundle.write(target, {"a": b"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["book.zip"]
    assert target.read_bytes() == before


def test_a_number_of_science_is_a_number(project):
    (project.root / "notebooks" / "profiles.yml").write_text("test:\n  first: {steps: 1e-3}\n")
    assert parameters.chosen(project, "test")["first"] == {"steps": 0.001}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interruption_is_a_line_and_ends_sphinx(project, number):
    (project.root / "book" / "intro.md").write_text("# Changed\n")
    builder = started(project)
    wait_for(lambda: list(project.out.glob(".site-*")) and psutil.Process(builder.pid).children(), "Sphinx")
    (sphinx,) = psutil.Process(builder.pid).children()
    builder.send_signal(number)
    complained = builder.communicate(timeout=30)[1]
    assert builder.returncode == 130
    assert complained.strip().startswith("make book: interrupted; the chapters that ran")
    assert complained.count("\n") == 2  # one of them behind the terminal's ^C
    assert not sphinx.is_running()
    assert (project.html / "index.html").exists()


def test_a_build_that_is_killed_at_any_moment_loses_nothing_and_does_nothing_twice(project, tmp_path):
    """Some of the moments: a chapter that has its result does not run again, and what is there is whole."""
    random, log = Random(16), tmp_path / "log"
    counts = f"import pathlib\nwith pathlib.Path({str(log)!r}).open('a') as log:\n    print({{!r}}, file=log)"
    for name in ("first", "second"):
        add_to(project.root / "notebooks" / f"{name}.md", counts.format(name))
    log.touch()

    def finished() -> set[str]:
        digests = {source.stem: fingerprint.notebook(project, source, {}) for source in project.sources}
        return {name for name, digest in digests.items() if recorded(project, name) == digest}

    for moment in range(10):
        if moment == 5:
            add_to(project.root / "notebooks" / "second.md", "'changed'")
        had, runs = finished(), log.read_text().split()
        builder = started(project)
        time.sleep(random.uniform(0.5, 4))
        builder.send_signal(random.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM]))
        builder.communicate(timeout=30)
        assert not set(log.read_text().split()[len(runs) :]) & had
        assert finished() >= had
        assert (project.html / "index.html").exists() == (project.html / build.MARK).exists()

    had, runs = finished(), log.read_text().split()
    assert build_now(project) == 0
    assert not set(log.read_text().split()[len(runs) :]) & had
    assert finished() == {"first", "second"}
    assert sorted(path.name for path in project.executed.iterdir()) == ["first.ipynb", "second.ipynb"]
    left = {path.name for path in project.out.iterdir()}
    assert left <= {".lock", *place.MADE}
    assert "changed" in (project.html / "notebooks" / "second.html").read_text()


def recorded(project, name: str) -> str | None:
    path = project.executed / f"{name}.ipynb"
    return nbformat.read(path, as_version=4).metadata.physnn.fingerprint if path.exists() else None
