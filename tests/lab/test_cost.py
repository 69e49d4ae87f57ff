"""The cost of a layer: the largest tensors are those that the shapes predict."""

import printed
import torch
from torch import nn

from physnn import ExperimentalLayer
from physnn.lab.cost import compare, largest_tensor

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
    table = compare(layers, x)
    assert table.index.tolist() == list(layers) and (table.milliseconds > 0).all()
    weights = 4 * INPUTS * OUTPUTS / 2**20
    assert table["largest tensor, MiB"].tolist() == [BATCH * weights, weights, weights]
