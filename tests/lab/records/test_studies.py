"""A study on the digits: it tunes, it runs, it resumes, and a changed design or table is refused."""

import json
import math

import pandas as pd
import pytest
import yaml
from scipy.stats import kstest

from physnn.lab.records import studies
from physnn.lab.records.studies import Study
from physnn.lab.training import task

DESIGN = {
    "data": "digits",
    "batch_size": 256,
    "arms": {
        "proposal": {"widths": [64, 10], "layer": "experimental", "loss": "ginzburg-landau", "optimizer": "langevin",
                     "damping": 0.1, "temperature": 1.0e-5, "beta_init": 0.1},
        "plain": {"widths": [64, 10], "layer": "linear", "loss": "squared-error", "optimizer": "sgd",
                  "momentum": 0.9},
    },
    "tuning": {"lr": [0.001, 0.1, 1.0e30], "seeds": [9], "epochs": 2},
    "final": {"seeds": [0, 1], "epochs": 3},
    "contrasts": [["proposal", "plain"]],
}  # fmt: skip


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "small"
    folder.mkdir(parents=True)
    (folder / "design.yml").write_text(yaml.safe_dump(DESIGN, sort_keys=False))
    return tmp_path / "results"


def test_run_record_resume_refuse(results, capsys):
    with pytest.raises(FileNotFoundError, match="make results"):
        Study("small", results).table()
    Study("small", results).run(workers=1)
    study = Study("small", results)
    table = study.table()
    final = table[table.phase == "final"]
    assert final.groupby(["arm", "seed"]).size().to_dict() == {
        (arm, seed): 4 for arm in ("proposal", "plain") for seed in (0, 1)
    }
    assert final.test_accuracy.notna().sum() == 4 and (final.test_accuracy.dropna() > 0.05).all()
    assert table[table.phase == "tuning"].test_accuracy.isna().all(), "the test images were read while tuning"
    assert table[table.lr == 1e30].groupby("arm").diverged.any().to_dict() == {"proposal": True, "plain": True}
    assert (final.lr == final.arm.map(study.tuned(table).lr)).all() and (final.lr < 1).all()
    assert study.provenance["seconds_of_training"] >= 0 and len(study.provenance["source"]) == 64

    # Finished replicas are not run again: lose one, and only that one is.
    recorded = (results / "small" / "table.csv").read_bytes()
    parts = sorted((results.parent / "_build" / "studies").glob("small-*/*.csv"))
    assert len(parts) == 10
    parts[0].unlink()
    capsys.readouterr()
    study.run(workers=1)
    assert capsys.readouterr().out.count("replicas to go") == 1
    again = pd.read_csv(results / "small" / "table.csv")
    pd.testing.assert_frame_equal(again.drop(columns="seconds"), table.drop(columns="seconds"))

    (results / "small" / "table.csv").write_bytes(recorded[:-30])
    with pytest.raises(ValueError, match=r"the table of study 'small' changed .* make results"):
        Study("small", results).table()
    (results / "small" / "design.yml").write_text(yaml.safe_dump({**DESIGN, "batch_size": 64}))
    with pytest.raises(ValueError, match=r"the design of study 'small' changed .* make results"):
        Study("small", results).table()


def test_models_multiply_the_arms_and_a_rate_must_serve_every_seed(results):
    plain = {key: value for key, value in DESIGN["arms"]["plain"].items() if key != "widths"}
    models = {"linear": {"widths": [64, 10]}, "MLP": {"widths": [64, 16, 10]}}
    tuning = {"lr": [0.001, 0.01], "seeds": [1, 2], "epochs": 1}
    design = {**DESIGN, "models": models, "arms": {"plain": plain}, "tuning": tuning, "contrasts": []}
    (results / "small" / "design.yml").write_text(yaml.safe_dump(design))
    study = Study("small", results)
    assert study.arms == {f"{model}: plain": {**plain, **shared} for model, shared in models.items()}
    rows = [("linear: plain", 0.001, 1, 0.5), ("linear: plain", 0.001, 2, 0.5), ("linear: plain", 0.01, 1, 0.9)]
    rows += [("MLP: plain", 0.001, 1, 0.1), ("MLP: plain", 0.001, 2, 0.3)]
    rows += [("MLP: plain", 0.01, 1, 0.15), ("MLP: plain", 0.01, 2, 0.2)]
    table = pd.DataFrame(rows, columns=["arm", "lr", "seed", "validation_accuracy"]).assign(phase="tuning", epoch=1)
    assert study.tuned(table).lr.to_dict() == {"linear: plain": 0.001, "MLP: plain": 0.001}
    with pytest.raises(ValueError, match=r"no setting of \['MLP: plain'\] has a validation_accuracy of every seed"):
        study.tuned(table[~((table.arm == "MLP: plain") & (table.seed == 2))])


