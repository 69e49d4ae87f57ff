"""The task of a network in a field: on digits, and what it refuses."""

import math
from functools import partial

import pytest
import torch

from physnn.lab.metrics.answers import unpack
from physnn.lab.models.ordered import read
from physnn.lab.training.chance import Chance
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import conserved

FIELD = {"loss": "field", "labels": 2, "hidden": [16], "stiffness": 5.0, "depth": 1.0, "sizes": "known",
         "optimizer": "adamw"}  # fmt: skip
ARMS = {
    "labels": {"loss": "labels", "labels": 2, "hidden": [16], "optimizer": "adamw"},
    "taught": {"loss": "taught", "labels": 2, "hidden": [16], "optimizer": "adamw", "time": 10.0},
    "printed": {"loss": "printed", "labels": 2, "hidden": [16], "optimizer": "adamw", "stiffness": 1.0},
    "layer": {**FIELD, "layer": "experimental"},
    "far": {**FIELD, "reach": 5.0},
    "led": {**FIELD, "lead": 0.5, "ramp": 0.25, "time": 10.0},
    "Langevin": {**FIELD, "optimizer": "langevin", "damping": 0.1, "temperature": 1e-5},
    "entropy": {**FIELD, "sharpening": "entropy", "ramp": 0.5, "softening": 3.0, "sizes": "equal"},
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


def test_pairs_far_apart_are_of_more_classes():
    """By more than five standard deviations, of 640 pairs each."""
    near, far = (row["mixed"] for row in trained([FIELD, {**FIELD, "reach": 50.0}], [0, 0])[-1])
    assert far - near > 5 * math.sqrt((near * (1 - near) + far * (1 - far)) / 640)
    assert math.isnan(trained([ARMS["labels"]], [0])[-1][0]["mixed"])


def test_a_network_taught_by_the_graph_has_its_own_time():
    """At a time of 0.01 no answer of the Poisson field changes, and at 20 some do."""
    short, long = trained([{**ARMS["taught"], "time": time} for time in (0.01, 20.0)], [0, 0])[-1]
    assert short["taught_accuracy"] != long["taught_accuracy"] and short["loss"] != long["loss"]
    assert min(short["taught_accuracy"], long["taught_accuracy"]) > 0.8


def test_the_graph_leads_and_then_the_field_takes_over():
    """Until then it is what the graph teaches, step for step, and the wells deepen from there on."""
    led = trained([{**ARMS["led"], "weight_decay": 0.01}], [0], epochs=2)
    taught = trained([{**ARMS["taught"], "weight_decay": 0.01}], [0], epochs=2)
    for key in ("loss", "norm", "validation_accuracy", "taught_accuracy"):
        assert led[1][0][key] == taught[1][0][key]
        assert key == "taught_accuracy" or led[2][0][key] != taught[2][0][key]
    assert math.isnan(led[1][0]["apart"]) and led[2][0]["apart"] > 0
    engine = conserved.FieldEngine([torch.nn.Linear(50, 10)], torch.nn.functional.cross_entropy, lambda params: None)
    own = {**FIELD, "stiffness": 0.0, "sizes": "free", "ramp": 0.25}
    x, y = torch.randn(1, 12, 50, generator=torch.Generator().manual_seed(0)), torch.arange(4)[None]
    outputs, engine.shares = engine.forward(x).detach(), None
    values = []
    for recipe, passed in (({**own, "lead": 0.5, "time": 1.0}, 0.6), (own, 0.1)):
        engine.recipes, engine.passed = [read(recipe)], passed
        values.append(engine.losses(outputs, y))
    assert torch.allclose(*values)


def test_a_field_softens_while_its_wells_deepen():
    """Before the first step the stiffness is eight times its value, and from the end of the ramp on it is its value."""
    own = [read({**FIELD, "depth": 0.0, "sizes": "free", "stiffness": k, "ramp": 0.5, **more})
           for k, more in ((1.0, {"softening": 8.0}), (8.0, {}), (1.0, {}))]  # fmt: skip
    networks = [conserved.seeded(partial(recipe.make, 50, 10), 0)[0] for recipe in own]
    outputs, y = [], torch.arange(4)[None]
    x = torch.randn(1, 12, 50, generator=torch.Generator().manual_seed(0))
    for recipe, network in zip(own, networks, strict=True):
        engine = conserved.FieldEngine([network], torch.nn.functional.cross_entropy, lambda params: None)
        engine.recipes, engine.shares = [recipe], None
        for engine.passed in (0.0, 0.25, 0.5, 1.0):
            outputs.append(float(engine.losses(engine.forward(x), y).detach()))
    soft, stiff, plain = torch.tensor(outputs).view(3, 4)
    assert soft[0] == pytest.approx(stiff[0]) and soft[2:].tolist() == pytest.approx(plain[2:].tolist())
    between = float((soft[1] - plain[1]) / (soft[0] - plain[0]))
    assert between == pytest.approx((8**0.5 - 1) / 7, rel=1e-3)


def test_the_field_beats_the_labels_alone():
    """Of six draws of labels the field is better in all: if each were a toss, a false alarm that comes 1 time in 64."""
    more, seeds = {"hidden": [64], "labels": 2}, list(range(6))
    alone = trained([{**ARMS["labels"], **more}] * 6, seeds, epochs=10, lr=3e-3)[-1]
    field = trained([{**FIELD, **more, "stiffness": 20.0, "ramp": 0.5}] * 6, seeds, epochs=10, lr=3e-3)[-1]
    assert all(own["test_accuracy"] > other["test_accuracy"] for own, other in zip(field, alone, strict=True))


def test_answers_are_kept_if_they_are_asked_for():
    replicas, recipes = [Replica("arm", ARMS["labels"], 1e-3, 0)], [read(ARMS["labels"])]
    *before, last = conserved.run(replicas, recipes, Budget("digits", 1, 64, test=True, extras=("answers",)))
    assert "test_right" not in before[0][0]
    assert unpack(last[0]["test_right"]).mean() == pytest.approx(last[0]["test_accuracy"])
    right = unpack(last[0]["validation_right"])
    assert len(right) <= 2000 and right.mean() == pytest.approx(last[0]["validation_accuracy"])
    with pytest.raises(ValueError, match="knows the extra answers"):
        next(conserved.run(replicas, recipes, Budget("digits", 1, extras=("corruptions",))))


def ends(reach, node=7, count=20_000, seed=3):
    nodes = torch.full((1, count), node)
    return conserved._walked(Chance([seed] * len(reach)), "digits", nodes, reach)


def test_neighbours_are_drawn_by_their_weights():
    """Of 20,000 draws at a node each neighbour has its share, within five standard deviations."""
    tied = conserved.graph("digits")
    (drawn,) = ends([1.0])
    shares = tied.ties[7] / tied.ties[7].sum()
    for neighbour, share in zip(tied.neighbours[7].tolist(), shares.tolist(), strict=True):
        assert abs(int((drawn == neighbour).sum()) - 20_000 * share) < 5 * math.sqrt(20_000 * share)


def test_walks_end_where_a_diffusion_is():
    """At a reach of 1 + τ an end has the law of (1 + τ(1 - P))^-1, less the 1/(1 + τ) that has not gone anywhere."""
    tied, time = conserved.graph("digits"), 4.0
    n = len(tied)
    step = torch.zeros(n, n, dtype=torch.float64)
    step.scatter_(1, tied.neighbours, tied.ties / tied.ties.sum(1, keepdim=True))
    start = torch.zeros(n, dtype=torch.float64)
    start[7] = 1.0
    law = torch.linalg.solve((1 + time) * torch.eye(n).double() - time * step.T, start)
    law = (law - start / (1 + time)) * (1 + time) / time
    near, far = ends([1.0, 1 + time])
    counts = torch.bincount(far, minlength=n).double()
    often = law > 1e-3
    assert law.sum() == pytest.approx(1) and often.sum() > 20
    assert ((counts - 20_000 * law)[often].abs() < 5 * (20_000 * law[often]).sqrt()).all()
    assert not torch.equal(near, far)


def test_where_a_walk_ends_does_not_depend_on_who_walks_beside_it():
    assert torch.equal(ends([1.0, 30.0, 3.0])[2], ends([3.0])[0])


def test_what_the_graph_teaches_holds_the_labels():
    index = conserved.labelled("digits", 2, 0)
    taught, seconds = conserved._taught("digits", 2, 0, 10.0)
    assert seconds > 0 and torch.equal(taught[index], conserved._points("digits", "cpu")["labels"][index])
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
        ({"reach": 0.5}, "reach must be at least 1 step"),
        ({"sharpening": "quartic"}, "sharpening must be one of"),
        ({"softening": 0.5}, "softening at least 1"),
        ({"sizes": "equals"}, "sizes must be one of"),
        ({"sizes": "free", "conservation": 1.0}, "know no"),
        ({"kappa": 1.0}, "know no"),
        ({"loss": "labels"}, "know no"),
        ({"loss": "taught", "time": 0.0}, "time must be above 0"),
        ({"lead": 0.5, "time": 0.0}, "time must be above 0"),
        ({"lead": 0.8, "ramp": 0.5, "time": 1.0}, "with ramp at most 1"),
        ({"time": 1.0}, "know no"),
    ],
)
def test_bad_recipes_are_refused(changed, said):
    with pytest.raises(ValueError, match=said):
        read({**FIELD, **changed})
