"""Fields on graphs, against closed forms on small graphs, and on digits against what they are known to do."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from physnn.lab.data import graphs
from physnn.lab.data.images import load
from physnn.lab.data.problems import balanced
from physnn.lab.physics import graph_field, simplex

ENDS = torch.tensor([0, 20]), torch.tensor([0, 1])


def path(n, weight=1.0):
    ties = np.full(n - 1, weight)
    i = np.arange(n - 1)
    one = csr_array((ties, (i, i + 1)), shape=(n, n))
    return csr_array(one + one.T)


@pytest.fixture(scope="module")
def digits():
    data = load("digits")
    parts = (data.train, data.validation, data.test)
    inputs = torch.cat([data.as_input(part.images).flatten(1) for part in parts])
    labels = torch.cat([part.labels for part in parts])
    return graphs.nearest(inputs, 10).weights, labels, torch.bincount(labels).double() / len(labels)


def right(found, labels):
    return float((found == labels).double().mean())


def test_without_charges_the_field_of_a_path_is_a_straight_line():
    u = graph_field.laplace(path(21, 0.3), *ENDS, 2)
    assert torch.allclose(u[:, 1], torch.linspace(0, 1, 21, dtype=torch.float64), atol=1e-4)
    assert torch.allclose(u.sum(1), torch.ones(21, dtype=torch.float64), atol=1e-4)


def test_charges_at_the_ends_of_a_path_give_a_constant_slope():
    """The current of one half flows from end to end through ties of weight w: the field falls by 1/2w at each."""
    u = graph_field.poisson(path(21, 0.3), *ENDS, 2)
    assert torch.allclose(u.diff(dim=0)[:, 1], torch.full((20,), 0.5 / 0.3, dtype=torch.float64), rtol=1e-3)
    degrees = torch.from_numpy(path(21, 0.3).sum(1))
    assert (degrees @ u).abs().max() < 1e-10


def test_both_fields_solve_their_equations(digits):
    weights, labels, _ = digits
    index = balanced(labels, 20, torch.Generator().manual_seed(1))
    degrees = weights.sum(1)[:, None]
    u = graph_field.laplace(weights, index, labels[index], 10)
    pull = torch.from_numpy(degrees * u.numpy() - weights @ u.numpy())
    free = torch.ones(len(labels), dtype=torch.bool)
    free[index] = False
    assert pull[free].abs().max() < 1e-3
    u = graph_field.poisson(weights, index, labels[index], 10)
    pull = torch.from_numpy(degrees * u.numpy() - weights @ u.numpy())
    assert pull[free].abs().max() < 1e-3
    assert torch.allclose(pull[index], torch.nn.functional.one_hot(labels[index], 10).double() - 0.1, atol=1e-3)


def test_charges_on_a_graph_that_falls_apart_are_refused():
    one = path(11)
    apart = csr_array(np.block([[one.toarray(), np.zeros((11, 11))], [np.zeros((11, 11)), one.toarray()]]))
    with pytest.raises(ValueError, match="falls apart"):
        graph_field.poisson(apart, *ENDS, 2)


def test_a_wall_on_a_path_is_a_hyperbolic_tangent():
    """The share of a class is (1 + tanh(x/√(2ε)))/2, within the lattice's correction."""
    width, n = 50.0, 121
    weights = path(n)
    index, labels = torch.tensor([0, n - 1]), torch.tensor([0, 1])
    start = torch.stack([torch.arange(n) < n // 2, torch.arange(n) >= n // 2], 1).double()
    u, _ = graph_field.flow(weights, start, index, labels, width, steps=600)
    s = u[:, 1]
    middle = float(np.interp(0.5, s.numpy(), np.arange(n)))
    x = torch.arange(n, dtype=torch.float64) - middle
    assert (s - (1 + torch.tanh(x / math.sqrt(2 * width))) / 2).abs().max() < 0.01


@pytest.mark.parametrize("width", [0.3, 3.0, 30.0])
def test_the_smooth_flow_goes_downhill(digits, width):
    weights, labels, _ = digits
    index = balanced(labels, 20, torch.Generator().manual_seed(2))
    start = graph_field.poisson(weights, index, labels[index], 10)
    heights = [
        graph_field.energy(
            weights, graph_field.flow(weights, start, index, labels[index], width, steps=steps)[0], width
        )
        for steps in (1, 2, 5, 20)
    ]
    assert all(after <= before for before, after in pairwise(heights))


def test_a_short_time_changes_no_answer_and_a_long_one_does():
    """A node whose neighbours are all of another class holds out while τ < 1, and not beyond (here to one step)."""
    n = 12
    star = np.zeros((n, n))
    star[0, 1:] = star[1:, 0] = 1.0
    star[1:, 1:] = 1.0 - np.eye(n - 1)
    weights = csr_array(star)
    start = torch.zeros(n, 2)
    start[:, 1], start[0] = 1.0, torch.tensor([1.0, 0.0])
    index, labels = torch.tensor([n - 1]), torch.tensor([1])
    for time, expected in ((0.5, 0), (5.0, 1)):
        found, _ = graph_field.threshold(weights, start, index, labels, time)
        assert found.tolist() == [expected] + (n - 1) * [1]


def test_sizes_are_kept_and_labels_hold(digits):
    weights, labels, shares = digits
    index = balanced(labels, 10, torch.Generator().manual_seed(3))
    start = graph_field.poisson(weights, index, labels[index], 10)
    found, _ = graph_field.threshold(weights, start, index, labels[index], 3.0, shares)
    assert torch.equal(found[index], labels[index])
    assert (torch.bincount(found) / len(found) - shares).abs().max() < 0.01  # the labels that hold are ten nodes
    u, _ = graph_field.flow(weights, start, index, labels[index], 3.0, shares)
    degrees = torch.from_numpy(weights.sum(1))
    assert ((degrees @ u) / degrees.sum() - shares).abs().max() < 0.01
    assert torch.allclose(u.sum(1), torch.ones(len(u), dtype=torch.float64))


def test_on_digits_charges_and_sizes_help_where_labels_are_few(digits):
    """One label per class, mean over three draws: charges beat what holds, and sizes with a threshold beat charges."""
    weights, labels, shares = digits
    rows = []
    for seed in range(3):
        index = balanced(labels, 10, torch.Generator().manual_seed(seed))
        flat = graph_field.laplace(weights, index, labels[index], 10)
        charged = graph_field.poisson(weights, index, labels[index], 10)
        cut, _ = graph_field.threshold(weights, charged, index, labels[index], 3.0, shares)
        rows.append([right(flat.argmax(1), labels), right(charged.argmax(1), labels), right(cut, labels)])
    spikes, charges, kept = np.mean(rows, 0)
    assert spikes < charges < kept and kept > 0.85


def test_a_width_that_is_none_is_refused(digits):
    with pytest.raises(ValueError, match="width must be above 0"):
        graph_field.flow(path(21), torch.eye(21)[:, :2], *ENDS, 0.0)


@pytest.mark.parametrize("each", [1, 2, 5])
def test_fields_are_those_of_graphlearning(digits, each):
    """An independent reference; it solves for Poisson's field to a thousandth."""
    reference = pytest.importorskip("graphlearning", reason="it is in the group bench")
    weights, labels, _ = digits
    index = balanced(labels, 10 * each, torch.Generator().manual_seed(4))
    given, places = reference.graph(weights), (index.numpy(), labels[index].numpy())
    known = torch.from_numpy(reference.ssl.laplace(given).fit(*places))
    found = graph_field.laplace(weights, index, labels[index], 10)
    assert (known - found).abs().max() < 1e-3
    known = torch.from_numpy(reference.ssl.poisson(given).fit(*places))
    found = graph_field.poisson(weights, index, labels[index], 10)
    apart = (known - known.mean(0)) - (found - found.mean(0))
    assert apart.norm() < 0.01 * known.norm()
    assert right(known.argmax(1), found.argmax(1)) > 0.995


def test_the_field_of_corners_has_no_height():
    u = torch.eye(3, dtype=torch.float64)[[0, 0, 1, 1]]
    assert graph_field.energy(path(4), u, 1.0) == pytest.approx(1.0)  # one tie of weight 1 between two corners
    assert simplex.wells(u).max() == 0
