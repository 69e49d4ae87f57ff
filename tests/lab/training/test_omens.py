"""The task whose runs are watched: the same runs as without, and what is read is what the formulas say."""

import math

import pandas as pd
import pytest
import torch

from physnn.lab.models.recipe import Recipe
from physnn.lab.training.replicas import chunks
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import omens
from physnn.lab.training.watching import Watched, dot

PRINTED = {
    "widths": [64, 10], "layer": "experimental", "beta_init": 0.1, "loss": "ginzburg-landau",
    "optimizer": "langevin", "damping": 0.2, "temperature": 1e-5,
}  # fmt: skip
PLAIN = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}


def train(replicas, task="omens", **budget):
    given = Budget("digits", **{"epochs": 2, "batch_size": 256, **budget})
    rows = [row for chunk in chunks(replicas, given, task=task) for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def of(table, member):
    rows = table[(table.arm == member.arm) & (table.seed == member.seed) & (table.lr == member.lr)]
    return rows.reset_index(drop=True)


@pytest.mark.parametrize("recipe", [PRINTED, PLAIN], ids=["printed", "plain"])
def test_watching_changes_nothing(recipe):
    replicas = [Replica("a", recipe, 1e-3, seed) for seed in (0, 1)]
    watched, images = train(replicas, test=True), train(replicas, "images", test=True)
    shared = ["loss", "energy", "negative", "kinetic", "configurational", "norm", "distance", "test_accuracy"]
    pd.testing.assert_frame_equal(watched[shared], images[shared])
    # The digits have 300 validation images: all are looked at.
    assert watched.validation_accuracy.to_list() == pytest.approx(images.validation_accuracy.to_list())
    assert watched.rate.to_list() == pytest.approx(
        (1e-3 / (0.2 if recipe is PRINTED else 0.1) / watched.norm**2).to_list()
    )


def test_alone_is_as_in_company():
    member = Replica("a", PRINTED, 1e-3, 3)
    others = [Replica("b", {**PRINTED, "damping": 0.5}, 1e-4, 3), Replica("a", PRINTED, 1e-2, 4)]
    alone = train([member])
    together = train([*others, member])
    pd.testing.assert_frame_equal(of(together, member), alone, rtol=2e-4, atol=2e-5)


def test_the_gate_is_one_number():
    recipes = [Recipe.read({**PRINTED, "beta_init": beta}) for beta in (0.0, 0.1, 5.0)]
    stack = Stack(recipes, [0.1] * 3, [0, 1, 2], 10)
    assert omens.gate(stack).tolist() == pytest.approx([0, math.tanh(0.5), 1])
    assert omens.gate(Stack([Recipe.read(PLAIN)], [0.1], [0], 10)).isnan().all()


def test_the_readings_are_of_the_gradient_and_of_the_turned_direction():
    """A step of known gradient at T = 0 and from rest: delta = -lr g; across theta it has the sine of their angle."""
    recipes = [Recipe.read({**PLAIN, "bias": False})] * 2
    stack = Stack(recipes, [0.1, 0.4], [0, 1], 10)
    watched = Watched(stack.update)
    theta = [p.detach().clone() for p in stack.params]
    g = [torch.randn_like(p) for p in theta]
    watched.step([each.clone() for each in g])
    read = watched.motion()
    assert read["gradient"].tolist() == pytest.approx(dot(g, g).sqrt().tolist())
    sine = (1 - dot(g, theta).square() / dot(g, g) / dot(theta, theta)).sqrt()
    expected = torch.tensor([0.1, 0.4]).double() * (dot(g, g) / dot(theta, theta)).sqrt() * sine
    assert read["speed"].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert all(value.isnan().all() for value in watched.motion().values())


def test_a_step_along_the_weights_turns_nothing():
    stack = Stack([Recipe.read({**PLAIN, "bias": False})], [0.1], [0], 10)
    watched = Watched(stack.update)
    watched.step([p.detach().clone() for p in stack.params])
    assert watched.motion()["speed"].item() < 1e-7


def test_a_run_that_diverges_ends():
    table = train([Replica("a", {**PRINTED, "loss": "cross-entropy"}, 1e6, 0), Replica("b", PRINTED, 1e-3, 0)])
    assert table[table.arm == "b"].epoch.max() == 2 and table[table.arm == "a"].epoch.max() < 2
    assert table[table.arm == "a"].diverged.all()


@pytest.mark.parametrize(
    ("change", "message"),
    [({"optimizer": "adam"}, "temperatures"), ({"stars": 1}, "stars"), ({"loss": "none"}, "loss")],
)
def test_bad_recipes(change, message):
    given = {key: value for key, value in PLAIN.items() if key != "momentum" or "optimizer" not in change}
    with pytest.raises(ValueError, match=message):
        omens.read({**given, **change})


def test_there_are_no_extras():
    with pytest.raises(ValueError, match="coherence"):
        train([Replica("a", PLAIN, 1e-3, 0)], extras=["coherence"])
