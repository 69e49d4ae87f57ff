"""The training loop: what it promises about batches, histories and losses that stop being finite."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from physnn import ExperimentalLayer, GinzburgLandauLoss, Langevin
from physnn.lab.data.images import load
from physnn.lab.models.network import network, parameter_count
from physnn.lab.training.loop import DivergedError, accuracy, fit


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def linear(seed=0):
    torch.manual_seed(seed)
    return network([64, 10], nn.Linear)


def test_a_linear_model_learns_the_digits(digits):
    model = linear()
    history = fit(model, F.cross_entropy, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), digits, epochs=5)
    assert history.epoch.tolist() == [0, 1, 2, 3, 4, 5]
    assert history.validation_accuracy.iloc[0] < 0.4 and history.validation_accuracy.iloc[-1] > 0.9
    assert history.loss.iloc[1:].is_monotonic_decreasing and history.seconds.is_monotonic_increasing
    assert history.validation_accuracy.iloc[-1] == accuracy(model, digits, digits.validation)


def test_the_proposal_learns_the_digits(digits):
    torch.manual_seed(0)
    model = network([64, 10], lambda n, m: ExperimentalLayer(n, m, 0.1))
    optimizer = Langevin(model.parameters(), 0.1, damping=0.1, temperature=1e-5)
    history = fit(model, GinzburgLandauLoss(), optimizer, digits, epochs=30)
    assert history.validation_accuracy.iloc[-1] > 0.7


def test_every_epoch_visits_every_image_once_in_an_order_of_the_seed(digits):
    seen = []

    def loss(phi, labels):
        seen.append(labels)
        return F.cross_entropy(phi, labels)

    def labels(seed):
        seen.clear()
        model = linear()
        fit(model, loss, torch.optim.SGD(model.parameters(), 0.0), digits, epochs=2, batch_size=100, seed=seed)
        return torch.cat(seen)

    first, again, other = labels(1), labels(1), labels(2)
    assert torch.equal(first, again) and not torch.equal(first, other)
    half = len(digits.train)
    assert len(first) == 2 * half and not torch.equal(first[:half], first[half:])
    for epoch in (first[:half], first[half:]):
        assert torch.equal(epoch.sort().values, digits.train.labels.sort().values)


def test_a_loss_that_is_not_finite_stops_with_the_history(digits):
    model = linear()
    calls = []

    def loss(phi, labels):
        calls.append(0)
        return F.cross_entropy(phi, labels) * (float("nan") if len(calls) == 12 else 1)

    with pytest.raises(DivergedError, match="the loss became nan in epoch 2, step 1; lower lr") as caught:
        fit(model, loss, torch.optim.SGD(model.parameters(), 0.1), digits, epochs=3, batch_size=120)
    assert caught.value.history.epoch.tolist() == [0, 1]


def test_a_gradient_that_is_not_finite_stops_with_the_history(digits):
    model = linear()

    def loss(phi, labels):
        return F.cross_entropy(phi, labels) + 0 * model[1].bias.sub(model[1].bias).sqrt().sum()  # slope 1/0 times 0

    with pytest.raises(DivergedError, match="epoch 1, step 0: the gradient of parameter 1") as caught:
        fit(model, loss, Langevin(model.parameters(), 0.1, damping=0.1), digits, epochs=1)
    assert caught.value.history.epoch.tolist() == [0]


def test_networks():
    model = network([784, 1024, 256, 10], nn.Linear)
    assert [type(module).__name__ for module in model] == ["Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert parameter_count(model) == 784 * 1024 + 1024 + 1024 * 256 + 256 + 256 * 10 + 10
    post = network([784, 10], lambda n, m: ExperimentalLayer(n, m, 0.1))
    assert parameter_count(post) == 7842
    with pytest.raises(ValueError, match=r"got \[784\]"):
        network([784], nn.Linear)


@pytest.mark.parametrize("budget", [{"epochs": 0}, {"epochs": 1, "batch_size": 0}])
def test_bad_budget(digits, budget):
    model = linear()
    with pytest.raises(ValueError, match="at least 1"):
        fit(model, F.cross_entropy, torch.optim.SGD(model.parameters(), 0.1), digits, **budget)
