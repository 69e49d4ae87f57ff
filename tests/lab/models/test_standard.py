"""Standardized networks: the prior is the start of the post's layer, and can be moved."""

import pytest
import torch
from torch import nn

from physnn import DynamicLinear
from physnn.lab.models.network import network
from physnn.lab.models.standard import OTHERS, Standard


def make(kind, spread=1.0, seed=0):
    torch.manual_seed(seed)
    layer = DynamicLinear if kind == "dynamic" else lambda n, m: nn.Linear(n, m, bias=False)
    return Standard(network([64, 32, 10], layer), spread)


@pytest.mark.parametrize("kind", ["linear", "dynamic"])
def test_the_prior_is_the_start_of_the_posts_layer(kind):
    """Xavier normal: the weights' standard deviation is √(2/(n + m)), to 4.5 standard errors."""
    model = make(kind)
    for name, weight in model.weights().items():
        if weight.dim() > 1:
            expected = (2 / sum(weight.shape)) ** 0.5
            assert weight.std().item() == pytest.approx(expected, rel=4.5 / (2 * weight.numel()) ** 0.5)
        else:
            centre = 1.0 if name.endswith("t") else 0.1
            assert abs(weight.item() - centre) < 4.5 * OTHERS


def test_outputs_are_those_of_the_network_with_these_weights():
    model, x = make("dynamic"), torch.rand(5, 1, 8, 8)
    plain = network([64, 32, 10], DynamicLinear)
    plain.load_state_dict({**plain.state_dict(), **model.weights()})
    torch.testing.assert_close(model(x), plain(x))
    assert len(list(model.parameters())) == len(list(plain.parameters()))


def test_a_moved_prior_has_its_centre_where_the_weights_were():
    model = make("linear")
    before = dict(model.weights())
    model.around(0.25, torch.Generator().manual_seed(3))
    for name, weight in model.centred().weights().items():
        torch.testing.assert_close(weight, before[name])
    moved = dict(model.weights())
    first = next(iter(before))
    assert (moved[first] - before[first]).std().item() == pytest.approx(0.25 * (2 / 96) ** 0.5, rel=0.08)
    assert model.spread == 0.25
