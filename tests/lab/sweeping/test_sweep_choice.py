"""Which points run and which are kept: zipped, left out, from a CSV; failures, pruning, optional parameters."""

import json
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from physnn.lab import sweep as run_sweep
from physnn.lab.sweeping import cli
from physnn.lab.sweeping.combinations import Choice
from physnn.lab.sweeping.grid import points
from physnn.lab.sweeping.notebook import SweepError, load
from tests.lab.sweeping.quick import in_threads, rows
from tests.lab.sweeping.sweeps import BODY, PARAMETERS, make_notebook

GRID = {"quartic": [1, 2, 3], "seed": "0:3", "name": ["plain", "<b>bold</b>"]}


@pytest.fixture
def notebook(tmp_path):
    return load(make_notebook(tmp_path))


def given(notebook, grid, **choice):
    return [tuple(point.given.values()) for point in points(notebook, "package", grid, choice=Choice(**choice))]


def test_zipped_lists_are_walked_through_together(notebook):
    found = given(notebook, GRID, zipped=[["quartic", "seed"]])
    assert found == [(q, q - 1, name) for q in (1, 2, 3) for name in GRID["name"]]
    for wrong, said in (
        ([["quartic", "name"]], "lists of one length, got 3 of quartic, 2 of name"),
        ([["quartic", "lr"]], "zip quartic,lr: expected names of --grid that have lists"),
        ([["quartic", "seed"], ["seed", "name"]], "each in one group"),
    ):
        with pytest.raises(SweepError, match=said):
            given(notebook, GRID, zipped=wrong)


def test_what_is_left_out_does_not_run(notebook):
    found = given(notebook, GRID, excluded=["quartic=2", {"quartic": 3, "seed": 0, "name": "plain"}])
    assert len(found) == 18 - 6 - 1
    assert (3, 0, "<b>bold</b>") in found and not any(q == 2 for q, _, _ in found)
    for wrong, said in (
        ("quartc=2", "did you mean quartic"),
        ("quartic", "expected NAME=VALUE"),
        ("quartic=x", "--exclude: parameter quartic: 'x' is not a float"),
        ("", "--exclude needs"),
    ):
        with pytest.raises(SweepError, match=said):
            given(notebook, GRID, excluded=[wrong])
    with pytest.raises(SweepError, match="no point is left"):
        given(notebook, {"seed": 1}, excluded=["seed=1"])


def test_a_csv_of_points_is_crossed_with_the_grid(notebook, tmp_path):
    listed = tmp_path / "points.csv"
    listed.write_text("\ufeffquartic, seed\n1,2\n\n-3e0,\n")
    found = points(notebook, "package", {"name": GRID["name"]}, choice=Choice(listed=listed))
    assert [(p.parameters["quartic"], p.parameters["seed"]) for p in found] == [(1, 2)] * 2 + [(-3, 0)] * 2
    for text, said in (
        ("quartic,sed\n1,2\n", "line 1: unknown parameter 'sed'.* did you mean seed"),
        ("quartic\n1,2\n", "line 2: 2 values for 1 names"),
        ("quartic\n11\n", r"line 2: parameter quartic = 11.0 is not in \[-10, 10\]"),
        ("quartic,quartic\n1,2\n", "quartic is given twice"),
        ("name\nplain\n", "name is given twice"),
        ("quartic\n", "no line below its header"),
        ("", "cannot read the points"),
    ):
        listed.write_text(text)
        with pytest.raises(SweepError, match=said):
            points(notebook, "package", {"name": GRID["name"]}, choice=Choice(listed=listed))


def test_the_command_line_takes_all_of_them(tmp_path, monkeypatch, capsys):
    in_threads(monkeypatch)
    (tmp_path / "points.csv").write_text("quartic\n1\n2\n")
    command = ["sweep", str(make_notebook(tmp_path)), "--out", str(tmp_path / "out")]
    command += ["--points", str(tmp_path / "points.csv"), "--grid", "seed=0,1", "--grid", "name=plain,<b>bold</b>"]
    assert cli.main([*command, "--zip", "seed,name", "--exclude", "quartic=2 seed=1"]) == 0
    ran = sorted((row["parameters"]["quartic"], row["parameters"]["seed"]) for row in rows(tmp_path))
    assert ran == [(1, 0), (1, 1), (2, 0)]
    assert "3 of 3 points are done" in capsys.readouterr().out


