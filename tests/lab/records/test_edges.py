"""Optima at the edges of what was searched, and the studies that widen it."""

import hashlib
import json

import pandas as pd
import pytest
import yaml

from physnn.lab.records import studies
from physnn.lab.records.edges import at_edge
from physnn.lab.records.studies import Study

SEARCHED = {"linear: a": {"lr": 0.1, "damping": 0.3}, "linear: b": {"lr": 1.0}, "MLP: a": {"lr": 10.0, "damping": 0.1}}


def record(folder, tuning, chosen):
    """Record a study by hand whose arms are best at the ``chosen`` settings; b searches no damping."""
    folder.mkdir()
    arms = {"a": {"damping": "search"}, "b": {}} if "damping" in tuning else {"a": {}, "b": {}}
    design = {"models": {"linear": {}, "MLP": {"lr_unit": 10.0} if "trials" in tuning else {}}, "arms": arms}
    (folder / "design.yml").write_text(
        yaml.safe_dump(design | {"tuning": {**tuning, "seeds": [9], "epochs": 1}}, sort_keys=False)
    )
    same = {"phase": "tuning", "seed": 9, "epoch": 1}
    rows = [{**same, "arm": arm, **best, "validation_accuracy": 0.9} for arm, best in chosen.items()]
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    digest = hashlib.sha256((folder / "table.csv").read_bytes()).hexdigest()
    (folder / "provenance.json").write_text(
        json.dumps({"design": Study(folder.name, folder.parent).digest, "table": digest})
    )
    return Study(folder.name, folder.parent)


def test_listed_values_have_their_ends_for_edges(tmp_path):
    tuning = {"lr": [0.1, 1.0, 10.0], "damping": [0.1, 0.3, 1.0]}
    chosen = {**SEARCHED, "MLP: b": {"lr": 1.0}}
    found = at_edge(record(tmp_path / "listed", tuning, chosen)).reset_index().to_numpy().tolist()
    assert found == [
        ["linear: a", "lr", 0.1, 0.1, 10.0, "low"],
        ["MLP: a", "lr", 10.0, 0.1, 10.0, "high"],
        ["MLP: a", "damping", 0.1, 0.1, 1.0, "low"],
    ]


def test_one_value_is_no_search(tmp_path):
    chosen = {arm: {"lr": 0.1} for arm in ("linear: a", "linear: b", "MLP: a", "MLP: b")}
    assert at_edge(record(tmp_path / "one", {"lr": [0.1]}, chosen)).empty


def test_drawn_values_have_the_outer_twentieths_of_their_range_for_edges(tmp_path):
    tuning = {"trials": 5, "draw": 1, "lr": [1e-4, 1.0], "damping": [0.01, 1.0]}
    chosen = {
        "linear: a": {"lr": 0.7, "damping": 0.012},  # 10^(-4/20) = 0.63; 0.01 10^(2/20) = 0.0126
        "linear: b": {"lr": 0.6},
        "MLP: a": {"lr": 6.5, "damping": 0.5},  # in units of ten
        "MLP: b": {"lr": 0.9},
    }
    found = at_edge(record(tmp_path / "drawn", tuning, chosen)).reset_index().to_numpy().tolist()
    assert found == [
        ["linear: a", "lr", 0.7, 1e-4, 1.0, "high"],
        ["MLP: a", "lr", 6.5, pytest.approx(1e-3), 10.0, "high"],
        ["linear: a", "damping", 0.012, 0.01, 1.0, "low"],
    ]


def test_what_is_as_good_inside_is_no_edge(tmp_path):
    study = record(tmp_path / "tied", {"lr": [0.1, 1.0, 10.0]}, {"linear: a": {"lr": 0.1}, "linear: b": {"lr": 0.1}})
    rows = study.table()
    others = [rows[:1].assign(arm=f"MLP: {arm}") for arm in "ab"]
    inside = rows[rows.arm == "linear: a"].assign(lr=1.0)
    table = pd.concat([rows, inside, *others])
    study.table = lambda: table
    assert study.best(table).lr["linear: a"] == 0.1, "of equals the first"
    assert at_edge(study).index.tolist() == ["linear: b", "MLP: a", "MLP: b"]


def test_what_the_design_says_lies_beyond_is_looked_at_already(tmp_path):
    tuning = {"lr": [0.1, 1.0, 10.0], "damping": [0.1, 0.3, 1.0]}
    chosen = {**SEARCHED, "MLP: b": {"lr": 1.0}}
    found = {}
    for end in ("low", "high"):
        study = record(tmp_path / end, tuning, chosen)
        study.design["beyond"] = {"a": {"damping": {end: "b"}}}
        found[end] = at_edge(study).reset_index()[["arm", "hyperparameter"]].to_numpy().tolist()
    assert found["low"] == [["linear: a", "lr"], ["MLP: a", "lr"]]
    assert found["high"] == [*found["low"], ["MLP: a", "damping"]]


@pytest.mark.parametrize("path", sorted(studies.RESULTS.glob("*-edges/design.yml")), ids=lambda path: path.parent.name)
def test_what_widens_a_study_is_like_it_but_for_the_range(path):
    wider = Study(path.parent.name)
    first = Study(wider.design["widens"])
    assert wider.name == f"{first.name}-edges" and wider.design.get("batch_size") == first.design.get("batch_size")
    assert {arm: first.arms[arm] for arm in wider.arms} == wider.arms
    assert wider.design["final"] == first.design["final"]
    for key in ("seeds", "epochs", "trials"):
        assert wider.design["tuning"].get(key) == first.design["tuning"].get(key)
    for arm in wider.arms:
        assert any(wider.bounds(arm, name) != first.bounds(arm, name) for name in wider.hyperparameters)


def test_every_optimum_at_an_edge_is_listed_or_looked_beyond():
    """No arm whose final runs are recorded has an optimum at an edge but those that a design widens."""
    finished = [Study(path.parent.name) for path in sorted(studies.RESULTS.glob("*/table.csv"))]
    widened = {
        (study.design["widens"], arm)
        for study in map(Study, (path.parent.name for path in studies.RESULTS.glob("*/design.yml")))
        if "widens" in study.design
        for arm in study.arms
    }
    found = {
        (study.name, arm)
        for study in finished
        if "final" in study.design and "widens" not in study.design
        for arm in at_edge(study).index
    }
    assert found <= widened
