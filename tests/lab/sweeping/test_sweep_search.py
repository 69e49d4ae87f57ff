"""A search: trials are points like any others, continue after any death, and are given up where that is asked for."""

import json
import math
import signal

import pandas as pd
import pytest

from physnn.lab import sweep as run_sweep
from physnn.lab.sweeping import cli
from physnn.lab.sweeping.notebook import SweepError, load
from physnn.lab.sweeping.search import JOURNAL, Goal, make_search
from physnn.lab.sweeping.store import Folder
from tests.lab.running.clusters import wait_for
from tests.lab.sweeping.quick import in_threads, rows
from tests.lab.sweeping.sweeps import at_work_in, finish, make_notebook, runs, start

optuna = pytest.importorskip("optuna")
PARAMETERS = "lr: float = 0.1  # rate, in (0, 10]\nseed: int = 0  # names a run, in [0, 99]\n"
PARAMETERS += "kind: str = 'a'  # what it is, in {a, b}\nsize: int = 3  # of it, in [1, 9]\n"
SPACE = {"lr": "log(1e-3, 1)", "kind": "choice(a, b)", "size": "integers(1, 9)"}


def score(given):
    """Largest at lr = 0.1, kind b; each seed shifts all of it."""
    return -((math.log10(given["lr"]) + 1) ** 2) + (given["kind"] == "b") + given.get("seed", 0) / 10


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    in_threads(monkeypatch, lambda given: {"values": {"score": score(given)}})
    return make_notebook(tmp_path, PARAMETERS)


def command(tmp_path, *more, trials=4):
    grid = [word for name, values in SPACE.items() for word in ("--grid", f"{name}={values}")]
    search = ["--search", "random", "--maximize", "score", "--trials", str(trials)]
    return ["sweep", str(tmp_path / "tiny.ipynb"), *grid, *search, "--out", str(tmp_path / "out"), *more]


def trials(tmp_path, notebook):
    axes = {**SPACE, "seed": "0:3"}
    search = make_search(
        load(notebook),
        json.loads((tmp_path / "out" / "sweep.json").read_text())["package"],
        axes,
        Goal("random", "score"),
        4,
    )
    return search.study(Folder(tmp_path / "out")).trials


@pytest.mark.parametrize("sampler", ["tpe", "gp", "qmc"])
def test_a_search_finds_what_is_best(notebook, tmp_path, sampler):
    goal, count = Goal(sampler, "score"), {"tpe": 25, "gp": 12, "qmc": 8}[sampler]
    table = run_sweep(notebook, SPACE, tmp_path / "out", goal=goal, trials=count, seed=1)
    assert len(table) == count and set(table.status) == {"done"}
    told = json.loads((tmp_path / "out" / "sweep.json").read_text())["found"]
    assert told.startswith(f"The largest score of {count} trials is {table.score.max():.6g}, with lr = ")
    assert told in (tmp_path / "out" / "index.html").read_text().replace("&#x27;", "'")
    assert table.score.max() > (0.5 if sampler != "qmc" else -2)


def test_a_trial_is_the_mean_over_the_lists_and_its_points_are_like_any_others(notebook, tmp_path, capsys):
    assert cli.main(command(tmp_path, "--grid", "seed=0:3", "--replicates", "seed", "--dry-run")) == 0
    assert "4 trials of tiny.ipynb, each of 3 points" in capsys.readouterr().out
    assert cli.main(command(tmp_path, "--grid", "seed=0:3", "--replicates", "seed")) == 0
    said = capsys.readouterr().out
    assert "12 of 12 points are done" in said
    means = pd.read_csv(tmp_path / "out" / "means.csv")
    assert list(means.n) == [3] * 4
    assert f"The largest score of 4 trials is {means['mean'].max():.6g}, the mean of 3 runs, with lr = " in said
    found = trials(tmp_path, notebook)
    assert sorted(trial.value for trial in found) == pytest.approx(sorted(means["mean"]))
    # More trials go on from there, and do not draw the same again; the same command then runs nothing.
    assert cli.main(command(tmp_path, "--grid", "seed=0:3", trials=6)) == 0
    assert "12 of 18 points are done already; 6 to run" in capsys.readouterr().out
    assert len(rows(tmp_path)) == 18
    assert cli.main(["report", str(tmp_path / "out")]) == 0
    assert "18 of 18 points are done" in capsys.readouterr().out
    assert cli.main(command(tmp_path, "--grid", "seed=0:3", trials=6)) == 0
    assert len(trials(tmp_path, notebook)) == 6


