"""The cost of a layer: the bytes are those that the shapes predict."""

import printed
import torch
from torch import nn

from physnn import ExperimentalLayer
from physnn.lab.cost import compare, kept_for_backward

BATCH, INPUTS, OUTPUTS = 16, 20, 30


def test_bytes_kept():
    x = torch.randn(BATCH, INPUTS)
    assert kept_for_backward(nn.Linear(INPUTS, OUTPUTS), x) == 0
    assert kept_for_backward(nn.Sequential(nn.Linear(INPUTS, OUTPUTS), nn.ReLU()), x) == 4 * BATCH * OUTPUTS
    # The printed code keeps one weight matrix per sample; the factored form keeps two tensors like x, and small ones.
    assert kept_for_backward(printed.ExperimentalLayer(INPUTS, OUTPUTS, 0.1), x) >= 4 * BATCH * INPUTS * OUTPUTS
    assert kept_for_backward(ExperimentalLayer(INPUTS, OUTPUTS, 0.1), x) <= 4 * (2 * BATCH * INPUTS + 4 * INPUTS + 100)


def test_one_row_per_layer():
    table = compare({"a": nn.Linear(INPUTS, 3), "b": nn.Linear(INPUTS, 5)}, torch.randn(BATCH, INPUTS))
    assert table.index.tolist() == ["a", "b"] and table.columns.tolist() == ["milliseconds", "MiB kept"]
    assert (table.milliseconds > 0).all() and (table["MiB kept"] == 0).all()
