"""What the points of a sweep say together, against the book's statistics value by value."""

import math

import pandas as pd
import pytest

from physnn.lab import sweep as run_sweep
from physnn.lab.statistics.stats import comparisons, mean_interval
from physnn.lab.sweeping import cli
from physnn.lab.sweeping.answer import answer
from physnn.lab.sweeping.notebook import SweepError, load
from physnn.lab.sweeping.numbers import spec
from physnn.lab.sweeping.question import Question, question
from physnn.lab.sweeping.tables import answers
from tests.lab.sweeping.quick import in_threads
from tests.lab.sweeping.sweeps import make_notebook

SEEDS, QUARTICS = range(6), (-5.0, 0.0, 5.0)


def energy(quartic, seed):
    return math.sin(3 * seed + quartic) + quartic / 10 + 0.1 * seed


def row(quartic, seed, name="plain", value=None, status="done"):
    values = {"energy": energy(quartic, seed) if value is None else value, "fixed": 3, "text": "many words"}
    parameters = {"quartic": quartic, "seed": seed, "name": name}
    return {"point": f"{quartic}{seed}{name}", "parameters": parameters, "values": values, "status": status}


ROWS = [row(quartic, seed) for quartic in QUARTICS for seed in SEEDS]


def test_means_and_differences_are_those_of_the_book():
    found = answer(ROWS, Question(("seed",), {"quartic": 0.0}))
    assert found.settings == ["quartic"]
    assert list(found.table.value) == ["energy"] * 3  # constants and texts have no mean
    tidy = pd.DataFrame([{**each["parameters"], **each["values"]} for each in ROWS])
    expected = comparisons(tidy, [(-5.0, 0.0), (5.0, 0.0)], "energy", by="quartic")
    for one in found.table.itertuples():
        mean = mean_interval([energy(one.quartic, seed) for seed in SEEDS])
        assert (one.mean, one.low, one.high, one.n) == pytest.approx(tuple(mean))
    told = found.table[found.table.quartic != 0]
    for mine, theirs in {"difference": "mean", "difference_low": "low", "difference_high": "high"}.items():
        assert list(told[mine]) == list(expected[theirs])
    for name in ("effect", "t_p", "flip_p", "holm_p"):
        assert list(told[name]) == list(expected[name])
    assert list(told.pairs) == [6, 6]
    assert found.table[found.table.quartic == 0].iloc[0, 6:].isna().all()
    assert found.notes == []


def test_a_setting_is_compared_with_the_baseline_beside_it_over_the_replicates_that_both_have():
    rows = [row(q, s, name) for q in (0.0, 1.0) for s in range(4) for name in ("plain", "<b>bold</b>")]
    rows[0] = row(0.0, 0, value=float("nan"))
    rows[9] = row(1.0, 0, "<b>bold</b>", status="failed")
    found = answer(rows, Question(("seed",), {"quartic": 0.0}))
    assert found.settings == ["quartic", "name"]
    table = found.table.set_index(["quartic", "name"])
    assert dict(table.n) == {
        **{(0.0, "plain"): 3, (0.0, "<b>bold</b>"): 4},
        **{(1.0, "plain"): 4, (1.0, "<b>bold</b>"): 3},
    }
    assert list(table.pairs.dropna()) == [3, 3]
    differences = [energy(1.0, s) - energy(0.0, s) for s in (1, 2, 3)]
    assert table.difference[1.0, "plain"] == pytest.approx(sum(differences) / 3)
    assert found.notes == ["energy: 2 of 16 runs are missing, failed, or have no finite number"]


def test_one_value_has_no_interval_and_no_test():
    found = answer([row(0.0, 0), row(1.0, 0)], Question(("seed",), {"quartic": 0.0}))
    assert list(found.table.n) == [1, 1]
    assert found.table[["low", "high", "difference", "t_p", "holm_p"]].isna().all(axis=None)


def test_several_parameters_repeat_a_setting_and_texts_with_intervals_are_numbers():
    rows = [row(q, s, n, value=f"{q + s:.1f} [0.0, 9.0]") for q in (0.0, 1.0) for s in (0, 2) for n in ("plain", "b")]
    found = answer(rows, Question(("seed", "name"), values=("energy",)))
    assert list(found.table["mean"]) == [1, 2]
    assert list(found.table.n) == [4, 4]


