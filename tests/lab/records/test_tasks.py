"""Tasks that are no classification go through a study, its repetition, verdicts and the explorer."""

import json
import random
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from physnn.lab.explorer import explorer, page, read_grids
from physnn.lab.records import effects, studies
from physnn.lab.records.finals import final_rows
from physnn.lab.records.reproduce import agreement, replicas, retrain, smallest
from physnn.lab.records.rerun import rerun
from physnn.lab.records.studies import Study
from physnn.lab.training import task, tasks

SGD = {"optimizer": "sgd", "momentum": 0.9}
NETWORKS = {"narrow": {"widths": [64, 4, 64], **SGD}, "wide": {"widths": [64, 32, 64], **SGD}}
DESIGNS = {
    "parabola": {
        "question": "How far?",
        "task": "parabola",
        "arms": {"steep": {"curvature": 2.0}, "flat": {"curvature": 0.5}},
        "tuning": {"lr": [0.1, 0.4, 3.0], "seeds": [9], "epochs": 3},
        "final": {"seeds": [0, 1, 2], "epochs": 4},
        "contrasts": [["steep", "flat"]],
    },
    "digits": {
        "question": "How clean?",
        "task": "denoising",
        "data": "digits",
        "batch_size": 128,
        "arms": {name: {"network": "mlp", "noise_level": 0.2, **arm} for name, arm in NETWORKS.items()},
        "tuning": {"lr": [0.02, 0.3], "seeds": [9], "epochs": 2},
        "final": {"seeds": [0, 1], "epochs": 3},
        "contrasts": [["wide", "narrow"]],
    },
}


@pytest.fixture(scope="module", autouse=True)
def known():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "__path__", [*tasks.__path__, str(Path(__file__).with_name("tasks"))])
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository") / "results"
    for name, design in DESIGNS.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "design.yml").write_text(yaml.safe_dump(design, sort_keys=False))
        Study(name, folder).run(workers=1, work=folder.parent / "_build" / "studies")
    return folder


@pytest.fixture(params=DESIGNS)
def study(request, results):
    return Study(request.param, results)


def test_every_number_that_is_recorded_has_a_meaning(study):
    table = study.table()
    labels = {"phase", "arm", "seed", "epoch", "diverged", *study.hyperparameters}
    for name in set(table) - labels:
        assert task.column(study.task, name).meaning
    assert study.task.SCORE in table and study.task.RESULT in table and "seconds" in table
    with pytest.raises(ValueError, match=r"COLUMNS of the task must say what 'beauty' is; it knows .*seconds"):
        task.column(study.task, "beauty")


def test_the_best_setting_is_the_one_with_the_better_score(study):
    table = study.table()
    ended = table[(table.phase == "tuning") & (table.epoch == study.design["tuning"]["epochs"])]
    larger = task.column(study.task, study.task.SCORE).larger
    for arm, rows in ended.groupby("arm"):
        scores = rows.set_index("lr")[study.task.SCORE]
        assert study.tuned(table).lr[arm] == (scores.idxmax() if larger else scores.idxmin())
    final = table[table.phase == "final"]
    assert final.groupby("arm").lr.first().to_dict() == study.tuned(table).lr.to_dict()
    assert final[study.task.RESULT].notna().sum() == len(study.arms) * len(study.design["final"]["seeds"])
    assert final_rows(study)[study.task.RESULT].tolist() == final[study.task.RESULT].dropna().tolist()
    assert study.provenance["data"] == study.task.checksum(study.design.get("data", ""))


def test_its_replicas_come_out_again_and_a_changed_number_is_found(study):
    table, score = study.table(), study.task.SCORE
    assert smallest(study, table, 0)[1].arm in study.arms
    for phase, replica, rows in replicas(study, table):
        assert retrain(study, phase, replica, rows).verdict == "equal"
    moved = rows.assign(**{score: rows[score] + 0.05 * (rows.epoch == 2)})
    finding = retrain(study, phase, replica, moved)
    assert (finding.verdict, finding.column, finding.epoch) == ("differs", score, 2)


def test_again_it_agrees_with_its_record_and_not_with_another(study, monkeypatch, capsys):
    monkeypatch.chdir(study.folder.parents[1])
    monkeypatch.setattr(studies, "RESULTS", study.folder.parent)
    (made,) = rerun([study.name], again=True, workers=1)
    whole, result = len(list(replicas(study, study.table()))), study.task.RESULT
    assert made.state == "complete" and made.agreement.agrees and made.agreement.equal == whole
    label = task.column(study.task, result).label
    assert f"{label}: means of {len(study.arms)} arms within 0.0" in str(made)
    table, arm = study.table(), next(iter(study.arms))
    other = agreement(study, table, table.assign(**{result: table[result] + 3.0 * (table.arm == arm)}))
    assert other.apart == [arm] and f"MEANS BEYOND TOLERANCE: {arm}" in str(other)


