"""Importances of hyperparameters whose part is known."""

import numpy as np
import pandas as pd
import pytest

from physnn.lab.statistics.importance import importances


@pytest.fixture
def trials():
    values = np.random.default_rng(0).uniform(-3, 0, size=(96, 3))
    return pd.DataFrame(10**values, columns=["lr", "damping", "unused"])


def test_what_decides_alone_has_importance_one(trials):
    trials["y"] = np.where(trials.lr > 10**-1.5, 0.9, 0.1)
    found, score = importances(trials, ["unused", "lr", "damping"], "y")
    assert found.index[0] == "lr" and found["mean"]["lr"] == pytest.approx(1, abs=0.1)
    assert found["mean"].drop("lr").abs().max() < 0.02 and score > 0.9
    assert (found.low <= found["mean"]).all() and (found["mean"] <= found.high).all()


def test_what_acts_together_sums_to_more_than_one(trials):
    trials["y"] = (np.log(trials.lr) > -3.45) ^ (np.log(trials.damping) > -3.45)
    found, score = importances(trials, ["lr", "damping", "unused"], "y")
    assert found["mean"][["lr", "damping"]].sum() > 1.1 and set(found.index[:2]) == {"lr", "damping"} and score > 0


def test_of_noise_nothing_is_learned(trials):
    trials["y"] = np.random.default_rng(1).normal(size=len(trials))
    assert importances(trials, ["lr", "damping", "unused"], "y")[1] < 0.2


def test_the_same_trials_give_the_same_importances(trials):
    trials["y"] = trials.lr
    (first, score), (again, same) = (importances(trials, ["lr", "damping"], "y") for _ in range(2))
    assert first.equals(again) and score == same


def test_what_cannot_be_fitted_is_refused(trials):
    trials["y"] = trials.lr
    with pytest.raises(ValueError, match=r"at least ten trials.*got 9"):
        importances(trials[:9], ["lr"], "y")
    trials.loc[3, "y"] = np.nan
    with pytest.raises(ValueError, match="finite"):
        importances(trials, ["lr"], "y")
