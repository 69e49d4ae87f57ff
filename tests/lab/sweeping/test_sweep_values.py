"""Nothing of a grid is silently taken for something else: texts, Python values, ranges, draws and counts."""

import itertools
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from physnn.lab.sweeping import cli
from physnn.lab.sweeping.draws import Distribution
from physnn.lab.sweeping.grid import points, repeats
from physnn.lab.sweeping.notebook import SweepError, load
from tests.lab.sweeping.sweeps import make_notebook

CELL = """\
lr: float = 0.1          # learning rate, in [-1e9, 1e9]
seed: int = 0            # names a run, in [0, 1e30]
data: str = "mnist"      # the images, in {mnist, digits, a=b}
quick: bool = False      # whether to skip the slow part, in {True, False}
widths: list[int] = [8]  # hidden sizes, in [1, inf)
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    return load(make_notebook(tmp_path_factory.mktemp("notebook"), CELL))


def values(notebook, name, given, trials=None):
    return [point.given[name] for point in points(notebook, "package", {name: given}, trials)]


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("seed", "0:1", [0]),
        ("seed", "1e3", [1000]),
        ("seed", "0:1e1:5", [0, 5]),
        ("seed", "9007199254740993:9007199254740995", [9007199254740993, 9007199254740994]),  # no floats
        ("seed", "99999999999999999999999999999:100000000000000000000000000001", [10**29 - 1, 10**29]),
        ("lr", "0.1:0.2:0.1", [0.1]),
        ("lr", "-0", [0.0]),
        ("data", "a=b", ["a=b"]),
        ("seed", np.arange(2), [0, 1]),
        ("seed", np.array(3), [3]),
        ("seed", torch.tensor([1, 2]), [1, 2]),
        ("lr", torch.tensor(0.5, requires_grad=True), [0.5]),
        ("lr", [torch.tensor(0.5), np.float32(0.25)], [0.5, 0.25]),
        ("lr", pd.Series([1, 2.5]), [1.0, 2.5]),
        ("lr", (i / 2 for i in range(1, 3)), [0.5, 1.0]),
        ("quick", [np.bool_(True)], [True]),
        ("widths", np.array([[8, 4], [2, 1]]), [[8, 4], [2, 1]]),
        ("widths", [[np.int64(8)], (4,)], [[8], [4]]),
    ],
)
def test_what_is_read(notebook, name, given, read):
    found = values(notebook, name, given)
    assert repr(found) == repr(read)  # with the types, and the sign of zero


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("seed", "0,,1", "seed = 0,,1: a comma has no value beside it"),
        ("seed", "0,", "a comma has no value beside it"),
        ("seed", "1_000", "'1_000' is not a int; expected a whole number"),
        ("seed", "٣", "is not a int"),
        ("seed", "0x10", "is not a int"),
        ("seed", "15e-1", "is not a int"),
        ("lr", "1_0", "'1_0' is not a float"),
        ("lr", "1e400", "'1e400' is not a float; expected a number that a float can hold"),
        ("lr", "1e-400", "'1e-400' is not a float"),
        ("lr", "inf", "lr = inf is not in"),
        ("lr", "0.1:0.2", "has one value, its step being 1; write lr=0.1, or give a step: 0.1:0.2:STEP"),
        ("lr", "5:0", "the range 5:0 is empty; expected .* a step that leads to the stop"),
        ("seed", "0:5:-1", "is empty"),
        ("lr", "1e17:100000000000000020:1", "a step that is lost when 1e17 is a float"),
        ("seed", "0:1e9", "the range 0:1e9 has 1,000,000,000 values; a sweep takes at most 100,000 points"),
        ("lr", "0:1:1e-300", "values; a sweep takes at most 100,000"),
        ("seed", range(10**30), "more than 100,000 values"),
        ("seed", itertools.count(), "more than 100,000 values"),
        ("quick", "TRUE", "'TRUE' is not a bool; expected true or false"),
        ("quick", "1", "expected true or false"),
        ("data", '"mnist"', "expected a text without quotes"),
        ("widths", "[8,,4]", "'' is not a int"),
        ("widths", "[8,4", r"is not a list\[int\]; expected one in brackets"),
        ("widths", [8, 4], r"widths = 8 is a int, expected list\[int\]"),
        ("seed", {1, 2}, "the values of parameter seed are a set, expected"),
        ("seed", {1: 2}, "are a dict, expected"),
        ("seed", b"12", "are a bytes, expected"),
        ("lr", pd.DataFrame({"a": [1.0]}), "are a DataFrame, expected"),
        ("lr", np.ones((2, 2)), r"lr = \[1.0, 1.0\] is a list, expected float"),
        ("lr", [Decimal("0.1")], "is a Decimal, expected float"),
        ("lr", None, "lr = None is a NoneType, expected float"),
        ("lr", [10**400], "is not in"),
        ("seed", [10**5000], "parameter seed: Exceeds the limit"),
    ],
)
def test_what_is_refused(notebook, name, given, said):
    with pytest.raises(SweepError, match=said):
        values(notebook, name, given)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("lr", "uniform(1e6,1e6+10)", r"uniform\(1e6,1e6\+10\): expected"),
        ("lr", "uniform(1_0,20)", "expected"),
        ("lr", "uniform(1,1.0000000000000002)", "the width is too small, or too large"),
        ("lr", "uniform(-1e308,1e308)", "the width is too small, or too large"),
        ("lr", "log(1e300,1.00000000001e300)", "the width is too small, or too large"),
        ("seed", "integers(1,2)", "every draw is 1; write seed=VALUE"),
        ("data", "choice(mnist)", "every draw is mnist; write data=VALUE"),
        ("data", "choice(mnist,mnist)", "every draw is mnist"),
    ],
)
def test_a_distribution_that_is_none_is_refused(notebook, name, given, said):
    with pytest.raises(SweepError, match=said):
        values(notebook, name, given, 2)


def test_points_are_counted_before_they_are_made(notebook):
    grid = {"seed": "0:1000", "lr": "1:1001", "quick": "true,false"}
    with pytest.raises(SweepError, match=r"1,000 of seed × 1,000 of lr × 2 of quick are 2,000,000 points; .* 100,000"):
        points(notebook, "package", grid)
    with pytest.raises(SweepError, match="2 of quick × 1,000,000,000,000 draws are 2,000,000,000,000 points"):
        points(notebook, "package", {"lr": "uniform(0,1)", "quick": "true,false"}, 10**12)
    with pytest.raises(SweepError, match=r"trials must be a whole number, at least 1, got 2\.5"):
        points(notebook, "package", {"lr": "uniform(0,1)"}, 2.5)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("uniform", 1e6, 1e6 + 10), ("uniform", -1e6 - 10, -1e6), ("log", 1.0, 1.0000001), ("uniform", 100.0, 101.0)],
)
def test_draws_of_a_narrow_interval_stay_apart(kind, low, high):
    drawn = [Distribution(kind, (low, high)).draw(random.Random(i)) for i in range(1000)]
    assert len(set(drawn)) > 990
    assert all(low <= value <= high for value in drawn)
    assert max(len(repr(value)) for value in drawn) <= 17  # still short enough to be typed again


def test_draws_of_an_ordinary_interval_are_those_of_earlier_sweeps(notebook):
    assert values(notebook, "lr", "uniform(200,300)", 3) == [245.52, 256.963, 216.584]
    assert values(notebook, "lr", "log(1e-3,1)", 3) == [0.0232065, 0.0511568, 0.00314424]
    assert values(notebook, "lr", "uniform(-5,5)", 2) == [-0.447969, 0.696344]


def test_what_collapses_is_said(notebook, tmp_path, capsys):
    assert repeats(points(notebook, "package", {"seed": "0:3"})) == ""
    found = points(notebook, "package", {"lr": "0.1,1e-1", "quick": "choice(true,false)"}, 20)
    assert repeats(found) == "40 combinations of values, different ones: 2"
    command = ["sweep", str(notebook.path), "--grid", "seed=integers(0,2)", "--trials", "9", "--out", str(tmp_path)]
    assert cli.main([*command, "--dry-run"]) == 0
    assert "9 combinations of values, different ones: 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a mapping"),
        ("- lr\n", "expected a mapping"),
        ("seed: 1\nlr: 1\nseed: 2\n", "line 3: seed is given twice"),
        ("seed:\n  from: 0\n", "line 2: expected a value or a list"),
        ("lr: 1\nseed:\n", "line 2: expected a value or a list"),
        ("seed: null\n", "line 1: expected a value or a list"),
        ("seed: [1, ~]\n", "line 1: expected a value or a list"),
        ("widths: &a [*a]\n", "expected a value or a list"),
        ("[seed, lr]: 1\n", "line 1: expected a value or a list"),
        ("seed: [1\n", "cannot read the grid"),
        ("seed: 1\n---\nseed: 2\n", "cannot read the grid"),
    ],
)
def test_a_grid_file_that_is_none_is_named(tmp_path, capsys, text, said):
    notebook, grid = make_notebook(tmp_path, CELL), tmp_path / "grid.yml"
    grid.write_text(text)
    command = ["sweep", str(notebook), "--file", str(grid), "--out", str(tmp_path / "out"), "--dry-run"]
    assert cli.main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "grid.yml" in line
    assert said in line


def test_a_grid_file_may_begin_with_a_byte_order_mark_and_quote_texts(tmp_path, capsys):
    notebook, grid = make_notebook(tmp_path, CELL), tmp_path / "grid.yml"
    grid.write_text('lr: [1e-3, "0.5"]\ndata: "digits"\nseed: 007\n', encoding="utf-8-sig")
    command = ["sweep", str(notebook), "--file", str(grid), "--out", str(tmp_path / "out"), "--dry-run"]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "  lr=0.001\n" in said and "every point has data=digits seed=7\n" in said