def test_a_result_that_every_row_has_is_compared_at_the_end(study, monkeypatch):
    """As of searches, whose result is also what they are chosen by."""
    monkeypatch.setattr(study.task, "RESULT", study.task.SCORE)
    found, ended = agreement(study, study.table(), study.table()), final_rows(study)
    assert found.agrees
    assert found.arms.recorded.to_dict() == pytest.approx(ended.groupby("arm")[study.task.SCORE].mean().to_dict())


def effect(results, **how):
    return effects.effect({"study": "parabola", "arm": "flat", **how}, results).interval


def test_verdicts_follow_from_the_score_where_smaller_is_better(results):
    """By hand: a distance shrinks by 1 - lr c in every step, and 3.0 overshoots, for "flat" by a factor of -0.5."""
    starts = [1 + random.Random(seed).random() for seed in (0, 1, 2)]
    shrunk = [100 * start * 0.5**4 for start in starts]
    study = Study("parabola", results)
    assert study.tuned(study.table()).lr.to_dict() == {"steep": 0.4, "flat": 3.0}
    assert effect(results, column="end", scale=100).mean == pytest.approx(sum(shrunk) / 3, rel=1e-4)
    start = 100 * (1 + random.Random(9).random())
    ends = sorted(start * factor**3 for factor in (0.95, 0.8, 0.5))
    for arm, within, share in (
        ("flat", 0.9 * (ends[1] - ends[0]), 1 / 3),
        ("flat", 1.1 * (ends[1] - ends[0]), 2 / 3),
        ("steep", 1.9e3, 2 / 3),  # the third has diverged, and the guess is 20 m
        ("steep", 2.1e3, 1),
    ):
        assert effect(results, arm=arm, measure="near-best", within=within).mean == pytest.approx(100 * share)
    assert effect(results, arm="steep", measure="diverged").mean == pytest.approx(100 / 3)
    needed = [next((n for n in range(5) if 100 * start * 0.5**n <= 30), 4) for start in starts]
    assert effect(results, measure="epochs-to", threshold=30).mean == pytest.approx(sum(needed) / 3)
    left = sum(end / 100 % 1 + end / 100 % 2 for end in shrunk) / 6
    assert effect(results, column="side_*").mean == pytest.approx(left, rel=1e-3)


def test_the_explorer_shows_what_each_task_measures(results, monkeypatch):
    shown = []
    monkeypatch.setattr(page, "display", lambda result: shown.append(result.data))
    grids = read_grids(results)
    for name, grid in grids.items():
        explorer(grids, name)
        data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', shown.pop(), re.DOTALL)[1])
        assert data["measure"] == grid.study.task.RESULT and data["studies"][name]["task"] == DESIGNS[name]["task"]
        known = data["tasks"][DESIGNS[name]["task"]]
        assert set(data["studies"][name]["measures"]) <= set(known["measures"])
        assert known["score"] == task.column(grid.study.task, grid.study.task.SCORE).label
        numbers, result = grid.numbers(), grid.study.task.RESULT
        assert numbers[result].str.contains("[", regex=False).all()
        assert grid.title(result) == known["measures"][result]["label"]
        assert pd.notna(grid.tuning().best).all() and grid.curve(next(iter(grid.study.arms)))[0][1:]


def test_the_mean_of_a_family_and_the_unit_are_shown(results):
    grid = read_grids(results)["parabola"]
    assert grid.measures == ["end", "side_*", "error"] and list(grid.models) == ["all"]
    ends = grid.runs.set_index("seed")
    ends = ends[ends.arm == "flat"]
    assert ends["side_*"].tolist() == pytest.approx((50 * (ends.side_1 + ends.side_2)).tolist())
    start = 1 + random.Random(1).random()
    assert ends.end[1] == pytest.approx(100 * start * 0.5**4, rel=1e-4)


def test_a_task_that_there_is_not(results):
    folder = results.parent / "wrong" / "unknown"
    folder.mkdir(parents=True)
    (folder / "design.yml").write_text(yaml.safe_dump({**DESIGNS["parabola"], "task": "parable"}))
    with pytest.raises(ValueError, match=r"task must be one of .*images.*, got 'parable'"):
        Study("unknown", folder.parent)
