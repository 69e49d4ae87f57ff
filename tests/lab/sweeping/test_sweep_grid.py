"""The points of a sweep: how values are read, crossed, drawn, checked and named."""

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from physnn.lab.running import closure
from physnn.lab.sweeping import cli
from physnn.lab.sweeping.grid import points
from physnn.lab.sweeping.notebook import SweepError, load, made_from
from physnn.lab.sweeping.store import Folder
from tests.lab.sweeping.sweeps import BODY, make_notebook

ROOT = Path(__file__).resolve().parents[3]
CELL = """\
lr: float = 0.1          # learning rate, in (0, 100]
seed: int = 0            # names a run, in [0, 1000]
data: str = "mnist"      # the images, in {mnist, digits, 1:2}
quick: bool = False      # whether to skip the slow part, in {True, False}
widths: list[int] = [8]  # hidden sizes, in [1, inf)
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    return load(make_notebook(tmp_path_factory.mktemp("notebook"), CELL))


def values(notebook, name, given):
    return [point.given[name] for point in points(notebook, "package", {name: given})]


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("lr", "1e-3,1", [0.001, 1.0]),
        ("lr", "0.1:0.5:0.1", [0.1, 0.2, 0.3, 0.4]),
        ("lr", " 1:3 ,7", [1.0, 2.0, 7.0]),
        ("lr", [1, np.float32(2)], [1.0, 2.0]),
        ("lr", 3, [3.0]),
        ("seed", "0:5", [0, 1, 2, 3, 4]),
        ("seed", "0:10:4", [0, 4, 8]),
        ("seed", "3:0:-1", [3, 2, 1]),
        ("seed", range(2), [0, 1]),
        ("seed", ["1", "2"], [1, 2]),
        ("seed", "1,1,01", [1]),
        ("data", "digits,1:2", ["digits", "1:2"]),
        ("quick", "true,False", [True, False]),
        ("widths", "[8,4],[16]", [[8, 4], [16]]),
        ("widths", [["8", "4"], (16,)], [[8, 4], [16]]),
    ],
)
def test_values_are_read_by_their_declared_type(notebook, name, given, read):
    found = values(notebook, name, given)
    assert found == read
    assert [type(value) for value in found] == [type(value) for value in read]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("lr", "0", r"lr = 0.0 is not in \(0, 100\]"),
        ("lr", "nan", "lr = nan is not in"),
        ("lr", "fast", "lr: 'fast' is not a float; expected a number .* 1e-3, in .* \\(learning rate\\)"),
        ("lr", "", "lr has no values"),
        ("seed", [], "seed has no values"),
        ("seed", "0:0", "the range 0:0 is empty"),
        ("seed", "0:5:0", "the range 0:5:0 is empty"),
        ("seed", "0:1:0.5", "the range 0:1:0.5: '0.5' is not a int"),
        ("seed", "1.0", "seed: '1.0' is not a int"),
        ("quick", "yes", "quick: 'yes' is not a bool"),
        ("widths", "8", r"widths: '8' is not a list\[int\]; expected one in brackets"),
        ("widths", "[8,0]", r"widths = \[8, 0\] is not in"),
        ("rate", "1", "unknown parameter 'rate'; this notebook has lr, seed"),
        ("lr", "log(0,1)", "log\\(0,1\\): expected"),
        ("lr", "uniform(1,1)", "uniform\\(1,1\\): expected"),
        ("lr", "integers(1,2)", "integers\\(1,2\\): expected .*; lr is float"),
        ("lr", "choice()", "choice\\(\\): expected"),
        ("lr", "choice(1,-1)", "lr = -1.0 is not in"),
        ("lr", "log(1,2)", "lr: a distribution needs a number of draws; add --trials N"),
    ],
)
def test_a_wrong_value_is_said(notebook, name, given, said):
    with pytest.raises(SweepError, match=said):
        points(notebook, "package", {name: given})


def test_everything_wrong_is_said_at_once(notebook):
    grid = {"lr": "0,-1,2", "seed": "x,-5", "sed": 1}
    with pytest.raises(SweepError) as caught:
        points(notebook, "package", grid)
    said = str(caught.value)
    assert len(said.splitlines()) == 5
    assert "did you mean seed?" in said


def test_lists_are_crossed_in_the_grid_s_order(notebook):
    found = points(notebook, "package", {"seed": "0,1", "lr": "1,2"})
    assert [tuple(point.given.items()) for point in found] == [
        (("seed", seed), ("lr", lr)) for seed in (0, 1) for lr in (1.0, 2.0)
    ]
    assert found[0].parameters == {"lr": 1.0, "seed": 0, "data": "mnist", "quick": False, "widths": [8]}
    assert [point.given for point in points(notebook, "package", {})] == [{}]


def test_draws_are_joint_reproducible_and_only_added_to(notebook):
    grid = {"lr": "log(1e-3,1)", "data": "mnist,digits", "seed": "integers(0,4)"}

    def drawn(trials, **more):
        found = [point.given for point in points(notebook, "package", grid | more, trials, seed=3)]
        assert found[::2] == [given | {"data": "mnist"} for given in found[1::2]]  # every draw with both lists
        return [(given["lr"], given["seed"]) for given in found[::2]]

    pairs = drawn(300)
    assert drawn(5) == pairs[:5]
    assert [lr for lr, _ in drawn(5, seed="choice(7,9)")] == [lr for lr, _ in pairs[:5]]
    assert {seed for _, seed in pairs} == {0, 1, 2, 3}
    assert all(1e-3 <= lr <= 1 and lr == float(f"{lr:.6g}") for lr, _ in pairs)
    below = sum(math.log10(lr) < -1.5 for lr, _ in pairs)
    assert 110 < below < 190  # half of them below the middle of the logarithm, within four standard deviations
    other = [point.given["lr"] for point in points(notebook, "package", {"lr": "log(1e-3,1)"}, 5, seed=4)]
    assert not set(other) & {lr for lr, _ in pairs}
    with pytest.raises(SweepError, match="trials must be a whole number, at least 1, got 0"):
        points(notebook, "package", grid, 0)
    with pytest.raises(SweepError, match="trials = 2, but no parameter has a distribution"):
        points(notebook, "package", {"lr": "1"}, 2)
    with pytest.raises(SweepError, match=r"lr = \d+.* is not in \(0, 100\]"):
        points(notebook, "package", {"lr": "uniform(200,300)"}, 2)


def test_a_name_is_that_of_code_package_and_parameters(tmp_path):
    def name(path, package="package", **grid):
        (point,) = points(load(path), package, grid)
        return point.name

    path = make_notebook(tmp_path, CELL)
    same = name(path, lr=[0.1])
    assert name(path) == name(path, seed="0") == same  # defaults, named or not
    seen = {same, name(path, lr=[0.2]), name(path, package="other"), name(path, widths=[[8, 8]])}
    seen.add(name(make_notebook(tmp_path / "body", CELL, f"{BODY}\n1 + 1")))
    seen.add(name(make_notebook(tmp_path / "cell", CELL.replace("learning rate", "step"))))
    assert len(seen) == 6

    ran = nbformat.read(path, as_version=4)
    ran.cells[0].source = "# Another title"
    ran.cells[3].outputs = [nbformat.v4.new_output("stream", text="printed")]
    injected = nbformat.v4.new_code_cell("# Parameters\nlr = 5.0", metadata={"tags": ["injected-parameters"]})
    ran.cells.insert(3, injected)
    nbformat.write(ran, path)
    assert name(path) == same
    assert "printed" not in load(path).text


def test_a_module_that_a_parameter_may_name_counts(tmp_path, monkeypatch):
    """A task is chosen by name: by a default, or by another value in the parameter's range."""
    told = []
    of_cells = closure.of_cells
    monkeypatch.setattr(closure, "of_cells", lambda *given: told.append(given) or of_cells(*given))
    path = make_notebook(tmp_path, 'task: str = "images"  # what is learned, in {images, graphs}\n')
    made_from(load(path).text, tmp_path)
    ((_, folder, names),) = told
    assert folder == tmp_path
    assert {"images", "graphs"} <= set(names)