@pytest.mark.parametrize("pruner", ["median", "wilcoxon"])
def test_a_poor_trial_is_given_up_between_its_points(notebook, tmp_path, pruner, capsys):
    assert cli.main(command(tmp_path, "--grid", "seed=0:20", "--pruner", pruner, "--seed", "3", trials=12)) == 0
    said = capsys.readouterr().out
    assert " more trials were given up early." in said
    count = len(rows(tmp_path))
    assert 12 < count < 240
    assert f"{count} of {count} points are done" in said
    page = (tmp_path / "out" / "index.html").read_text()
    assert f"{count} of {count} points are done" in page


def test_failed_trials_are_repeated_with_their_values(notebook, tmp_path, monkeypatch, capsys):
    in_threads(
        monkeypatch,
        lambda given: {"status": "failed", "error": "no"} if given["seed"] == 1 else {"values": {"score": 1.0}},
    )
    more = ["--grid", "seed=0:2"]
    assert cli.main(command(tmp_path, *more)) == 1
    assert "No trial of the search has come to its end" in capsys.readouterr().out
    in_threads(monkeypatch, lambda given: {"values": {"score": score(given)}})
    before = {row["point"] for row in rows(tmp_path)}
    assert cli.main(command(tmp_path, *more)) == 0
    assert {row["point"] for row in rows(tmp_path)} == before
    assert "8 of 8 points are done" in capsys.readouterr().out
    # What is done and has no finite value is not repeated for ever.
    in_threads(monkeypatch, lambda given: {"values": {"score": float("nan")}})
    assert cli.main(command(tmp_path, "--grid", "seed=5,6")) == 0
    in_threads(monkeypatch, lambda given: pytest.fail("it ran"))
    assert cli.main(command(tmp_path, "--grid", "seed=5,6")) == 0


def test_a_search_that_was_killed_goes_on(tmp_path):
    notebook, out = make_notebook(tmp_path / "notebooks"), tmp_path / "out"
    held = notebook.parent / "hold-1"
    held.touch()
    grid = ["--grid", "quartic=uniform(-5,5)", "--grid", "seed=0:2"]
    search = ["--search", "tpe", "--maximize", "energy", "--trials", 2, "--out", out, "--workers", 2]
    driver = start(notebook, *grid, *search)
    wait_for(lambda: list(out.glob("points/*.json")), "a finished point")
    wait_for(lambda: sum(count for key, count in runs(notebook, "begin").items() if key.endswith(" 1")), "a held point")
    driver.send_signal(signal.SIGKILL)
    finish(driver)
    wait_for(lambda: not at_work_in(notebook.parent), "the end of its kernels")
    with open(out / JOURNAL, "ab") as journal:
        journal.write(b'{"op_code": 6, "worker')  # as a power cut leaves it
    lock = out / f"{JOURNAL}.lock"
    if not lock.is_symlink():  # the kill may have left it
        lock.symlink_to("nowhere")
    held.unlink()
    status, printed = finish(start(notebook, *grid, *search))
    assert status == 0, printed
    assert "points are done already" in printed
    table = pd.read_csv(out / "table.csv")
    assert len(table) == 4 and table.quartic.nunique() == 2 and set(table.status) == {"done"}
    assert max(runs(notebook).values()) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--search", "tpe"], "--search needs --maximize NAME or --minimize NAME"),
        (["--maximize", "score"], "are for a search; add --search tpe"),
        (["--search", "best", "--maximize", "score"], "search = best, pruner = none: expected one of tpe, gp, qmc"),
        (["--search", "tpe", "--maximize", "score"], "a search needs a parameter with a distribution"),
        (["--search", "tpe", "--minimize", "score", "--grid", "lr=log(1e-3,1)"], "add --trials N"),
        (
            ["--search", "tpe", "--minimize", "score", "--grid", "lr=uniform(0,1)", "--trials", "3"],
            "lr = 0.0 is not in",
        ),
    ],
)
def test_a_search_that_cannot_begin_is_refused(notebook, tmp_path, capsys, more, said):
    assert cli.main(["sweep", str(notebook), "--out", str(tmp_path / "out"), *more]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SweepError, match=r"a search needs optuna, .* pip install \"physnn\[search\]"):
        Goal("tpe", "score")
