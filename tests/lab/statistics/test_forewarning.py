"""Early warnings: the area against scikit-learn's, and that a model is asked only about runs it knows nothing of."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from physnn.lab.statistics import forewarning
from physnn.lab.statistics.forewarning import PREDICTORS, area, by_arm, chances, folds, forewarned, runs


@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_that_of_scikit_learn(seed):
    """With ties, and with outcomes that the numbers tell of."""
    rng = np.random.default_rng(seed)
    failed = rng.random(60) < 0.3
    told = np.round(rng.standard_normal(60) + failed, seed % 3)
    assert area(told, failed) == pytest.approx(roc_auc_score(failed, told), abs=1e-12)


def test_the_area_counts_pairs():
    assert area([3, 1, 2], [True, False, False]) == 1
    assert area([1, 2, 3], [True, False, False]) == 0
    assert area([5, 5, 5, 5], [True, False, True, False]) == 0.5
    assert area([1, 2, 2, 3], [False, True, False, True]) == pytest.approx(3.5 / 4)


@pytest.mark.parametrize(("told", "failed"), [([1, 2], [True, True]), ([], []), ([math.nan, 1.0], [True, False])])
def test_no_area_without_both_kinds(told, failed):
    with pytest.raises(ValueError, match="both kinds"):
        area(told, failed)


def table(seed=0, trials=40, arms=3, seeds=(0, 1)):
    """Runs whose end the reading `kinetic` tells, `loss` tells in part, and nothing else does."""
    rng = np.random.default_rng(seed)
    rows = []
    for arm in range(arms):
        for trial in range(trials):
            for number in seeds:
                signal = rng.standard_normal()
                ended = 0.9 if signal > 0 else 0.5
                common = {"arm": f"arm {arm}", "lr": 1e-3 * (trial + 1), "damping": 0.1, "temperature": 1e-6,
                          "beta_init": math.nan, "seed": number}  # fmt: skip
                readings = {name: rng.standard_normal() for name in forewarning.PHYSICS + forewarning.PLAIN}
                readings |= {"kinetic": signal, "loss": signal + 0.7 * rng.standard_normal()}
                lives = 3 if rng.random() > 0.05 or signal > 0 else 1  # some diverge
                for epoch in range(lives + 1):
                    last = {"validation_accuracy": ended if epoch == 3 else readings["validation_accuracy"]}
                    rows.append({**common, "epoch": epoch, **readings, **last})
    return pd.DataFrame(rows)


def test_a_reading_that_tells_is_found_and_others_are_not():
    """The area is above 0.97 for what tells; for what does not it is within four standard errors of one half."""
    rows = table(trials=60)
    told = forewarned(rows, 3, "physics")
    assert told.index.to_list() == ["arm 0", "arm 1", "arm 2"] and told.min() > 0.97
    assert 0.7 < forewarned(rows, 3, "loss and gradient").mean() < 0.95
    blind = forewarned(rows, 3, "learning rate")
    assert abs(blind.mean() - 0.5) < 4 * math.sqrt(1 / (12 * 30 * 30) * 61) / math.sqrt(3) * 2


def test_a_model_knows_neither_the_setting_nor_the_seed(monkeypatch):
    asked = []

    class Spy:
        def __init__(self, **options):
            pass

        def fit(self, x, failed):
            self.known = x.index

        def predict_proba(self, x):
            asked.append((self.known, x.index))
            return np.full((len(x), 2), 0.5)

    monkeypatch.setattr("sklearn.ensemble.HistGradientBoostingClassifier", Spy)
    found = runs(table(), 3)
    told = chances(found, ["lr"])
    assert len(asked) == 4 and sorted(np.concatenate([other for _, other in asked])) == sorted(found.index)
    assert told.notna().all()
    for known, other in asked:
        for name in ("trial", "seed"):
            assert not {*found[name][known]} & {*found[name][other]}


def test_a_run_fails_that_diverges_or_ends_below():
    rows = table()
    found = runs(rows, 3)
    assert len(found) == len(rows[rows.epoch == 1])
    ended = rows[rows.epoch == 3].set_index(["arm", "lr", "seed"]).validation_accuracy
    expected = [not ended.get((r.arm, r.lr, r.seed), 0) >= 0.8 for r in found.itertuples()]
    assert found.failed.to_list() == expected and 0 < found.failed.mean() < 1
    assert found.lr_over_damping.to_list() == pytest.approx((found.lr / 0.1).to_list())
    assert found.trial.max() == 39


def test_parts_of_one_outcome_are_left_out_of_the_mean():
    found = runs(table(), 3)
    parts = folds(found)
    corner = (found.arm == "arm 0") & parts.all(axis=1)
    found.loc[corner, "failed"] = False
    told = found.kinetic * -1.0
    assert by_arm(found, told)["arm 0"] == pytest.approx(1.0, abs=1e-12)
    whole = by_arm(found, told)
    found.loc[found.arm == "arm 0", "failed"] = True
    assert by_arm(found, told).to_dict() == whole.drop("arm 0").to_dict(), "an arm that always fails is left out"
    found.loc[found.arm == "arm 2", "failed"] = False
    with pytest.raises(ValueError, match=r"two arms .*got \['arm 1'\]"):
        by_arm(found, told)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: runs(table(), 3, 3), "from 1 to 2"),
        (lambda: runs(pd.concat([table(), table()]), 3), "same lr"),
        (lambda: forewarned(table(), 3, "stars"), "stars"),
        (lambda: chances(runs(table(), 3), ["stars"]), "stars"),
        (lambda: folds(runs(table(seeds=(0,)), 3)), "seed"),
        (lambda: chances(runs(table(), 3).assign(failed=True), ["lr"]), "one kind"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_predictor_is_what_a_run_logs_or_is_set_to():
    from physnn.lab.training.tasks import omens

    known = {*omens.COLUMNS, *forewarning.SETTINGS}
    assert all({*columns} <= known for columns in PREDICTORS.values())
    assert not {*PREDICTORS["all but physics"]} & {*forewarning.PHYSICS}