def test_a_chapter_and_its_source_have_the_same_points(tmp_path):
    shutil.copy(ROOT / "notebooks" / "as-printed.md", tmp_path / "source.md")
    chapter, source = load(ROOT / "notebooks" / "as-printed.ipynb"), load(tmp_path / "source.md")
    assert (chapter.digest, chapter.contract) == (source.digest, source.contract)
    assert "temperature" in chapter.contract


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read the notebook"),
        ("{", "is not a notebook"),
        ('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "has 0 code cells tagged 'parameters'"),
        (CELL.replace("# learning rate, in (0, 100]", ""), "expected  name: type = literal  # meaning"),
        ("lr: float =", "invalid syntax"),
    ],
)
def test_a_notebook_that_cannot_be_swept_is_said(tmp_path, content, said):
    path = tmp_path / "bad.ipynb"
    if content and not content.startswith("{"):
        make_notebook(tmp_path, content, name="bad.ipynb")
    elif content:
        path.write_text(content)
    with pytest.raises(SweepError, match=f"bad.ipynb.*{said}|{said}.*bad.ipynb"):
        load(path)


def test_a_grid_file_is_read_by_the_declared_types(tmp_path, capsys):
    notebook = make_notebook(tmp_path, CELL)
    grid = tmp_path / "grid.yml"
    grid.write_text("lr: [1e-3, 1]\nseed: 1:3\nwidths: [[8, 4], [2]]\nquick: yes\n")
    command = ["sweep", str(notebook), "--file", str(grid), "--out", str(tmp_path / "out"), "--dry-run"]
    assert cli.main(command) == 2
    assert "quick: 'yes' is not a bool" in capsys.readouterr().err
    grid.write_text(grid.read_text().replace("yes", "true"))
    assert cli.main([*command, "--grid", "data=digits"]) == 0
    shown = capsys.readouterr().out
    assert "  lr=0.001 seed=1 widths=[8, 4]\n" in shown
    assert "every point has quick=True data=digits\n" in shown
    assert "8 points of tiny.ipynb" in shown
    assert cli.main([*command, "--grid", "lr=1"]) == 2
    assert "lr is given twice" in capsys.readouterr().err
    assert cli.main([*command, "--grid", "lr"]) == 2
    assert "expected NAME=VALUES" in capsys.readouterr().err
    grid.write_text("- lr\n")
    assert cli.main(command) == 2
    assert "expected a mapping" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--retries", "-1"], ["--timeout", "0"], ["--timeout", "nan"], ["--threads", "0"]])
