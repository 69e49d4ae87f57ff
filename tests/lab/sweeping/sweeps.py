"""What the tests of sweeps share: a small notebook that counts its own runs, and the command line on it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import nbformat
import psutil

from tests.lab.running.clusters import PATIENCE

PARAMETERS = """\
quartic: float = -5.0  # a coefficient, in [-10, 10]
seed: int = 0          # names a run, in [0, 1000]
name: str = "plain"    # a text, in {plain, <b>bold</b>}
"""
# Files beside the notebook steer it: its working directory is its folder. Every run leaves a line when it begins and
# one when it ends, by appending, so that runs in several processes are counted right.
BODY = """\
import os, time
from pathlib import Path

with parameters() as p:
    quartic, seed, name = p.quartic, p.seed, p.name
def note(what):
    with open("runs.txt", "a") as file:
        file.write(f"{what} {quartic:g} {seed}\\n")
note("begin")
print("seed", seed, "with", os.environ["OMP_NUM_THREADS"], "thread")
while Path(f"hold-{seed}").exists():
    time.sleep(0.05)
if Path(f"kill-{seed}").exists():
    import psutil
    psutil.Process().parent().parent().kill()  # the worker, as the system does when memory runs out
    time.sleep(60)
if Path(f"once-{seed}").exists():
    Path(f"once-{seed}").unlink()
    raise RuntimeError("only once")
if Path(f"fail-{seed}").exists():
    raise ValueError(f"told to fail, seed {seed}")
glue("energy", quartic * seed)
glue("seed", f"seed {seed}")
glue("name-of-it", name)
glue("not-finite", float("nan"))
note("end")
"""


def make_notebook(folder: Path, parameters: str = PARAMETERS, body: str = BODY, name: str = "tiny.ipynb") -> Path:
    """Write the notebook into ``folder``."""
    new = nbformat.v4
    cells = [
        new.new_markdown_cell("# A tiny notebook"),
        new.new_code_cell("from physnn.lab import glue, parameters"),
        new.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        new.new_code_cell(body),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(new.new_notebook(cells=cells), folder / name)
    return folder / name


def start(notebook: Path, *options: object, start_new_session: bool = False) -> subprocess.Popen[str]:
    """Start ``physnn sweep`` on the notebook, with its standard output and error in one pipe."""
    command = [sys.executable, "-m", "physnn.lab.sweeping.cli", "sweep", str(notebook), *map(str, options)]
    return subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=start_new_session
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a process; return its status and what it printed."""
    printed, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, printed


def sweep(notebook: Path, *options: object) -> tuple[int, str]:
    """Run ``physnn sweep`` to its end."""
    return finish(start(notebook, *options))


def runs(notebook: Path, what: str = "end") -> Counter[str]:
    """Count how often each point began or ended, by ``"quartic seed"``."""
    path = notebook.parent / "runs.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return Counter(line.removeprefix(f"{what} ") for line in lines if line.startswith(what))


def at_work_in(folder: Path) -> list[psutil.Process]:
    """Return the processes, kernels above all, whose working directory is ``folder``."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found
