"""Replicas of a small study are trained again: what is as recorded is accepted, and what is not is found."""

import math

import numpy as np
import pandas as pd
import pytest
import yaml

from physnn.lab.records import reproduce
from physnn.lab.records.reproduce import agreement, replicas, retrain, sample, smallest
from physnn.lab.records.studies import Study

SHARED = {"optimizer": "langevin", "damping": "search", "temperature": 1e-5}
DESIGN = {
    "data": "digits",
    "batch_size": 64,
    "arms": {
        "linear": {**SHARED, "widths": [64, 10], "layer": "linear", "lr_schedule": "cosine", "loss": "squared-error"},
        "MLP": {**SHARED, "widths": [64, 16, 10], "layer": "linear", "loss": "cross-entropy"},
    },
    "tuning": {"lr": [0.01, 0.1, 1e30], "damping": [0.1, 0.5], "seeds": [9], "epochs": 2},
    "final": {"seeds": [0, 1, 2], "epochs": 4, "extras": ["answers"]},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    (folder / "small").mkdir()
    (folder / "small" / "design.yml").write_text(yaml.safe_dump(DESIGN, sort_keys=False))
    study = Study("small", folder)
    study.run(workers=1, work=folder / "work")
    return study


def find(study, table, **wanted):
    """Return the one replica with these labels."""
    (found,) = [
        each for each in replicas(study, table) if all(each[2][name].eq(value).all() for name, value in wanted.items())
    ]
    return found


def test_every_replica_of_a_table_comes_out_again(study):
    table = study.table()
    every = list(replicas(study, table))
    assert len(every) == 2 * (3 * 2 + 3) and sum(len(rows) for *_, rows in every) == len(table)
    for each in every:
        finding = retrain(study, *each)
        assert finding.verdict == "equal" and finding.excess < 1, finding
    assert sum(rows.diverged.any() for *_, rows in every) == 4


def test_its_first_epochs_alone_are_those_of_the_whole(study):
    """Also under a schedule, which goes by the whole number of epochs."""
    *each, rows = find(study, study.table(), arm="linear", phase="final", seed=1)
    finding = retrain(study, *each, rows, epochs=2)
    assert finding.verdict == "equal"
    last = rows.assign(validation_accuracy=rows.validation_accuracy.where(rows.epoch < 4, 0.0), test_accuracy=0.0)
    assert retrain(study, *each, last, epochs=2).verdict == "equal"
    assert retrain(study, *each, last).verdict == "differs"


@pytest.mark.parametrize(
    ("column", "epoch", "change"),
    [
        ("validation_accuracy", 2, lambda value: value + 0.005),
        ("validation_accuracy", 0, lambda value: value + 0.005),
        ("validation_nll", 1, lambda value: value * 1.001),
        ("loss", 4, lambda value: -value),
        ("test_nll", 4, lambda value: math.nan),
        ("test_nll", 3, lambda value: 1.0),
        ("norm", 3, lambda value: math.inf),
        ("diverged", 2, lambda value: 1.0),
    ],
)
def test_a_number_that_was_changed_is_found(study, column, epoch, change):
    *each, rows = find(study, study.table(), arm="linear", phase="final", seed=1)
    rows = rows.astype({column: float})
    at = rows.index[rows.epoch == epoch]
    rows.loc[at, column] = change(rows.loc[at[0], column])
    finding = retrain(study, *each, rows)
    assert (finding.verdict, finding.column, finding.epoch) == ("differs", column, epoch) and finding.excess > 1
    assert column in str(finding) and f"after epoch {epoch}" in str(finding)


def test_a_row_that_is_lost_and_a_foreign_seed_are_found(study):
    *each, rows = find(study, study.table(), arm="MLP", phase="final", seed=2)
    assert retrain(study, *each, rows[rows.epoch != 3]).verdict == "differs"
    *_, others = find(study, study.table(), arm="MLP", phase="final", seed=1)
    assert retrain(study, *each, others).verdict == "differs"


def test_drift_is_allowed_where_twins_drift_and_nowhere_else(study, monkeypatch):
    """A replica whose twins leave it, as far as they leave it: the nudge stands in for an unstable run."""
    *each, rows = find(study, study.table(), arm="MLP", phase="final", seed=2)
    moved = rows.assign(validation_nll=rows.validation_nll * (1 + 0.01 * (rows.epoch > 1)))
    assert retrain(study, *each, moved).verdict == "differs"
    monkeypatch.setattr(reproduce, "NUDGE", 0.01)
    assert retrain(study, *each, moved).verdict == "drifted"
    tuning = find(study, study.table(), arm="MLP", phase="tuning", lr=0.1, damping=0.1)
    moved = tuning[2].assign(validation_nll=tuning[2].validation_nll * (1 + 0.01 * (tuning[2].epoch > 1)))
    assert retrain(study, *tuning[:2], moved).verdict == "drifted"
    start = rows.assign(validation_nll=rows.validation_nll * 1.001)
    finding = retrain(study, *each, start)
    assert (finding.verdict, finding.epoch) == ("differs", 0), "nothing drifts before the first step"


def test_the_sample_is_drawn_from_what_is_affordable(study):
    table = study.table()
    dear = table.assign(seconds=table.seconds.where(table.arm == "linear", 1000.0))
    drawn = sample(study, dear, seed=1)
    assert [phase for phase, *_ in drawn] == ["tuning"] * 3 + ["final"] * 3
    assert all(replica.arm == "linear" for _, replica, _ in drawn)
    ids = [(phase, replica.lr, replica.seed, replica.recipe["damping"]) for phase, replica, _ in drawn]
    assert len(set(ids)) == 6
    again = [(phase, r.lr, r.seed, r.recipe["damping"]) for phase, r, _ in sample(study, dear, seed=1)]
    assert ids == again
    assert len({str([r for _, r, _ in sample(study, table, seed=i)]) for i in range(5)}) > 1
    cheap = sample(study, table.assign(seconds=1000.0), seed=1, count=2)
    assert len(cheap) == 4, "where nothing is affordable, what costs least"
    assert smallest(study, table, 0)[1].arm == "linear"


def test_a_table_is_compared_with_itself_and_with_runs_from_other_seeds(study):
    table = study.table()
    same = agreement(study, table, table)
    assert (same.recorded, same.again, same.equal, same.unlike) == (18, 18, 18, 0)
    assert same.agrees and len(same.arms) == 2 and same.largest == (0.0, "") and not same.tuned
    part = agreement(study, table, table[(table.phase == "tuning") & (table.arm == "MLP")])
    assert (part.recorded, part.again, part.equal, len(part.arms)) == (18, 6, 6, 0) and part.agrees

    final = table.phase == "final"
    moved = table.assign(validation_accuracy=table.validation_accuracy.where(~final | (table.epoch == 0), 0.5))
    drifted = agreement(study, table, moved)
    assert drifted.agrees and drifted.equal == 12 and drifted.largest[0] > 0.1 and "final" in drifted.largest[1]
    better = table.assign(test_accuracy=table.test_accuracy + 0.5 * (table.arm == "MLP"))
    apart = agreement(study, table, better)
    assert not apart.agrees and apart.apart == ["MLP"] and "MEANS BEYOND TOLERANCE: MLP" in str(apart)
    start = agreement(study, table, table.assign(validation_nll=table.validation_nll + (table.epoch == 0)))
    assert not start.agrees and start.unlike == 18 and "DIFFERENT AT EPOCH 0: 18 replicas" in str(start)
    other = table.assign(lr=table.lr.where(~final | (table.arm != "MLP"), 0.123))
    tuned = agreement(study, table, other)
    assert tuned.tuned == ["MLP"] and tuned.again == 15 and tuned.agrees


def test_nothing_in_common_is_not_compared(study):
    table = study.table()
    other = agreement(study, table, table.assign(seed=table.seed + 1000))
    assert other.agrees is None
    assert str(other) == "not compared: none of the 18 recorded replicas was trained again"


def test_means_of_few_seeds_that_drift_are_neither_equal_nor_apart(study):
    """Student's interval of three differences at this confidence is 58 standard deviations wide to each side."""
    table = study.table()
    drift = table.test_accuracy + 0.02 * (table.seed - 0.5) * (table.arm == "MLP")
    found = agreement(study, table, table.assign(test_accuracy=drift))
    assert found.agrees is None and found.open == ["MLP"] and not found.apart
    assert "means that too few seeds compare: MLP" in str(found)
    near = table.test_accuracy + 0.001 * (table.seed - 0.5) * (table.arm == "MLP")
    assert agreement(study, table, table.assign(test_accuracy=near)).agrees


def test_an_arm_of_one_seed_is_compared_too(study):
    table = study.table()
    one = table[(table.phase == "tuning") | (table.seed == 1)]
    assert agreement(study, one, one).agrees and len(agreement(study, one, one).arms) == 2
    moved = agreement(study, one, one.assign(test_accuracy=one.test_accuracy + 0.05))
    assert moved.agrees is None and sorted(moved.open) == ["MLP", "linear"]


def test_a_mean_is_judged_by_the_spread_of_its_differences(study):
    end = {"phase": "final", "epoch": study.design["final"]["epochs"]}
    rows = pd.DataFrame({"arm": "a", "seed": range(10), "test_accuracy": 0.9, **end})

    def judge(differences):
        (arm,) = reproduce._means(study, rows, rows.assign(test_accuracy=0.9 + differences)).itertuples()
        return abs(arm.again - arm.recorded) <= arm.allowed

    generator = np.random.default_rng(0)
    assert all(judge(0.003 * generator.standard_normal(10)) for _ in range(200)), "drift has no direction"
    assert judge(np.array([0.05] + 9 * [0.0])) and judge(np.array([0.02, 0.03] + 8 * [0.0])), "few have drifted"
    assert not judge(0.006 + 0.002 * generator.standard_normal(10)), "this has one"
    assert not judge(np.full(10, 0.0003)) and judge(np.full(10, 0.0002))
