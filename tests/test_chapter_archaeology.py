"""The equations of the chapter on parameter counts and archaeology, and what it says about the recorded numbers."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from physnn import ExperimentalLayer
from physnn.lab.models import network, parameter_count
from physnn.lab.studies import Study


@pytest.mark.parametrize("widths", [[784, 10], [64, 1, 10], [784, 128, 10], [784, 960, 256, 10], [30, 2, 2, 2]])
def test_eq_archaeology_count(widths):
    """Two scalars more and m biases less in each layer, whatever the widths."""
    plain = parameter_count(network(widths, nn.Linear))
    printed = parameter_count(network(widths, partial(ExperimentalLayer, beta_init=0.1)))
    assert printed - plain == sum(2 - m for m in widths[1:])


def test_the_layer_stores_two_numbers_that_it_does_not_use():
    layer = ExperimentalLayer(5, 3, 0.1, alpha=0.0035, gamma=5.0)
    x = torch.rand(4, 5)
    before = layer(x)
    layer.alpha, layer.gamma = 7.0, -3.0
    assert torch.equal(layer(x), before)
    assert {name for name, _ in layer.named_parameters()} == {"w", "beta", "t"}


@pytest.mark.parametrize("bias", [False, True])
def test_eq_archaeology_squares(bias):
    """The pseudoinverse of the Gram matrix gives the least squares, with pixels that are always dark."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 12, dtype=torch.float64, generator=generator)
    x[:, [0, 7]] = 0.0
    x = F.pad(x, (0, 1), value=1.0) if bias else x
    y = F.one_hot(torch.arange(200) % 10, 10).double()
    weights = torch.linalg.pinv(x.T @ x, hermitian=True) @ (x.T @ y)
    expected = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
    np.testing.assert_allclose(weights.numpy(), expected, atol=1e-10)
    step = 1e-3 * torch.randn(weights.shape, dtype=torch.float64, generator=generator)
    assert (x @ (weights + step) - y).square().sum() > (x @ weights - y).square().sum()


def test_the_convolutional_network_of_the_known_scripts_has_1_2_million():
    convolutions = 32 * (9 + 1) + 64 * (9 * 32 + 1)
    assert convolutions + 128 * (9216 + 1) + 10 * (128 + 1) == 1_199_882 and 9216 == 64 * 12**2


def test_the_maps_are_without_momentum_and_the_plain_network_is_of_the_stated_size():
    study = Study("archaeology")
    for recipe in study.arms.values():
        assert recipe["optimizer"] == "adam" or recipe.get("momentum") == 0.0 or recipe.get("damping") == 1.0
        assert recipe["widths"] == ([784, 1152, 256, 10] if recipe["layer"] == "experimental" else [784, 960, 256, 10])
    assert "final" not in study.design and "final" not in Study("few-images").design
