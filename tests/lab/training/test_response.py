"""Networks that are pushed: where the field is linear the response is the closed form, and so is its length."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from physnn.lab.data.images import Dataset, Split
from physnn.lab.models import losses
from physnn.lab.models.recipe import Recipe as ImageRecipe
from physnn.lab.physics.screening import green, spread
from physnn.lab.training.pushing import pushed
from physnn.lab.training.replicas import chunks
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import response

LINEAR = {"widths": [64, 10], "layer": "linear", "optimizer": "sgd", "momentum": 0.9}
GL = {"loss": "ginzburg-landau", "quadratic": 1.0, "quartic": 0.0}
SQUARED = {**LINEAR, "loss": "squared-error"}


def as_they_are(outputs, networks):
    return outputs


def images(pixels=4, count=24):
    """A few random images, so that every direction of the weights comes to rest soon."""
    draw = torch.Generator().manual_seed(0)
    side = math.isqrt(pixels)
    x = torch.randint(0, 256, (count, 1, side, side), generator=draw, dtype=torch.uint8)
    split = Split(x, torch.arange(count) % 10)
    return Dataset("tiny", split, split, split, 255, "")


@pytest.mark.parametrize("length", [0.0, 1.0, 3.0])
def test_a_linear_network_on_a_quadratic_energy_answers_as_the_closed_form_says(length, monkeypatch):
    """Without the normalization the energy is quadratic, and the bias lets every output go where it likes:
    chi = C/(2 q2) G, whatever the images and the labels are."""
    monkeypatch.setattr(losses, "normalize", lambda field, norm: field)
    tiny, q2 = images(), 0.8
    recipes = [ImageRecipe.read({**LINEAR, **GL, "quadratic": q2, "spatial": q2 * length**2, "widths": [4, 10]})] * 2
    stack = Stack(recipes, [0.5, 0.5], [0, 1], 10)
    labels = tiny.train.labels.expand(2, -1)
    before = [p.detach().clone() for p in stack.params]
    options = {"steps": 600, "batch_size": 24, "seen": as_they_are}
    half, whole = pushed(stack, tiny, labels, [0.01, 0.02], [0.5, 0.3], **options)
    expected = 10 / (2 * q2) * green(10, length**2)
    for r in range(2):
        chi = whole[r].double().numpy()
        np.testing.assert_allclose(chi, [np.roll(expected, k) for k in range(10)], atol=5e-3 * expected[0])
        assert spread(chi).length == pytest.approx(length, abs=0.05)
    assert (half - whole).abs().max() < 0.02 * whole.max(), "it has come to rest"
    assert all(torch.equal(p, first) for p, first in zip(stack.params, before, strict=True))


def train(replicas, epochs=2, **budget):
    given = Budget("digits", epochs, **{"batch_size": 128, "test": True, **budget})
    rows = [row for chunk in chunks(replicas, given, task="response") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def of(table, member):
    rows = table[(table.arm == member.arm) & (table.seed == member.seed) & (table.lr == member.lr)]
    return rows.reset_index(drop=True)


def test_alone_is_as_in_company():
    recipe = {**LINEAR, **GL, "spatial": 1.0, "steps": 10}
    member = Replica("a", recipe, 0.05, 3)
    others = [Replica("b", {**recipe, "shuffled": True}, 0.1, 3), Replica("c", {**SQUARED, "steps": 10}, 0.01, 4)]
    alone, together = train([member]), train([*others, member])
    pd.testing.assert_frame_equal(of(together, member), alone, rtol=5e-3, atol=5e-4)
    assert alone.theory.iloc[-1] == 1 and of(together, others[1]).theory.isna().all()


def test_without_a_test_nothing_is_pushed():
    assert "length" not in train([Replica("a", SQUARED, 0.01, 0)], epochs=1, test=False)


def test_an_order_of_the_classes_changes_their_places_alone():
    """Under squared error all orders are alike: the accuracy is as good, and the classes stand elsewhere."""
    given = {**SQUARED, "steps": 2}
    table = train(
        [Replica("kept", given, 0.05, 0), Replica("shuffled", {**given, "shuffled": True}, 0.05, 0)], epochs=8
    )
    ended = table[table.epoch == 8].set_index("arm")
    assert ended.test_accuracy.min() > 0.8
    assert abs(ended.test_accuracy["kept"] - ended.test_accuracy["shuffled"]) < 0.06
    recipes = [response.read({**given, "shuffled": True}), response.read(given)]
    places = response._places(recipes, [5, 5], 10, "cpu")
    assert (
        sorted(places[0].tolist()) == list(range(10)) == places[1].tolist() and places[0].tolist() != places[1].tolist()
    )


def test_what_is_recorded_of_a_response():
    """Of the closed form itself; and how alike the classes are is compared output by output."""
    recipe = response.read({**LINEAR, **GL, "spatial": 4.0})
    chi = np.array([np.roll(green(10, 4.0), k) for k in range(10)]).round(12)  # zero where nothing is felt
    told = response.measures(recipe, chi, chi, alike=chi)
    assert told["theory"] == 2 and told["ratio"] == pytest.approx(1, rel=1e-3) and told["share"] == pytest.approx(1)
    assert told["along_index"] == pytest.approx(1) and told["along_images"] == pytest.approx(1)
    assert told["response_0"] == 1 and told["response_1"] == pytest.approx(0, abs=1e-9)
    assert told["response_2"] == pytest.approx(green(10, 4.0)[2] / green(10, 4.0)[0])
    alone = response.measures(recipe, np.eye(10), np.eye(10), alike=chi)
    assert math.isnan(alone["along_index"]) and alone["length"] == pytest.approx(0, abs=0.03)
    nothing = response.measures(recipe, chi, np.full((10, 10), np.nan), chi)
    assert nothing.keys() == told.keys() and all(math.isnan(value) for value in nothing.values())


def test_a_field_acts_on_what_the_loss_sees():
    phi = torch.tensor([[[2.0, -4.0], [1.0, 1.0]]]).repeat(4, 1, 1)
    kinds = [{**GL}, {**GL, "norm": "sample"}, {"loss": "cross-entropy"}, {"loss": "squared-error"}]
    networks = [ImageRecipe.read({**LINEAR, **kind}) for kind in kinds]
    expected = [phi[0] / 4, torch.tensor([[0.5, -1.0], [1.0, 1.0]]), torch.tensor([[3.0, -3.0], [0.0, 0.0]]), phi[0]]
    assert torch.allclose(response.seen(phi, networks), torch.stack(expected))
    for k, one in enumerate(networks):
        assert torch.allclose(response.seen(phi[:2], [one, one])[1], expected[k])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": 0.0}, "field"), ({"steps": 7}, "even"), ({"steps": 2.0}, "even"), ({"stars": 1}, "stars"),
        ({"images": 100}, "all images"), ({"shuffled": "yes"}, "shuffled"), ({"label_noise": 0.1}, "right labels"),
    ],
)  # fmt: skip
def test_bad_recipes(change, message):
    with pytest.raises(ValueError, match=message):
        response.read({**SQUARED, **change})
