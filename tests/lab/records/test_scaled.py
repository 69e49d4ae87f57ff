"""Curves against a size: put together from a study's models, and the exponents that rules name."""

import hashlib
import json

import pandas as pd
import pytest
import yaml

from physnn.lab.records.effects import effect
from physnn.lab.records.scaled import scaled
from physnn.lab.records.studies import Study
from physnn.lab.statistics.power_law import exponent_difference, law_intervals

SIZES = {"many": 1000, "few": 10, "some": 100, "most": 10000}
HOW = {"study": "grown", "measure": "exponent", "column": "test_error", "along": "images"}


def record(folder, change=lambda table: table, models=SIZES):
    arm = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}
    design = {
        "task": "scaling", "data": "digits",
        "models": {model: {"images": n, "steps": 2} for model, n in models.items()},
        "arms": {"steep": arm, "flat": arm}, "tuning": {"lr": [1.0], "seeds": [9], "epochs": 1},
        "final": {"seeds": [0, 1, 2], "epochs": 1},
    }  # fmt: skip
    rows = []
    for model, n in models.items():
        for variant, c in {"steep": 0.5, "flat": 0.25}.items():
            for seed in (0, 1, 2):
                same = {"arm": f"{model}: {variant}", "seed": seed, "images": n}
                end = (0.01 + n**-c) * (1 + 0.01 * seed * (n > 50))
                rows += [same | {"epoch": 0}, same | {"epoch": 1, "test_error": end}]
    folder.mkdir(parents=True)
    (folder / "design.yml").write_text(yaml.safe_dump(design, sort_keys=False))
    table = change(pd.DataFrame(rows).assign(phase="final", lr=1.0, diverged=False))
    table.to_csv(folder / "table.csv", index=False)
    digest = hashlib.sha256((folder / "table.csv").read_bytes()).hexdigest()
    made = {"design": Study(folder.name, folder.parent).digest, "table": digest}
    (folder / "provenance.json").write_text(json.dumps(made))


@pytest.fixture
def results(tmp_path):
    record(tmp_path / "grown")
    return tmp_path


def test_a_curve_has_a_row_for_each_seed_and_rises_in_size(results):
    curves = scaled(Study("grown", results), "steep", HOW)
    assert curves.columns.tolist() == [10, 100, 1000, 10000] and curves.index.tolist() == [0, 1, 2]
    assert curves.loc[2, 100] == pytest.approx((0.01 + 0.1) * 1.02) and curves.loc[2, 10] == curves.loc[0, 10]


def test_an_exponent_is_that_of_the_law(results):
    """With the interval that the module of statistics gives, of one arm and of two."""
    steep, flat = (scaled(Study("grown", results), arm, HOW) for arm in ("steep", "flat"))
    alone, both = (effect(HOW | how, results) for how in ({"arm": "steep"}, {"contrast": ["steep", "flat"]}))
    assert alone.interval == law_intervals(steep)["exponent"] and alone.interval.mean == pytest.approx(0.5, abs=0.02)
    assert both.interval == exponent_difference(steep, flat) and both.interval.mean == pytest.approx(0.25, abs=0.02)
    assert both.interval.n == 3


def test_a_run_that_diverged_has_the_value_that_the_rule_gives_it(tmp_path):
    lost = "few: steep"
    record(tmp_path / "grown", lambda t: t[(t.arm != lost) | (t.seed != 1) | (t.epoch == 0)])
    with pytest.raises(ValueError, match="lost"):
        effect(HOW | {"arm": "steep"}, tmp_path)
    curves = scaled(Study("grown", tmp_path), "steep", HOW | {"lost": 0.9})
    assert curves.loc[1, 10] == 0.9


def test_what_is_no_curve_is_refused(results):
    study = Study("grown", results)
    with pytest.raises(ValueError, match="'stars' in several models"):
        scaled(study, "stars", HOW)
    with pytest.raises(ValueError, match="no column 'stars'"):
        scaled(study, "steep", HOW | {"along": "stars"})
    with pytest.raises(ValueError, match=r"one epoch of its own, got .* of 'few: steep'"):
        scaled(study, "steep", HOW | {"along": "epoch"})


def test_two_models_of_one_size_are_refused(tmp_path):
    record(tmp_path / "grown", models={**SIZES, "again": 10})
    with pytest.raises(ValueError, match=r"one images of its own, got \[10\] of 'again: steep'"):
        effect(HOW | {"arm": "steep"}, tmp_path)
