"""A study on the digits: it tunes, it runs, it resumes, and a changed design or table is refused."""

import json

import pandas as pd
import pytest
import yaml

from physnn.lab import studies
from physnn.lab.studies import Study

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
    assert (final.lr == final.arm.map(study.tuned(table))).all() and (final.lr < 1).all()
    assert study.provenance["seconds_of_training"] >= 0 and len(study.provenance["source"]) == 64

    # Finished replicas are not run again: lose one, and only that one is.
    recorded = (results / "small" / "table.csv").read_bytes()
    parts = sorted((results.parent / "_build" / "studies").glob("small-*/*.csv"))
    assert len(parts) == 10
    parts[0].unlink()
    capsys.readouterr()
    study.run(workers=1)
    assert capsys.readouterr().out.count("1 of 1 replicas") == 1
    again = pd.read_csv(results / "small" / "table.csv")
    pd.testing.assert_frame_equal(again.drop(columns="seconds"), table.drop(columns="seconds"))

    (results / "small" / "table.csv").write_bytes(recorded[:-30])
    with pytest.raises(ValueError, match=r"the table of study 'small' changed .* make results"):
        Study("small", results).table()
    (results / "small" / "design.yml").write_text(yaml.safe_dump({**DESIGN, "batch_size": 64}))
    with pytest.raises(ValueError, match=r"the design of study 'small' changed .* make results"):
        Study("small", results).table()


def test_unknown_study(results):
    with pytest.raises(ValueError, match=r"no study 'smal'.*Studies: small"):
        Study("smal", results)


def test_every_recorded_study_is_whole():
    """The committed tables match their designs, and hold every replica of them."""
    designs = sorted(studies.RESULTS.glob("*/design.yml"))
    assert designs
    for path in designs:
        study = Study(path.parent.name)
        table, design = study.table(), study.design
        replicas = table.groupby(["phase", "arm", "lr", "seed"]).size()
        tuning = len(study.arms) * len(design["tuning"]["lr"]) * len(design["tuning"]["seeds"])
        assert len(replicas) == tuning + len(study.arms) * len(design["final"]["seeds"])
        assert set(table.columns) >= {"epoch", "loss", "validation_accuracy", "test_accuracy", "diverged"}
        json.dumps(study.provenance)