def test_optional_and_free_text_parameters(tmp_path, monkeypatch):
    in_threads(monkeypatch, lambda given: {"values": {"told": repr(given)}})
    lines = "decay: float | None = None  # of the weights, in [0, 1]\ntitle: str = ''  # a heading, in {any text}\n"
    notebook = make_notebook(tmp_path, PARAMETERS + lines)
    table = run_sweep(notebook, {"decay": "none,0.5", "title": ["", "a, b: {c} 'd'"]}, tmp_path / "out")
    assert [None if pd.isna(decay) else decay for decay in table.decay] == [None, None, 0.5, 0.5]
    assert list(table.title) == ["", "a, b: {c} 'd'"] * 2
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["contract"]["decay"]["type"] == "float | None"
    assert "none" in (tmp_path / "out" / "index.html").read_text()
    for name, value, said in (
        ("decay", "2", "not in"),
        ("decay", "nothing", "is not a float"),
        ("seed", "none", "int"),
    ):
        with pytest.raises(SweepError, match=said):
            points(load(notebook), "package", {name: value})


def test_enough_failures_end_the_sweep(command, tmp_path, monkeypatch, capsys):
    in_threads(monkeypatch, lambda given: {"status": "failed", "error": "no"} if given["seed"] < 2 else {})
    assert cli.main([*command, "--max-failures", "1"]) == 1
    out, err = capsys.readouterr()
    assert "1 points failed, which --max-failures takes for enough; 2 have not run" in out
    assert "0 of 3 points are done" in out and "1 of 3 points failed" in err
    assert len(rows(tmp_path)) == 1
    assert cli.main([*command, "--max-failures", "0"]) == 2
    # What failed stays, the others run.
    assert cli.main([*command, "--no-retry-failed"]) == 1
    assert [row["status"] for row in rows(tmp_path)] == ["failed", "failed", "done"]
    in_threads(monkeypatch)
    assert cli.main([*command, "--no-retry-failed"]) == 1
    assert "they run again without --no-retry-failed" in capsys.readouterr().err
    assert cli.main([*command, "--no-retry-failed", "--dry-run"]) == 0
    assert "3 points of tiny.ipynb: 1 done, 2 failed, 0 to run" in capsys.readouterr().out
    assert cli.main(command) == 0


def test_points_of_old_code_are_pruned(command, tmp_path, monkeypatch, capsys):
    in_threads(monkeypatch)
    out = tmp_path / "out"
    assert cli.main(command) == 0
    old = {path.name for path in (out / "points").iterdir()}
    make_notebook(tmp_path / "notebooks", body=f"{BODY}\nprint('new')\n")
    assert cli.main(command) == 0
    capsys.readouterr()
    assert cli.main(["prune", str(out), "--dry-run"]) == 0
    assert "3 points of other code would be deleted" in capsys.readouterr().out
    assert old < {path.name for path in (out / "points").iterdir()}
    assert cli.main(["prune", str(out)]) == 0
    left = {path.name for path in (out / "points").iterdir()}
    assert len(left) == 9 and not left & old
    monkeypatch.setattr("physnn.lab.sweeping.point.run", None)  # what is left is whole
    assert cli.main(command) == 0
    assert cli.main(["prune", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_parquet_beside_the_csv_where_pyarrow_is_there(command, tmp_path, monkeypatch):
    in_threads(
        monkeypatch, lambda given: {"values": {"mixed": given["seed"] or "none", "large": 10**30, "energy": 1.5}}
    )
    seen = []
    if "pyarrow" not in sys.modules:
        find = cli.importlib.util.find_spec
        fake = SimpleNamespace(find_spec=lambda name: name == "pyarrow" or find(name))
        monkeypatch.setattr("physnn.lab.sweeping.show.importlib", SimpleNamespace(util=fake))
        monkeypatch.setattr(pd.DataFrame, "to_parquet", lambda frame, *_, **__: seen.append(frame) or b"parquet")
    assert cli.main(command) == 0
    assert (tmp_path / "out" / "table.parquet").exists()
    assert not seen or (list(seen[0].mixed) == ["none", "1", "2"] and list(seen[0].energy) == [1.5] * 3)
    assert not seen or list(seen[0].large) == [str(10**30)] * 3
