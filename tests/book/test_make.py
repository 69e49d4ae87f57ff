"""What make does with what it is told, with environments, and with what lies in _build; nothing is downloaded."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from book.tools import preflight, serve
from tests.book import colab
from tests.lab.running.clusters import wait_for

ROOT = Path(__file__).resolve().parents[2]
# Takes the place of a Python that sets up environments, and of the one inside.
PYTHON = """#!/bin/sh
case "$*" in
  *book.tools.preflight*--in-place*|*book.tools.turn*) exec {python} "$@" ;;
  "-m venv "*) echo begun >> {log}; sleep 1; mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  *"-e .") printf '#!%s/python\\n' "$(dirname "$0")" > "$(dirname "$0")/physnn"; echo installed >> {log} ;;
esac
"""


# As from a shell, also where `make test` has started the tests.
SHELL = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}


def make(*arguments: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess:
    clean = SHELL | variables
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "said",
    [
        "AGAIN=1",
        "AGAIN=true",
        "AGAIN=YES",
        "RECORD=1",
        "PARTS=1",
        "HAVE_UV=true",
        "DATE=digits",
        "again=yes",
        "VENV=a b",
    ],
)
def test_what_make_does_not_understand_is_refused(said):
    result = make("-n", "clean", said)
    assert result.returncode == 2
    assert result.stdout == ""
    assert said in result.stderr and result.stderr.count("\n") == 1


def test_what_stands_in_the_environment_is_understood_in_the_same_way():
    assert "AGAIN=1 can be AGAIN=yes or AGAIN=no" in make("-n", "clean", AGAIN="1").stderr


@pytest.mark.parametrize("said", ["AGAIN=yes", "AGAIN=no", "AGAIN=", "OMP_NUM_THREADS=2", "PORT=8001", "-j2"])
def test_what_make_understands_is_taken(said):
    assert make("-n", "clean", said).returncode == 0


def test_somebody_s_own_notebook_is_not_looked_at(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "notebooks").mkdir()
    for name in ("a.md", "a.ipynb", "b.md", "my-experiment.ipynb", ".#c.md"):
        (tmp_path / "notebooks" / name).touch()
    planned = make("-n", "-o", ".venv/.done", "lint-style", folder=tmp_path).stdout.split()
    assert [word for word in planned if word.startswith("notebooks")] == ["notebooks/a.ipynb"]


def test_a_seed_is_a_number(setting_up):
    command, _, _ = setting_up
    assert make(*command).returncode == 0
    assert "SEED=one can be a whole number" in make("test-results", "SEED=one", *command[1:]).stderr


def test_clean_leaves_what_it_cannot_make_again_in_minutes(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    made = [
        "executed/a.ipynb",
        "stage/a",
        "html/index.html",
        ".site-x/a",
        "physnn-book.zip",
        "values/executed/a.ipynb",
        "matplotlib/fontlist.json",
    ]
    kept = ["out.ipynb", "bench.json", "mine/a", "studies/a.csv", "results/loss/a.csv"]
    for folder in ("physnn", "tests", "book", "benchmarks"):
        (tmp_path / folder / "__pycache__").mkdir(parents=True)
    for name in [*made, *kept]:
        (tmp_path / "_build" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "_build" / name).touch()

    def left() -> set[str]:
        files = (path for path in (tmp_path / "_build").rglob("*") if path.is_file())
        return {path.relative_to(tmp_path / "_build").as_posix() for path in files}

    assert make("clean", folder=tmp_path).returncode == 0
    assert left() == set(kept)
    assert make("clean", "PARTS=yes", folder=tmp_path).returncode == 0
    assert left() == set(kept[:3])


@pytest.fixture
def setting_up(tmp_path):
    """Return the command that sets up an environment, with its variables, and the log of what was done."""
    python, log = tmp_path / "python", tmp_path / "log"
    python.write_text(PYTHON.format(python=sys.executable, log=log))
    python.chmod(0o755)
    log.touch()
    venv = tmp_path / "venv"
    return [f"{venv}/.done", f"VENV={venv}", f"PYTHON={python}", "HAVE_UV=no"], venv, log


def test_two_at_once_set_an_environment_up_once(setting_up):
    command, venv, log = setting_up
    first = subprocess.Popen(["make", *command], cwd=ROOT, env=SHELL, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: "begun" in log.read_text(), "the set-up")
    second = make(*command)
    assert first.communicate()[0].count("setting up") == 1
    assert first.returncode == second.returncode == 0
    assert f"waiting for another set-up of {venv}" in second.stdout
    assert "setting up" not in second.stdout
    assert log.read_text() == "begun\ninstalled\n"
    assert sorted(path.name for path in venv.iterdir()) == [".done", "bin"]


def test_after_an_interruption_the_one_that_waits_begins_from_nothing(setting_up):
    command, venv, log = setting_up
    quiet = {"stdout": subprocess.DEVNULL, "start_new_session": True}
    first = subprocess.Popen(["make", *command], cwd=ROOT, env=SHELL, **quiet)
    wait_for(lambda: "begun" in log.read_text(), "the set-up")
    (venv / "half").touch()
    second = subprocess.Popen(["make", *command], cwd=ROOT, env=SHELL, stdout=subprocess.PIPE, text=True)
    assert "waiting for another" in second.stdout.readline()
    os.killpg(first.pid, signal.SIGINT)
    assert first.wait() != 0
    assert "setting up" in second.communicate()[0]
    assert second.returncode == 0
    assert not (venv / "half").exists()
    assert (venv / ".done").exists()


def test_an_environment_that_was_copied_or_lost_its_python_is_not_used(setting_up, tmp_path):
    command, venv, _ = setting_up
    assert make(*command).returncode == make(*command).returncode == 0
    copy = tmp_path / "copy"
    shutil.copytree(venv, copy, symlinks=True)
    elsewhere = [part.replace(str(venv), str(copy)) for part in command]
    refused = make(*elsewhere)
    assert refused.returncode == 2
    assert f"{copy} was set up as {venv} and copied or moved" in refused.stderr
    (copy / "bin" / "python").unlink()
    assert f"the Python that {copy} was made with is gone" in make(*elsewhere).stderr


@pytest.mark.parametrize(
    "program",
    ["#!{}/bin/python\nimport sys\n", "#!/bin/sh\n'''exec' \"{}/bin/python3.11\" \"$0\" \"$@\"\n' '''\n"],
    ids=["short", "long"],
)
def test_an_environment_knows_its_place_by_its_programs(tmp_path, program):
    venv, link = tmp_path / "a venv", tmp_path / "link"
    assert preflight.made_for(str(venv)) is None
    (venv / "bin").mkdir(parents=True)
    link.symlink_to(venv)
    for place, told in ((venv, None), (link, None), (tmp_path / "other", str(tmp_path / "other"))):
        (venv / "bin" / "physnn").write_text(program.format(place))
        assert preflight.made_for(str(venv)) == told
    assert preflight.main(["--venv", str(venv), "--in-place"]) == 1


def test_a_busy_port_is_named_with_what_to_do(tmp_path, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert serve.main(["--port", str(port), "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"port {port} is in use; take another: make serve PORT=8001\n"


def test_the_book_is_served_until_it_is_interrupted(tmp_path):
    (tmp_path / "index.html").write_text("the book")
    command = [sys.executable, "-m", "book.tools.serve", "--port", "0", "--folder", tmp_path]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = server.stdout.readline().split()[4]
    with urllib.request.urlopen(address) as page:
        assert page.read() == b"the book"
    server.send_signal(signal.SIGINT)
    assert server.communicate(timeout=10) == ("\n", "")
    assert server.returncode == 0


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no repository")
def test_a_clone_that_wants_the_line_endings_of_windows_has_the_same_bytes(tmp_path):
    snapshot = colab.snapshot(tmp_path / "snapshot")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", snapshot, clone], check=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=clone, capture_output=True, text=True, check=True).stdout
    names = listed.split("\0")[:-1]
    assert len(names) > 300
    assert [name for name in names if (clone / name).read_bytes() != (snapshot / name).read_bytes()] == []
