"""Distortion and mean average precision: exact ones, and brute force."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from physnn.lab.data.trees import tree_distances
from physnn.lab.metrics.distortion import average_distortion, mean_average_precision, worst_distortion

GRAPH = tree_distances(2, 3)


def distances(places):
    return np.linalg.norm(places[:, None] - places, axis=-1)


def test_the_tree_itself_has_none_at_any_scale():
    for scale in (1, 0.01, 70.0):
        assert average_distortion(scale * GRAPH, GRAPH) == pytest.approx(0, abs=1e-12)
        assert worst_distortion(scale * GRAPH, GRAPH) == pytest.approx(1)
        assert mean_average_precision(scale * GRAPH, GRAPH) == 1


def test_a_star_in_the_plane():
    """Three rays of length 1: the tips are √3 apart instead of 2. Half of the pairs are exact."""
    star = np.array([[0, 1, 1, 1], [1, 0, 2, 2], [1, 2, 0, 2], [1, 2, 2, 0]])
    tips = np.array([[math.cos(a), math.sin(a)] for a in 2 * np.pi * np.arange(3) / 3])
    plane = distances(np.concatenate([np.zeros((1, 2)), tips]))
    assert worst_distortion(plane, star) == pytest.approx(2 / math.sqrt(3))
    assert average_distortion(plane, star) == pytest.approx((1 - math.sqrt(3) / 2) / 2)


def test_the_best_scale_is_best():
    """Against a numerical search over the scale."""
    matrix = distances(np.random.default_rng(1).normal(size=(len(GRAPH), 2)))
    pairs = np.triu_indices(len(GRAPH), 1)

    def at(scale):
        return np.abs(matrix[pairs] * scale / GRAPH[pairs] - 1).mean()

    found = minimize_scalar(at, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-9})
    assert average_distortion(matrix, GRAPH) == pytest.approx(found.fun, rel=1e-4)
    assert average_distortion(matrix, GRAPH) <= found.fun + 1e-12


def test_average_precision_by_brute_force():
    """Every node, every neighbour: how many of the points that are at most as far are neighbours."""
    matrix = distances(np.random.default_rng(2).normal(size=(len(GRAPH), 2)))
    precisions = []
    for a in range(len(GRAPH)):
        near = [c for c in range(len(GRAPH)) if GRAPH[a, c] == 1]
        shares = []
        for b in near:
            within = [c for c in range(len(GRAPH)) if c != a and matrix[a, c] <= matrix[a, b]]
            shares.append(sum(c in near for c in within) / len(within))
        precisions.append(np.mean(shares))
    assert mean_average_precision(matrix, GRAPH) == pytest.approx(np.mean(precisions))


def test_points_that_coincide_have_no_bound():
    matrix = GRAPH.astype(float)
    matrix[3, 4] = matrix[4, 3] = 0.0
    assert worst_distortion(matrix, GRAPH) == math.inf
    with pytest.raises(ValueError, match=r"of one shape are compared, got \(2, 2\) and \(15, 15\)"):
        worst_distortion(np.ones((2, 2)), GRAPH)
    with pytest.raises(ValueError, match="every node needs a neighbour"):
        mean_average_precision(2.0 * GRAPH, 2 * GRAPH)
