"""What is measured at the end: corrupted images and coherence, against the modules and functions they stand for."""

import math
from itertools import product

import pytest
import torch

from physnn.lab.data.corruptions import FAMILIES, SEVERITIES, corrupt
from physnn.lab.data.images import load
from physnn.lab.metrics.answers import unpack
from physnn.lab.metrics.fields import dirichlet, moran
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.measures import CORRUPTION_SEED, at_end
from physnn.lab.training.replicas import train
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Replica

NET = {"widths": [64, 12, 10], "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}
LAYERS = {
    "linear": {"layer": "linear"},
    "dynamic": {"layer": "dynamic", "beta_init": 0.1, "position": "normalized"},
    "convolutional": {"layer": "convolutional", "widths": [64, 10]},
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_extras_are_those_of_the_module(name):
    recipe, digits = Recipe.read({**NET, **LAYERS[name]}), load("digits")
    measured = at_end(Stack([recipe] * 2, [0.1] * 2, [3, 4], 1), digits, True, ("corruptions", "coherence"))
    torch.manual_seed(3)
    network, _, _ = recipe.modules(0.1)
    x, labels = digits.as_input(digits.test.images), digits.test.labels
    for family in FAMILIES:
        for severity in SEVERITIES:
            noisy = corrupt(x, family, severity, seed=CORRUPTION_SEED).mul(16).round().div(16)
            error = 1 - (network(noisy).argmax(1) == labels).float().mean()
            assert measured[f"error_{family}_{severity}"][0].item() == pytest.approx(error.item(), abs=1e-6)
    x.requires_grad_()
    network(x).gather(1, labels[:, None]).sum().backward()
    assert measured["saliency_moran"][0].item() == pytest.approx(moran(x.grad[:, 0]).mean().item(), abs=1e-5)
    mean = (digits.train.images.float().mean(0) / 16).flatten().requires_grad_()
    rows = torch.autograd.functional.jacobian(lambda one: network[1](one.unsqueeze(0))[0], mean)
    expected = dirichlet(rows.view(len(rows), 8, 8)).mean().item()
    assert measured["weights_dirichlet"][0].item() == pytest.approx(expected, rel=1e-4)
    if name == "linear":
        torch.testing.assert_close(rows, network[1].weight)


def test_packed_answers_are_those_whose_share_is_the_accuracy():
    recipe = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}
    several = [Replica("a", recipe, lr, seed) for lr, seed in [(0.1, 3), (0.01, 4)]]
    table = train(several, "digits", epochs=2, batch_size=256, test=True, extras=["answers"])
    last, count = table[table.epoch == 2], len(load("digits").test)
    assert table[table.epoch < 2].test_right.isna().all() and last.test_right.nunique() == 2
    right = [unpack(text) for text in last.test_right]
    assert {each.size for each in right} == {count}
    assert [each.mean() for each in right] == pytest.approx(last.test_accuracy.tolist(), abs=1e-6)


def test_the_corrupted_validation_images_are_those_of_the_corruptions():
    replica, digits = Replica("linear", {**NET, **LAYERS["linear"]}, 0.1, 3), load("digits")
    table = train([replica], "digits", epochs=1, batch_size=256, extras=["corrupted-validation"])
    torch.manual_seed(3)
    network, _, _ = Recipe.read(replica.recipe).modules(0.1)  # before training
    x, labels = digits.as_input(digits.validation.images), digits.validation.labels
    errors = [
        1
        - (network(corrupt(x, *each, seed=CORRUPTION_SEED).mul(16).round().div(16)).argmax(1) == labels).float().mean()
        for each in product(FAMILIES, SEVERITIES)
    ]
    assert table.validation_corrupted.iloc[0] == pytest.approx(torch.stack(errors).mean().item(), abs=1e-6)
    assert table.validation_corrupted.iloc[1] < table.validation_corrupted.iloc[0]


def test_the_columns_are_there_when_asked_for():
    replica = Replica("linear", {**NET, **LAYERS["linear"]}, 0.1, 0)
    table = train([replica], "digits", epochs=1, batch_size=256, test=True, extras=["corruptions"])
    assert table.filter(like="error_").iloc[-1].between(0, 1).all() and table.filter(like="error_").shape[1] == 21
    assert not set(table) & {"weights_moran"} and math.isnan(table.error_blur_1.iloc[0])
    with pytest.raises(
        ValueError, match=r"extras must be of answers, corruptions, coherence, corrupted-v.*, got \['noise'\]"
    ):
        train([replica], "digits", epochs=1, extras=["noise"])