def test_what_cannot_be_answered_is_said(monkeypatch):
    found = answer(ROWS, Question(("seed",), values=("energy", "text", "nothing")))
    assert set(found.table.value) == {"energy"}
    assert [note.split(" is no number")[0] for note in found.notes] == ["text", "nothing"]
    assert "they glued energy, fixed, text" in found.notes[0]
    found = answer(ROWS[:6], Question(("seed",), {"quartic": 0.0}))
    assert found.notes == ["No two settings differ in the baseline alone"]
    monkeypatch.setattr("physnn.lab.sweeping.answer.CONTRASTS", 1)
    found = answer(ROWS, Question(("seed",), {"quartic": 0.0}))
    assert found.notes[0].startswith("2 differences are too many")
    assert list(found.table.n) == [6] * 3
    assert answer([row(0.0, 0, status="failed")], Question(("seed",))).table.empty


@pytest.mark.parametrize(("count", "folds"), [(8, 8), (9, 10)])
def test_the_answers_of_many_values_are_folded_together(count, folds):
    rows = [{**each, "values": {f"v{i}": energy(i, each["parameters"]["seed"]) for i in range(count)}} for each in ROWS]
    rows[0] |= {"status": "failed"}
    found = answer(rows, Question(("seed",), {"quartic": 7.0}))
    text = "".join(answers(found, ["seed"]))
    assert text.count("<details") == text.count("</details>") == folds
    assert ("<summary>6 more values</summary>" in text) == (count == 9)
    assert text.count("<details open>") == 3
    assert "minus baseline" not in text  # there is none to subtract
    assert (
        found.notes[0]
        == f"v0, v1, v2, v3, v4 and {count - 5} more: 1 of 18 runs are missing, failed, or have no finite number"
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"replicates": ["sed"]}, "unknown parameter 'sed'; .* did you mean seed?"),
        ({"replicates": ["seed"], "baseline": ["quartic"]}, "--baseline quartic: expected NAME=VALUE"),
        ({"replicates": ["seed"], "baseline": ["quartic=x"]}, "--baseline: parameter quartic: 'x' is not a float"),
        ({"replicates": ["seed"], "baseline": ["quartic=11"]}, r"quartic = 11.0 is not in \[-10, 10\]"),
        ({"replicates": ["seed"], "baseline": ["seed=1"]}, "seed cannot be both"),
        ({"baseline": {"quartic": 1}}, "add --replicates seed"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(tmp_path, asked, said):
    with pytest.raises(SweepError, match=said):
        question(load(make_notebook(tmp_path)).contract, **asked)


@pytest.mark.parametrize(
    ("interval", "form"),
    [
        ((93.21, 92.9, 93.5), ".2f"),
        ((1234.5, 1200, 1260), ".0f"),
        ((1.5e-9, 1.4e-9, 1.6e-9), ".2e"),
        ((2.0, 2.0, 2.0), ".6g"),
        ((0.0, -1e-12, 1e-12), ".1e"),
    ],
)
def test_half_an_interval_has_two_digits(interval, form):
    assert spec(*interval) == form


def test_a_sweep_answers_on_its_page_and_in_a_table(tmp_path, monkeypatch, capsys):
    in_threads(monkeypatch, lambda given: {"values": {"energy": energy(given["quartic"], given["seed"])}})
    notebook, out = make_notebook(tmp_path / "notebooks"), tmp_path / "out"
    grid = ["--grid", "quartic=-5,0,5", "--grid", "seed=0:6", "--out", str(out)]
    command = ["sweep", str(notebook), *grid]
    assert cli.main([*command, "--replicates", "seed", "--baseline", "quartic=1"]) == 2
    assert "no point of this sweep has the baseline quartic=1.0" in capsys.readouterr().err
    assert not out.exists()
    assert cli.main([*command, "--replicates", "seed", "--baseline", "quartic=0"]) == 0
    means = pd.read_csv(out / "means.csv")
    expected = answer(ROWS, Question(("seed",), {"quartic": 0.0})).table
    pd.testing.assert_frame_equal(means, expected, check_dtype=False)
    page = (out / "index.html").read_text()
    assert "Means over seed with 95 % intervals. Differences are those to quartic = 0.0 with all else the same" in page
    mean = mean_interval([energy(5.0, seed) for seed in SEEDS])
    assert mean.format(spec(*mean[:3])) in page
    # Without the question there is no answer, and none of an earlier one.
    assert cli.main(command) == 0
    assert not (out / "means.csv").exists()
    assert "<h2>Answer" not in (out / "index.html").read_text()
    run_sweep(notebook, {"quartic": [-5, 0], "seed": range(6)}, out, replicates=["seed"], baseline={"quartic": 0})
    assert list(pd.read_csv(out / "means.csv").n) == [6] * 3  # of all that the folder holds
