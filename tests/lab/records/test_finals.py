"""The rows of final runs, on a study recorded by hand: two arms in two models, of which one run diverged."""

import hashlib
import json

import pandas as pd
import pytest
import yaml
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from physnn.lab.chapter.naming import glued
from physnn.lab.records import finals
from physnn.lab.records.studies import Study
from physnn.lab.statistics import stats

RATES = [0.1, 1.0, 10.0]
CHOSEN = {"linear: a": 0.1, "linear: b": 1.0, "MLP: a": 10.0, "MLP: b": 1.0}
LEVEL = {"linear: a": 0.80, "linear: b": 0.82, "MLP: a": 0.90, "MLP: b": 0.95}
DESIGN = {
    "models": {"linear": {}, "MLP": {}}, "arms": {"a": {}, "b": {}}, "contrasts": [["a", "b"]],
    "tuning": {"lr": RATES, "seeds": [9], "epochs": 1}, "final": {"seeds": [0, 1, 2], "epochs": 2},
}  # fmt: skip


def rows():
    for arm, level in LEVEL.items():
        for lr in RATES:
            best = level if lr == CHOSEN[arm] else 0.1
            yield {"phase": "tuning", "arm": arm, "lr": lr, "seed": 9, "epoch": 1, "validation_accuracy": best}
        for seed in (0, 1, 2):
            for epoch in (0, 1, 2):
                if (arm, seed, epoch) == ("MLP: a", 2, 2):
                    continue  # it diverged
                test = level + 0.01 * seed if epoch == 2 else None
                same = {"phase": "final", "arm": arm, "lr": CHOSEN[arm], "seed": seed, "epoch": epoch}
                yield same | {"validation_accuracy": level, "test_accuracy": test}


def record(folder, design):
    folder.mkdir()
    (folder / "design.yml").write_text(yaml.safe_dump(design, sort_keys=False))
    table = pd.DataFrame(rows())
    table.to_csv(folder / "table.csv", index=False)
    digest = hashlib.sha256((folder / "table.csv").read_bytes()).hexdigest()
    times = {"seconds_of_this_run": 150, "seconds_of_training": 150}
    made = {"design": Study(folder.name, folder.parent).digest, "table": digest, **times}
    (folder / "provenance.json").write_text(json.dumps(made))
    return Study(folder.name, folder.parent)


@pytest.fixture
def study(tmp_path):
    return record(tmp_path / "small", DESIGN)


def test_an_arm_has_a_model_and_a_variant():
    named = finals.named(pd.DataFrame({"arm": ["MLP: T = 0: cold", "plain, 1.0 million"]}, index=[7, 3]))
    assert list(named.model) == ["MLP", ""] and list(named.variant) == ["T = 0: cold", "plain, 1.0 million"]
    assert list(named.index) == [7, 3]
    assert list(finals.named(pd.DataFrame({"arm": []})).columns) == ["arm", "model", "variant"]


def test_the_last_rows_and_all_of_the_final_runs(study):
    history, last = finals.final_history(study), finals.final_rows(study)
    assert set(history.phase) == {"final"} and len(history) == 4 * 3 * 3 - 1 and set(history.epoch) == {0, 1, 2}
    assert set(last.epoch) == {2} and len(last) == 11
    at = last[(last.model == "MLP") & (last.variant == "b") & (last.seed == 1)]
    assert at.percent.item() == pytest.approx(96)


def test_a_study_without_final_runs_says_so(tmp_path):
    study = record(tmp_path / "map", {key: part for key, part in DESIGN.items() if key != "final"})
    with pytest.raises(ValueError, match=r"'map' has no final runs.*read study.table\(\)"):
        finals.final_rows(study)


def test_lost_runs(study):
    lost = finals.lost_runs(study, finals.final_rows(study))
    assert lost.to_dict() == {"linear: a": 0, "linear: b": 0, "MLP: a": 1, "MLP: b": 0}
    assert finals.lost_runs(study, finals.final_rows(study).iloc[:0]).sum() == 12


def test_planned_contrasts_are_compared_in_each_model(study, tmp_path):
    pairs = [("linear: a", "linear: b"), ("MLP: a", "MLP: b")]
    assert finals.planned_contrasts(study) == pairs
    rows = finals.final_rows(study)
    rows = rows[rows.seed < 2]
    found = finals.compared(study, rows, "percent")
    pd.testing.assert_frame_equal(
        found.drop(columns=["model", "variant", "against"]), stats.comparisons(rows, pairs, "percent")
    )
    assert found[["model", "variant", "against"]].to_numpy().tolist() == [["linear", "a", "b"], ["MLP", "a", "b"]]
    (tmp_path / "one").mkdir()
    alone = {key: part for key, part in DESIGN.items() if key != "models"}
    (tmp_path / "one/design.yml").write_text(yaml.safe_dump(alone))
    assert finals.planned_contrasts(Study("one", tmp_path)) == [("a", "b")]


def test_the_plan_is_glued(study):
    InteractiveShell.instance()
    with capture_output():
        finals.glue_plan(study)
    InteractiveShell.clear_instance()
    values = glued().value
    assert [values[name] for name in ("n", "n-epochs", "n-arms", "n-rates")] == [3, 2, 2, 3]