SEARCH = {
    **{name: "search" for name in ("damping", "temperature", "beta_init")},
    "widths": [64, 10], "layer": "dynamic", "loss": "ginzburg-landau", "optimizer": "langevin",
}  # fmt: skip


def test_a_random_search_gives_every_arm_the_same_trials_of_what_it_searches(results):
    bounds = {"lr": [1e-4, 1e-1], "damping": [0.02, 1.0], "temperature": [1e-8, 1e-3], "beta_init": [0.001, 1.0]}
    arms = {"all": SEARCH, "cold": {**SEARCH, "temperature": 0.0}}
    tuning = {"trials": 60, "draw": 1, **bounds, "seeds": [9], "epochs": 1}
    final = {"seeds": [0], "epochs": 1}
    path = results / "small" / "design.yml"
    design = {**DESIGN, "arms": arms, "tuning": tuning, "final": final, "contrasts": [["all", "cold"]]}
    path.write_text(yaml.safe_dump(design, sort_keys=False))
    study = Study("small", results)
    drawn = pd.DataFrame(study.settings("all"))
    assert len(drawn) == 60 and drawn.equals(pd.DataFrame(Study("small", results).settings("cold")))
    logs = (drawn / [low for low, _ in bounds.values()]).map(math.log)
    share = logs / [math.log(high / low) for low, high in bounds.values()]
    assert share.min().gt(0).all() and share.max().lt(1).all()
    for name in share:  # log-uniform: a false alarm in a thousand for each
        assert kstest(share[name], "uniform").pvalue > 1e-3
    study.run(workers=1)
    table = study.table()
    tried = table[(table.phase == "tuning") & (table.epoch == 1)].reset_index(drop=True)
    names = list(bounds)
    pd.testing.assert_frame_equal(tried[tried.arm == "all"][names].reset_index(drop=True), drawn, rtol=1e-4)
    assert tried[tried.arm == "cold"].temperature.isna().all()
    assert tried[tried.arm == "cold"].damping.tolist() == tried[tried.arm == "all"].damping.tolist()
    for arm in arms:
        best = tried.loc[tried[tried.arm == arm].validation_accuracy.idxmax()]
        run = table[(table.phase == "final") & (table.arm == arm)].iloc[0]
        assert run[names].equals(best[names]) or (run[names] - best[names]).abs().max() == 0
        replica = study.replica(arm, run, run.seed)
        assert replica.lr == run.lr and replica.recipe["damping"] == run.damping and replica.seed == 0
    assert study.replica("cold", best, 3).recipe["temperature"] == 0.0


def searched(results, models, **tuning):
    """Return a study with three random trials of what ``SEARCH`` searches, in several models."""
    bounds = {"lr": [1e-4, 1e-1], "damping": [0.02, 1.0], "temperature": [1e-8, 1e-3], "beta_init": [0.001, 1.0]}
    tuning = {"trials": 3, **bounds, "seeds": [9], "epochs": 1} | tuning
    design = {**DESIGN, "models": models, "arms": {"all": SEARCH}, "tuning": tuning}
    del design["contrasts"]
    (results / "small" / "design.yml").write_text(yaml.safe_dump(design, sort_keys=False))
    return Study("small", results)


