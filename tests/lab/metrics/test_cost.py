"""The cost of a layer: the largest tensors are those that the shapes predict."""

import pytest
import torch
from torch import nn

from benchmarks import printed
from physnn import ExperimentalLayer
from physnn.lab.metrics.cost import largest_tensor, layer_costs, training_steps
from physnn.lab.models.recipe import Recipe

BATCH, INPUTS, OUTPUTS = 16, 20, 30


def test_largest_tensor():
    x = torch.randn(BATCH, INPUTS)
    assert largest_tensor(lambda: x + 1) == 4 * BATCH * INPUTS
    assert largest_tensor(lambda: x.double().split(2)) == 8 * BATCH * INPUTS
    assert largest_tensor(lambda: None) == 0


def test_one_row_per_layer():
    x = torch.randn(BATCH, INPUTS)
    layers = {
        "printed": printed.ExperimentalLayer(INPUTS, OUTPUTS, 0.1),
        "factored": ExperimentalLayer(INPUTS, OUTPUTS, 0.1),
        "nn.Linear": nn.Linear(INPUTS, OUTPUTS, bias=False),
    }
    table = layer_costs(layers, x)
    assert table.index.tolist() == list(layers) and (table.milliseconds > 0).all()
    weights = 4 * INPUTS * OUTPUTS / 2**20
    assert table["largest tensor, MiB"].tolist() == [BATCH * weights, weights, weights]


def test_training_steps_are_compared_within_rounds():
    """A network sixteen times as wide takes longer; the arm itself has ratio 1; every arm has taken its steps."""
    plain = dict(layer="linear", loss="cross-entropy", optimizer="sgd", momentum=0.9)
    widths = {"small": [256, 64, 10], "large": [256, 1024, 1024, 10]}
    arms = {name: Recipe.read(plain | {"widths": each}).modules(0.1) for name, each in widths.items()}
    before = {name: [p.detach().clone() for p in arm[0].parameters()] for name, arm in arms.items()}
    threads = torch.get_num_threads()
    table = training_steps(arms, torch.rand(64, 256), torch.arange(64) % 10, against="small", rounds=3)
    assert torch.get_num_threads() == threads
    assert table.index.tolist() == list(arms) and (table.loc["small", ["ratio", "low", "high"]] == 1).all()
    assert table.ratio["large"] > 2 and (table.low <= table.ratio).all() and (table.ratio <= table.high).all()
    for name, arm in arms.items():
        assert all((p != q).any() for p, q in zip(arm[0].parameters(), before[name], strict=True))


def test_steps_of_an_arm_that_is_not_there_are_refused():
    with pytest.raises(ValueError, match="against"):
        training_steps({}, torch.rand(2, 4), torch.tensor([0, 1]), against="plain")
