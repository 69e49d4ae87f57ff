"""The task of bounds, on the digits: replicas do not meet, twins change nothing, and bounds are what they are of."""

import math

import pandas as pd
import pytest

from physnn.lab.statistics import bounds as theory
from physnn.lab.training.certificate import Certificate
from physnn.lab.training.cooling import Cooling
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica, column
from physnn.lab.training.tasks import bounds

PLAIN = {
    "widths": [64, 16, 10], "layer": "linear", "bias": False, "loss": "cross-entropy", "optimizer": "langevin",
    "damping": 0.1, "images": 400, "hottest": 0.03, "coldest": 3e-4, "steps": 24,
}  # fmt: skip
PRINTED = {**PLAIN, "layer": "experimental", "beta_init": 0.1, "loss": "ginzburg-landau"}
del PRINTED["bias"]
RECIPES = {"plain": PLAIN, "printed": PRINTED, "half": {**PLAIN, "prior": "half", "hottest": 3e-3}}


def replica(name, seed, lr=0.3):
    return Replica(name, RECIPES[name], lr, seed)


def train(replicas, epochs=2, test=True, batch=100):
    budget = Budget("digits", epochs, batch, test)
    rows = [row for chunk in chunks(replicas, budget, task="bounds") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def of(table, member):
    return table[(table.arm == member.arm) & (table.seed == member.seed) & (table.lr == member.lr)].reset_index(
        drop=True
    )


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    """Of other seeds, and of its own seed at another rate; to rounding, of sums that cancel."""
    member = replica(name, 3)
    company = [replica(name, 0), member, replica(name, 3, 0.1)]
    alone, together = train([member]), train(company)
    pd.testing.assert_frame_equal(of(together, member), alone, rtol=3e-3, atol=3e-3)


@pytest.mark.parametrize("name", ["plain", "half"])
def test_a_twin_with_random_labels_changes_nothing(name):
    member = replica(name, 5)
    with_twin, without = train([member]), train([member], test=False)
    assert not [c for c in without if c.startswith("random_") or c.endswith("_lowest")]
    pd.testing.assert_frame_equal(with_twin[without.columns], without, rtol=3e-3, atol=3e-3)
    last = with_twin.iloc[-1]
    assert last.random_train_error > last.train_error + 0.1  # nothing is to be learned of random labels
    assert 0 < last.random_slack < 0.1 and last.random_heat_bound > 0.85


def test_a_twin_knows_no_labels():
    """Its error on what it has not learned is nine tenths, to 4.5 standard errors of 400 labels (in 10⁵ one is not)."""
    table = train([replica("plain", 1)])
    assert table.random_train_error[0] == pytest.approx(0.9, abs=4.5 * 0.3 / 20)


@pytest.mark.parametrize("name", RECIPES)
def test_bounds_are_those_of_theory(name):
    table = train([replica(name, 2)])
    n = 200 if name == "half" else 400
    for row in table.itertuples():
        assert row.heat_bound == pytest.approx(theory.pac_bayes(row.train_error, row.heat_kl, n, choices=3))
        assert row.ladder_bound == pytest.approx(theory.pac_bayes(row.train_error, row.ladder_kl, n, choices=3))
        gap = theory.expected_gap(row.steps_kl, n)
        assert row.steps_bound == pytest.approx(min(1.0, row.train_error + gap))
        gap = theory.expected_gap(row.incoherence_kl, 1)
        assert row.incoherence_bound == pytest.approx(min(1.0, row.train_error + gap))
    betas = [0.0, *(1 / table.temperature[1:])]
    assert table.ladder_kl[2] == pytest.approx(theory.ladder_kl(betas, table.loss.tolist()), rel=1e-6)
    assert list(table.temperature[1:]) == pytest.approx([RECIPES[name]["hottest"], 3e-4])
    assert ("held_out" in table) == (name == "half")
    for name in table.drop(columns=["arm", "lr", "seed", "epoch", "diverged"]):
        assert column(bounds, name).meaning


def test_heat_is_about_the_loss_that_was_lost_over_the_temperature():
    """In small steps on all images at once, at one temperature."""
    recipe = {**PLAIN, "images": 200, "coldest": 0.03, "steps": 60}
    budget = Budget("digits", 1, 200)
    rows = [row for c in chunks([Replica("a", recipe, 0.05, 0)], budget, task="bounds") for row in c.rows]
    before = rows[0]["loss"]
    # The mean of the second half of the steps is later than the start and earlier than the end.
    assert 0 < (before - rows[1]["loss"]) / 0.03 < 2 * rows[1]["heat_kl"]


def test_what_counts_is_the_least_bound_where_the_network_works():
    own = Certificate(1000, 3)
    numbers = {"loss": 1.0, "path": 1e9, "left": 0.01}
    own.row(0.0, error=0.1, accuracy=0.95, heat=0.0, **numbers)  # the start is no temperature
    own.row(1.0, error=0.5, accuracy=0.5, heat=1.0, **numbers)
    own.row(2.0, error=0.2, accuracy=0.91, heat=50.0, **numbers | {"loss": 0.9})
    own.row(3.0, error=0.1, accuracy=0.95, heat=900.0, **numbers | {"loss": 0.8})
    lowest = own.lowest()
    assert lowest["heat_lowest"] == pytest.approx(theory.pac_bayes(0.2, 50.0, 1000, choices=4))
    assert lowest["steps_lowest"] == 1.0
    assert lowest["incoherence_lowest"] == pytest.approx(0.1 + theory.expected_gap(0.04, 1))
    assert lowest["free_lowest"] == min(lowest["heat_lowest"], lowest["incoherence_lowest"])
    assert lowest["heat_least"] == pytest.approx(theory.pac_bayes(0.2, 50.0, 1000, choices=4))
    broken = Certificate(1000, 3)
    broken.row(0.0, error=0.9, accuracy=0.1, heat=0.0, **numbers)
    assert broken.row(1.0, error=1.0, accuracy=0.0, loss=1.0, heat=math.nan, path=math.nan, left=0.0)["heat_bound"] == 1


@pytest.mark.parametrize("name", ["plain", "half"])
def test_a_chain_that_diverges_has_no_row_any_more(name, monkeypatch):
    """Weights that become infinite, in a prior's training or on the ladder, end their replica, and no other."""
    taken = Cooling.step

    def step(self, grads):
        taken(self, grads)
        if 0 < self.lr.min() < self.lr.max():  # until one is at rest
            self.params[0].data[self.lr == self.lr.max()] = math.inf

    monkeypatch.setattr(Cooling, "step", step)
    table = train([replica(name, 0, 1.0), replica(name, 0, 0.3)], test=False)
    assert len(of(table, replica(name, 0, 0.3))) == 3
    assert len(of(table, replica(name, 0, 1.0))) < 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optimizer": "adamw", "damping": None}, "ladder and prior"),
        ({"temperature": 0.1}, "ladder and prior"),
        ({"weight_decay": 0.1}, "ladder and prior"),
        ({"scheme": "gjf"}, "ladder and prior"),
        ({"images": None}, "number of images"),
        ({"prior": "none"}, "prior must be one of"),
        ({"coldest": 0.1}, "hottest no colder"),
        ({"prior": "half", "spread": 0.0}, "spread"),
        ({"spread": 0.5}, "spread"),
        ({"steps": 1}, "steps must be"),
    ],
)
def test_bad_recipes_are_refused(change, words):
    given = {name: value for name, value in {**PLAIN, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=words):
        bounds.read(given)


@pytest.mark.parametrize("batch", [40, 300])
def test_minibatches_must_divide_the_images(batch):
    with pytest.raises(ValueError, match="must divide 400"):
        train([replica("plain", 0)], batch=batch)
