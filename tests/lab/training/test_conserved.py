"""The task of a network in a field: on digits, and what it refuses."""

import math

import pytest
import torch

from physnn.lab.models.ordered import read
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import conserved

FIELD = {"loss": "field", "labels": 2, "hidden": [16], "stiffness": 5.0, "depth": 1.0, "conserved": True,
         "optimizer": "adamw"}  # fmt: skip
ARMS = {
    "labels": {"loss": "labels", "labels": 2, "hidden": [16], "optimizer": "adamw"},
    "taught": {"loss": "taught", "labels": 2, "hidden": [16], "optimizer": "adamw"},
    "printed": {"loss": "printed", "labels": 2, "hidden": [16], "optimizer": "adamw", "stiffness": 1.0},
    "layer": {**FIELD, "layer": "experimental"},
    "Langevin": {**FIELD, "optimizer": "langevin", "damping": 0.1, "temperature": 1e-5},
    "entropy": {**FIELD, "sharpening": "entropy", "ramp": 0.5},
}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(conserved, "STEPS", 10)


def trained(recipes, seeds, epochs=1, lr=1e-3):
    replicas = [Replica("arm", recipe, lr, seed) for recipe, seed in zip(recipes, seeds, strict=True)]
    read_ones = [read(recipe) for recipe in recipes]
    return list(conserved.run(replicas, read_ones, Budget("digits", epochs, 64, test=True)))


@pytest.mark.parametrize("name", ARMS)
def test_a_replica_is_the_same_alone_and_among_others(name):
    several = trained([ARMS[name]] * 3, [0, 0, 1])[-1]
    alone = trained([ARMS[name]], [1])[-1][0]
    for key, value in alone.items():
        if key != "seconds" and not math.isnan(value):
            assert several[2][key] == pytest.approx(value, rel=2e-3, abs=2e-3), key
    assert several[0]["norm"] == pytest.approx(several[1]["norm"])


def test_each_replica_has_its_own_coefficients():
    weak, strong = trained([FIELD, {**FIELD, "stiffness": 200.0}], [0, 0], epochs=4)[-1]
    assert strong["apart"] < weak["apart"]


def test_the_field_beats_the_labels_alone():
    more = {"hidden": [64], "labels": 2}
    alone = trained([{**ARMS["labels"], **more}] * 2, [0, 1], epochs=10, lr=3e-3)[-1]
    field = trained([{**FIELD, **more, "stiffness": 20.0, "ramp": 0.5}] * 2, [0, 1], epochs=10, lr=3e-3)[-1]
    assert sum(row["test_accuracy"] for row in field) > sum(row["test_accuracy"] for row in alone)


def test_neighbours_are_drawn_by_their_weights():
    """Of 20,000 draws at a node each neighbour has its share, within five standard deviations."""
    from physnn.lab.training.chance import Chance

    tied = conserved.graph("digits")
    nodes = torch.full((1, 20_000), 7)
    drawn = conserved._beside(Chance([3]), "digits", nodes)[0]
    shares = tied.ties[7] / tied.ties[7].sum()
    for neighbour, share in zip(tied.neighbours[7].tolist(), shares.tolist(), strict=True):
        assert abs(int((drawn == neighbour).sum()) - 20_000 * share) < 5 * math.sqrt(20_000 * share)


def test_what_the_graph_teaches_holds_the_labels():
    index = conserved.labelled("digits", 2, 0)
    taught = conserved._taught("digits", 2, 0)
    assert torch.equal(taught[index], conserved._points("digits", "cpu")["labels"][index])
    assert float((taught == conserved._points("digits", "cpu")["labels"]).double().mean()) > 0.8


@pytest.mark.parametrize("name", ARMS)
def test_the_size_is_the_number_of_parameters(name):
    recipe = read(ARMS[name])
    assert recipe.size == sum(p.numel() for p in recipe.make(50, 10).parameters())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"loss": "magic"}, "loss must be one of"),
        ({"labels": 0}, "labels must be"),
        ({"hidden": 16}, "hidden must be a list"),
        ({"stiffness": -1.0}, "at least 0"),
        ({"ramp": 2.0}, "ramp must be from 0 to 1"),
        ({"sharpening": "quartic"}, "sharpening must be one of"),
        ({"kappa": 1.0}, "know no"),
        ({"loss": "labels"}, "know no"),
    ],
)
def test_bad_recipes_are_refused(changed, said):
    with pytest.raises(ValueError, match=said):
        read({**FIELD, **changed})
