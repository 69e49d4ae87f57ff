"""What surrounds a sweep stays outside: the home, odd paths, byte-order marks, the cores that may be used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pandas as pd
import pytest

from physnn.lab.sweeping import cli
from physnn.lab.sweeping.notebook import SweepError, load
from tests.lab.sweeping.quick import in_threads
from tests.lab.sweeping.sweeps import BODY, make_notebook

MODULE = [sys.executable, "-m", "physnn.lab.sweeping.cli", "sweep"]
BODY_WITH_PLACES = f"""\
{BODY}
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()
glue("data", os.environ["PHYSNN_DATA"])
"""
MARK = "\ufeff"


def source(folder: Path, name: str, body: str = BODY) -> Path:
    """Write the notebook as an .md with a byte-order mark."""
    notebook = nbformat.read(make_notebook(folder, body=body, name=f"{name}.ipynb"), as_version=4)
    (folder / f"{name}.ipynb").unlink()
    path = folder / f"{name}.md"
    path.write_text(MARK + jupytext.writes(notebook, fmt="md:myst"), encoding="utf-8")
    return path


@pytest.mark.parametrize("home", ["/dev/null", None])
def test_odd_paths_and_no_home_are_no_trouble(tmp_path, home):
    """Spaces, braces, dots, per cent and letters; the paths are relative, and the notebook begins with a mark."""
    odd = "a {x} 50%.y {0} üß"
    for name in ("temporary", "data", "notebooks"):
        (tmp_path / f"{name} {odd}").mkdir()
    notebook = source(tmp_path / f"notebooks {odd}", f"ti.ny {odd}", BODY_WITH_PLACES)
    environment = {name: value for name, value in os.environ.items() if name != "HOME" and "XDG" not in name}
    environment |= {"TMPDIR": str(tmp_path / f"temporary {odd}"), "PHYSNN_DATA": f"data {odd}"}
    environment |= {"HOME": home} if home else {}
    command = [*MODULE, notebook.relative_to(tmp_path), "--grid", "seed=1", "--out", f"out {odd}", "--workers", "1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    (table,) = tmp_path.glob("out*/table.csv")
    assert list(pd.read_csv(table).data) == [str(tmp_path / f"data {odd}")]
    (executed,) = table.parent.glob("points/*.ipynb")
    assert "image/" in executed.read_text(encoding="utf-8")
    assert not list((tmp_path / f"temporary {odd}").rglob("*.ipynb"))


def test_what_begins_with_a_byte_order_mark_is_read(tmp_path, capsys):
    marked = make_notebook(tmp_path, name="marked.ipynb")
    for path in (marked, source(tmp_path, "source")):
        text = path.read_text(encoding="utf-8").removeprefix(MARK)
        path.write_text(text, encoding="utf-8")
        plain = load(path)
        path.write_text(MARK + text, encoding="utf-8")
        assert (load(path).digest, load(path).contract) == (plain.digest, plain.contract)
    grid = tmp_path / "grid.yml"
    grid.write_text(f"{MARK}seed: 0:3\n", encoding="utf-8")
    command = ["sweep", str(marked), "--file", str(grid), "--out", str(tmp_path / "out"), "--dry-run"]
    assert cli.main(command) == 0
    assert "3 points of marked.ipynb" in capsys.readouterr().out


def test_a_grid_file_with_a_name_twice_is_refused(tmp_path, capsys):
    grid = tmp_path / "grid.yml"
    grid.write_text("seed: 1\nquartic: 2\nseed: 3\n")
    command = ["sweep", str(make_notebook(tmp_path)), "--file", str(grid), "--out", str(tmp_path / "out"), "--dry-run"]
    assert cli.main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{grid}, line 3: " in line
    assert "seed" in line
    assert "given twice" in line


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bad.ipynb", "[]"),
        ("bad.ipynb", "null"),
        ("bad.ipynb", '{"cells": 3}'),
        ("bad.ipynb", '{"nbformat": 9, "cells": []}'),
        ("bad.md", "---\nkernelspec: [\n---\n# A title\n"),
    ],
)
def test_a_malformed_notebook_is_said(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(SweepError, match=rf"{name} is not a notebook \("):
        load(tmp_path / name)


def test_the_estimate_counts_the_cores_that_may_be_used(tmp_path, monkeypatch):
    in_threads(monkeypatch)
    command = [str(make_notebook(tmp_path)), "--out", str(tmp_path / "out")]
    assert cli.main(["sweep", *command, "--grid", "seed=0"]) == 0
    code = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from physnn.lab.sweeping.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    more = ["--grid", "seed=0:9", "--dry-run"]
    done = subprocess.run([sys.executable, "-c", code, "sweep", *command, *more], capture_output=True, text=True)
    assert "on 1 worker (" in done.stdout, done.stderr


def test_the_row_says_with_what_it_was_made(tmp_path, monkeypatch):
    """In the driver's words for what it decides, in the worker's for what it has."""
    in_threads(monkeypatch)
    assert cli.main(["sweep", str(make_notebook(tmp_path)), "--out", str(tmp_path / "out"), "--threads", "3"]) == 0
    (row,) = [json.loads(path.read_text()) for path in (tmp_path / "out" / "points").glob("*.json")]
    assert (row["threads"], row["torch"], row["python"]) == (3, "2.0", "3.11")
