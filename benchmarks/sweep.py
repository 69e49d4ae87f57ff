"""A sweep of a notebook that computes nothing, against running it with papermill again and again."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat

from benchmarks.harness import Bench, Row

POINTS, WORKERS = 100, 2
FEW, SOME, BARE = 4, 20, 4  # points and runs that are timed; 100 points would take two minutes
CELLS = (
    ("from physnn.lab import glue, parameters", []),
    ("x: int = 0  # a number, in [0, 1000]", ["parameters"]),
    ("with parameters() as p:\n    glue('x', p.x)", []),
)


def rows(bench: Bench) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        notebook = folder / "nothing.ipynb"
        cells = [nbformat.v4.new_code_cell(source, metadata={"tags": tags}) for source, tags in CELLS]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), notebook)
        bare = papermill(notebook, folder)
        few, some = sweep(notebook, FEW), sweep(notebook, SOME)
        again = sweep(notebook, SOME)
        bare = min(bare, papermill(notebook, folder))  # on both sides, in case the machine was busy on one
    each = (some - few) / (SOME - FEW)
    whole = few + (POINTS - FEW) * each
    start = few - FEW * each
    note = (
        f"a bare run {bare:.2f} s, a point {WORKERS * each - bare:+.2f} s more on a worker that shares the machine; "
        f"start and end {start:.1f} s; scaled from {SOME} points"
    )
    title = f"sweep: {POINTS} points, {WORKERS} workers"
    yield Row(title, "papermill, 1 by 1", whole / (POINTS * bare), must="<= 1", aim="0.6", note=note)
    yield Row(f"sweep: {SOME} points that are done", "seconds", again, must="<= 2", unit="s", note="the whole command")


def papermill(notebook: Path, folder: Path) -> float:
    """Run the notebook with papermill's own command, one run after the other; return the seconds of one."""
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", notebook, folder / "bare.ipynb", "-p", "x"]
    start = time.perf_counter()
    for x in range(BARE):
        subprocess.run([*map(str, command), str(x)], check=True, capture_output=True)
    return (time.perf_counter() - start) / BARE


def sweep(notebook: Path, points: int) -> float:
    """Run a sweep in a folder of its own for every number of points; return its seconds."""
    out = notebook.parent / f"out-{points}"
    command = [
        sys.executable,
        "-m",
        "physnn.lab.sweeping.cli",
        "sweep",
        notebook,
        "--grid",
        f"x=0:{points}",
        "--out",
        out,
    ]
    start = time.perf_counter()
    subprocess.run([*map(str, command), "--workers", str(WORKERS)], check=True, capture_output=True)
    return time.perf_counter() - start
