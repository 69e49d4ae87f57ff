"""Graphs of samples, against scikit-learn's neighbours and components."""

import numpy as np
import pytest
import torch

from physnn.lab.data import graphs


@pytest.fixture(scope="module")
def points():
    return torch.randn(1300, 5, generator=torch.Generator().manual_seed(0))  # more than one block


def test_neighbours_are_the_nearest(points):
    from sklearn.neighbors import NearestNeighbors

    graph = graphs.nearest(points, 7)
    apart, places = NearestNeighbors(n_neighbors=8, algorithm="brute").fit(points.numpy()).kneighbors()
    assert np.array_equal(graph.neighbours.numpy(), places[:, :7])
    assert np.allclose(graph.distances, apart[:, :7], atol=1e-5)
    assert len(graph) == 1300


def test_weights_follow_their_formula_and_are_symmetric(points):
    graph = graphs.nearest(points, 7)
    weights, scale = graph.weights, graph.distances[:, -1].double()
    assert abs(weights - weights.T).max() == 0 and weights.diagonal().max() == 0
    i, j = 3, int(graph.neighbours[3, 2])
    apart = float((points[i] - points[j]).double().square().sum())
    assert weights[i, j] == pytest.approx(np.exp(-apart / float(scale[i] * scale[j])), rel=1e-5)
    assert weights.nnz >= 7 * 1300


def test_samples_that_are_alike_are_tied_fully():
    points = torch.tensor([[0.0], [0.0], [0.0], [1.0], [2.5]])
    graph = graphs.nearest(points, 2)
    assert graph.ties[0].tolist() == [1.0, 1.0] and graph.ties.isfinite().all()


def test_parts_are_the_connected_ones():
    points = torch.tensor([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]])
    assert graphs.nearest(points, 2).parts.tolist() == [0, 0, 0, 1, 1, 1]


def test_components_are_those_of_scikit_learn_scaled_by_one_number():
    from sklearn.decomposition import PCA

    mix = torch.randn(12, 12, generator=torch.Generator().manual_seed(1))
    inputs = torch.randn(400, 12, generator=torch.Generator().manual_seed(2)) @ mix + 3
    found = graphs.principal(inputs, 4)
    known = PCA(4, svd_solver="full").fit_transform(inputs.double().numpy())
    ratio = found.double().numpy() / known
    assert np.allclose(np.abs(ratio), np.abs(ratio[0, 0]), rtol=1e-3)
    assert float(found.square().mean()) == pytest.approx(1, rel=1e-4)
    assert torch.allclose(graphs.principal(inputs[:9], 4, fitted=inputs), found[:9], atol=1e-5)


def test_bad_input_is_refused(points):
    with pytest.raises(ValueError, match="count must be from 1 to 1299"):
        graphs.nearest(points, 1300)
    with pytest.raises(ValueError, match="finite"):
        graphs.nearest(points.index_fill(0, torch.tensor([4]), torch.nan), 3)
    with pytest.raises(ValueError, match="from 1 to 5"):
        graphs.principal(points, 6)