def test_an_option_out_of_range_is_said(tmp_path, capsys, options):
    command = ["sweep", str(make_notebook(tmp_path, CELL)), "--out", str(tmp_path / "out"), *options]
    assert cli.main(command) == 2
    assert "expected retries from 0, a timeout above 0 s" in capsys.readouterr().err


def test_a_row_is_whole_or_not_there(tmp_path):
    folder = Folder(tmp_path)
    row = {"point": "abc", "started": "2026", "values": {"energy": float("nan"), "text": "φ ± 1"}}
    folder.keep(row, b"notebook", "log")
    assert str(folder.row("abc")) == str(row)  # as text: NaN is not equal to itself
    assert [each["point"] for each in folder.rows()] == ["abc"]
    path = folder.file("abc", ".json")
    whole = path.read_bytes()
    shutil.copy(path, folder.file("other", ".json"))
    folder.file("other", ".ipynb").touch()
    assert folder.row("other") is None  # a row under another name
    for size in range(len(whole) - 1):
        path.write_bytes(whole[:size])
        assert folder.row("abc") is None
    for damaged in (b"[]", b"{}", b'{"checksum": 1}', whole.replace(b"2026", b"2027")):
        path.write_bytes(damaged)
        assert folder.row("abc") is None


def test_what_is_not_installed_is_said_with_the_command(tmp_path):
    """Without site-packages there is nothing but Python."""
    code = f"import sys; sys.path.append({str(ROOT)!r}); from physnn.lab.sweeping.cli import main; sys.exit(main())"
    command = [sys.executable, "-I", "-S", "-c", code, "sweep", "chapter.ipynb", "--out", tmp_path]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}, check=False)
    assert result.returncode == 2
    assert "physnn sweep needs distributed, " in result.stderr
    assert 'pip install "physnn[sweep] @ git+https://github.com/physnn/physnn"' in result.stderr
