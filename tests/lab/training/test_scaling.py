"""The task of learning curves, on the digits: what a run learns from, how long, and that replicas do not meet."""

import math

import pandas as pd
import pytest
import torch

from physnn.lab.data.images import load
from physnn.lab.training.chunk import arrange
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import scaling

PLAIN = {
    "widths": [64, 16, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9,
    "weight_decay": 1e-3, "images": 100, "steps": 30,
}  # fmt: skip
SAME_LOSS = {key: value for key, value in PLAIN.items() if key != "weight_decay"} | {"loss": "ginzburg-landau"}
PRINTED = {
    "widths": [64, 16, 10], "layer": "experimental", "beta_init": 0.1, "loss": "ginzburg-landau",
    "optimizer": "langevin", "damping": 0.1, "temperature": 2e-5, "images": 100, "passes": 3,
}  # fmt: skip


def train(replicas, epochs=2, **budget):
    given = Budget("digits", epochs, **{"batch_size": 32, **budget})
    rows = [row for chunk in chunks(replicas, given, task="scaling") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def of(table, member):
    rows = table[(table.arm == member.arm) & (table.seed == member.seed) & (table.lr == member.lr)]
    return rows.reset_index(drop=True)


@pytest.mark.parametrize("recipe", [PLAIN, PRINTED], ids=["plain", "printed"])
def test_alone_is_as_in_company(recipe):
    """Of other seeds, of another loss, and at other rates; the tables are equal to rounding."""
    member = Replica("a", recipe, 0.02, 3)
    other = Replica("b", {**recipe, **(SAME_LOSS if recipe is PLAIN else {"temperature": 0.0})}, 0.01, 4)
    alone = train([member], test=True)
    for company in ([other, member], [member, *(Replica("a", recipe, 0.02 / i, 3) for i in (2, 3, 4))]):
        assert len(arrange([scaling.read(each.recipe) for each in company], [each.seed for each in company])) == 1
        pd.testing.assert_frame_equal(of(train(company, test=True), member), alone, rtol=2e-4, atol=2e-5)


def lessons(seed, images=100, test=False, **length):
    recipe = scaling.read({key: value for key, value in PLAIN.items() if key != "steps"} | {"images": images} | length)
    return scaling.Lessons(load("digits"), recipe, [seed], Budget("digits", 2, 32, test))


def test_images_of_a_smaller_run_are_among_those_of_a_larger_one():
    few, many, other = (lessons(*case, steps=10) for case in ((5, 50), (5, 400), (6, 50)))
    assert few.chosen.shape == (1, 50) and torch.equal(few.chosen[0], many.chosen[0, :50])
    assert not torch.equal(few.chosen, other.chosen) and len({*many.chosen[0].tolist()}) == 400


def test_validation_images_are_learned_from_only_where_nothing_is_chosen_any_more():
    search, final = lessons(0, 1497, steps=10), lessons(0, 1497, test=True, steps=10)
    assert (search.count, final.count) == (1197, 1497)
    data = load("digits")
    assert torch.equal(search.images, data.train.images) and torch.equal(final.images[1197:], data.validation.images)
    assert torch.equal(final.labels[1197:], data.validation.labels)
    searched, ended = (train([Replica("a", PLAIN, 0.02, 0)], test=test) for test in (False, True))
    assert searched.validation_error.notna().all() and "test_error" not in searched
    assert "validation_error" not in ended and ended.test_error.notna().tolist() == [False, False, True]


def test_every_image_is_seen_once_a_pass():
    """Of 100 images in batches of 32 a pass has four steps; the fifth step begins a new order."""
    one = lessons(1, steps=9)
    seen = [next(one.batches) for _ in range(8)]
    assert [index.shape[1] for index in seen] == [32, 32, 32, 4] * 2
    first, second = torch.cat(seen[:4], 1), torch.cat(seen[4:], 1)
    assert sorted(first[0].tolist()) == sorted(second[0].tolist()) == list(range(100))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("length", "images", "epochs", "steps"),
    [({"steps": 30}, 100, 2, [0, 15, 30]), ({"passes": 3}, 100, 2, [0, 6, 12]), ({"passes": 5}, 33, 3, [0, 3, 7, 10])],
)
def test_a_run_is_as_long_as_its_recipe_says(length, images, epochs, steps):
    recipe = {key: value for key, value in PLAIN.items() if key != "steps"} | {"images": images} | length
    table = train([Replica("a", recipe, 0.02, 0)], epochs)
    assert table.steps.tolist() == steps
    assert (table.images == images).all() and (table.width == 16).all()


def test_the_first_loss_and_the_errors_are_those_of_the_network():
    """One step on all of one batch: its loss is that before it; errors are one less the accuracy, by hand."""
    recipe = {**PLAIN, "images": 20, "steps": 1, "weight_decay": 0.0}
    table = train([Replica("a", recipe, 1e-30, 7)], epochs=1, test=True)
    data, read = load("digits"), scaling.read(recipe)
    torch.manual_seed(7)
    network, own = read.network(), scaling.Lessons(load("digits"), read, [7], Budget("digits", 1, 32, True))
    index = own.chosen[0]
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(network(data.as_input(own.images[index])), own.labels[index])
        wrong = (network(data.as_input(data.test.images)).argmax(1) != data.test.labels).double().mean()
    assert table.loss.iloc[1] == pytest.approx(loss.item(), rel=1e-5)
    assert table.test_error.iloc[1] == pytest.approx(wrong.item(), abs=1e-6)


def test_it_learns_more_from_more_images():
    recipe = {**PLAIN, "steps": 300}
    errors = [train([Replica("a", {**recipe, "images": n}, 0.05, 0)], 1).validation_error.iloc[-1] for n in (30, 1000)]
    assert errors[1] < 0.1 < errors[0] < 0.6


def test_a_run_that_diverges_ends_and_disturbs_no_one():
    calm, wild = Replica("calm", SAME_LOSS, 0.01, 0), Replica("wild", PLAIN, 1e30, 1)
    together = train([wild, calm])
    assert together[together.arm == "wild"].epoch.tolist() == [0]
    assert together.groupby("arm").diverged.all().to_dict() == {"calm": False, "wild": True}
    pd.testing.assert_frame_equal(of(together, calm), train([calm]), rtol=2e-4, atol=2e-5)


def test_every_column_is_explained():
    tables = [train([Replica("a", PLAIN, 0.02, 0)], test=test) for test in (False, True)]
    measured = {name for table in tables for name in table} - {"arm", "lr", "seed", "epoch", "diverged"}
    assert measured | {"seconds"} == {*scaling.COLUMNS}
    assert math.isnan(tables[0].loss[0]) and tables[0].distance[0] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"passes": 2}, "either steps or passes, .*'steps': 30, 'passes': 2"),
        ({"steps": 0}, "either steps or passes, a whole number above 0, got {'steps': 0}"),
        ({"steps": 2.5}, "a whole number above 0, got {'steps': 2.5}"),
        ({"images": None}, "scaling needs images, .* got images None"),
        ({"label_noise": 0.1}, "label_noise 0.1"),
        ({"images": 1498}, "at most 1497, those of digits but for the test, got 1498"),
        ({"steps": 1}, "a run of 1 steps has no 2 epochs"),
        ({"stars": 1}, "stars"),
    ],
)
def test_a_recipe_that_is_not_understood(change, message):
    with pytest.raises(ValueError, match=message):
        train([Replica("a", {**PLAIN, **change}, 0.1, 0)])


def test_there_are_no_extras():
    with pytest.raises(ValueError, match=r"scaling knows no extras, got \['coherence'\]"):
        train([Replica("a", PLAIN, 0.1, 0)], extras=["coherence"])