def test_a_model_may_have_a_draw_and_a_unit_of_rates_of_its_own(results):
    study = searched(results, {"first": {"draw": 1}, "again": {"draw": 1, "lr_unit": 100.0}, "other": {}}, draw=2)
    assert all(recipe == SEARCH for recipe in study.arms.values())  # no task sees it
    first, again, other = (pd.DataFrame(study.settings(arm)) for arm in study.arms)
    assert again.drop(columns="lr").equals(first.drop(columns="lr")) and (again.lr / first.lr).round(9).eq(100).all()
    assert (other != first).all(axis=None)
    study.run(workers=1)
    table = study.table()
    ended = table[(table.phase == "tuning") & (table.epoch == 1)].groupby("arm", sort=False).lr.agg(list)
    assert ended.tolist() == [each.lr.tolist() for each in (first, again, other)]
    assert table[table.phase == "final"].groupby("arm").lr.first().isin([*first.lr, *again.lr, *other.lr]).all()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({}, r"the arm 'm: all' has no draw, the seed of its trials; give it, or tuning, one"),
        ({"draw": 1.5}, r"draw must be a whole number, got 1.5 for the arm 'm: all'"),
        ({"draw": 1, "lr_unit": 0.0}, r"lr_unit must be a number above 0, got 0.0 for the arm 'm: all'"),
        ({"draw": 1, "lr_unit": "half"}, r"lr_unit must be a number above 0, got 'half'"),
    ],
)
def test_what_a_recipe_says_of_its_trials_is_checked(results, model, said):
    with pytest.raises(studies.StudyError, match=said):
        searched(results, {"m": model})


def test_a_draw_without_trials_is_refused(results):
    design = {**DESIGN, "models": {"m": {"draw": 1}}}
    del design["contrasts"]
    (results / "small" / "design.yml").write_text(yaml.safe_dump(design, sort_keys=False))
    with pytest.raises(studies.StudyError, match=r"has \['draw'\], which is for random trials"):
        Study("small", results)


def test_a_grid_of_two_without_final_runs(results):
    arms = {"all": {**SEARCH, "damping": 0.1, "temperature": 0.0}}
    tuning = {"lr": [0.01, 0.1], "beta_init": [0.1, 1.0, 30.0], "seeds": [9], "epochs": 1}
    design = {**DESIGN, "arms": arms, "tuning": tuning}
    del design["final"], design["contrasts"]
    path = results / "small" / "design.yml"
    path.write_text(yaml.safe_dump(design, sort_keys=False))
    Study("small", results).run(workers=1)
    table = Study("small", results).table()
    assert len(table.groupby(["lr", "beta_init"])) == 6 and set(table.phase) == {"tuning"}
    assert table[table.beta_init == 30.0].diverged.all() and not table[table.beta_init < 30].diverged.any()
    path.write_text(yaml.safe_dump({**design, "tuning": {**tuning, "damping": [0.1]}}))
    with pytest.raises(ValueError, match=r"arms search \['beta_init'\] and lr"):
        Study("small", results)


def test_unknown_study(results):
    with pytest.raises(ValueError, match=r"no study 'smal'.*Studies: small"):
        Study("smal", results)


def test_every_recorded_study_is_whole():
    """The committed tables match their designs, and hold every replica of them; a design may wait for its table."""
    recorded = sorted(studies.RESULTS.glob("*/table.csv"))
    assert recorded
    for path in recorded:
        study = Study(path.parent.name)
        table, design = study.table(), study.design
        replicas = table.groupby(["phase", "arm", *study.hyperparameters, "seed"], dropna=False).size()
        trials = sum(len(study.settings(arm)) for arm in study.arms) * len(design["tuning"]["seeds"])
        assert len(replicas) == trials + len(study.arms) * len(design.get("final", {}).get("seeds", []))
        score, result = study.task.SCORE, study.task.RESULT
        assert set(table.columns) >= {"epoch", "seconds", "diverged", score}
        for name in set(table) - {"phase", "arm", "seed", "epoch", "diverged", *study.hyperparameters}:
            assert task.column(study.task, name).meaning
        if result != score:  # it is read once, at the end of what was chosen
            read = table.get(result, pd.Series(float("nan"), table.index)).notna()
            last = (table.phase == "final") & (table.epoch == design.get("final", {}).get("epochs"))
            # Row 0 of generation is a copyist's, the floor of the distances; nothing is chosen by it.
            floor = (table.phase == "final") & (table.epoch == 0) & (study.task_name == "generation")
            assert (read == (last | floor)).all()
        json.dumps(study.provenance)
