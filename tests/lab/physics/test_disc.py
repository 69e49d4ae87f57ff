"""The disc of Poincaré, against geoopt, closed forms, and the tree that it has room for."""

import math

import geoopt
import numpy as np
import pytest
import torch

from physnn.lab.data.trees import tree_distances
from physnn.lab.metrics.distortion import average_distortion, mean_average_precision, worst_distortion
from physnn.lab.physics.disc import distance, geodesic, translated, tree_layout

DRAWN = np.random.default_rng(0)


def some(count=40):
    return np.sqrt(DRAWN.uniform(0, 0.98, count)) * np.exp(2j * np.pi * DRAWN.uniform(size=count))


def real(z):
    return torch.from_numpy(np.stack([z.real, z.imag], -1))


def test_distances_and_translations_are_geoopts():
    z, w = some(), some()
    ball = geoopt.PoincareBall(c=1.0)
    assert distance(z, w) == pytest.approx(ball.dist(real(z), real(w)).numpy(), rel=1e-9)
    by = 0.3 - 0.4j
    moved = ball.mobius_add(real(np.array([by])), real(z))
    assert real(translated(z, by)).numpy() == pytest.approx(moved.numpy(), abs=1e-12)


def test_a_translation_keeps_all_distances():
    z = some()
    moved = translated(z, 0.6 + 0.5j)
    assert distance(moved[:, None], moved) == pytest.approx(distance(z[:, None], z), rel=1e-9, abs=1e-12)
    assert translated(np.zeros(1), 0.6 + 0.5j) == pytest.approx([0.6 + 0.5j])


def test_a_radius_is_as_long_as_the_formula_says():
    """ln((1 + r)/(1 - r)), and close to the rim without loss."""
    radii = np.array([0.1, 0.9, 1 - 1e-12])
    assert distance(radii, 0) == pytest.approx(np.log1p(radii) - np.log(np.array([0.9, 0.1, 1e-12])), rel=1e-4)


def test_a_geodesic_is_as_long_as_the_distance_and_meets_the_rim_at_right_angles():
    z, w = 0.8 + 0.1j, -0.2 + 0.7j
    way = geodesic(z, w, 50)
    steps = distance(way[1:], way[:-1])
    assert (way[0], way[-1]) == pytest.approx((z, w))
    assert steps == pytest.approx(np.full(49, distance(z, w) / 49))
    # Points of a circle whose centre c has |c|² = 1 + r²: |p|² + 1 = 2 Re(p c̄).
    rows = np.stack([2 * way.real, 2 * way.imag], -1)
    centre, residual, *_ = np.linalg.lstsq(rows, np.abs(way) ** 2 + 1, rcond=None)
    assert residual == pytest.approx(0, abs=1e-20) and np.hypot(*centre) > 1
    assert geodesic(0.3, 0.3, 3) == pytest.approx([0.3] * 3)


@pytest.mark.parametrize(("branching", "depth"), [(2, 7), (3, 4), (4, 2)])
def test_all_edges_of_a_tree_are_of_one_length_with_equal_angles(branching, depth):
    places, edge = tree_layout(branching, depth, 1.3), 1.3
    nodes = np.arange(1, len(places))
    assert distance(places[nodes], places[(nodes - 1) // branching]) == pytest.approx(edge)
    around = [0, *range(branching + 1, 2 * branching + 1)]  # of node 1: its parent and its children
    seen = np.sort(np.angle(translated(places[around], -places[1])))
    assert np.diff(seen) == pytest.approx(2 * np.pi / (branching + 1))


def test_two_edges_meet_as_the_law_of_cosines_says():
    """Siblings at an angle of a third of a turn: cosh d = cosh² ℓ + sinh² ℓ / 2."""
    places = tree_layout(2, 2, 2.0)
    expected = math.acosh(math.cosh(2) ** 2 + math.sinh(2) ** 2 / 2)
    assert distance(places[3], places[4]) == pytest.approx(expected)


def test_longer_edges_make_a_tree_without_distortion():
    graph = tree_distances(2, 7)
    found = []
    for edge in (0.5, 1.0, 2.0, 4.0):
        places = tree_layout(2, 7, edge)
        matrix = distance(places[:, None], places)
        found.append((average_distortion(matrix, graph), worst_distortion(matrix, graph)))
        assert (mean_average_precision(matrix, graph) == 1) == (edge >= 1)
    means, worst = zip(*found, strict=True)
    assert list(means) == sorted(means, reverse=True) and means[-1] < 0.005
    assert list(worst) == sorted(worst, reverse=True) and worst[-1] < 1.08


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: distance(1.0, 0), "a magnitude below 1"),
        (lambda: translated(0.5, 1.0), "a magnitude below 1"),
        (lambda: tree_layout(1, 3, 1.0), "got 1, 3 and 1.0"),
        (lambda: tree_layout(2, 3, 0.0), "edges longer than 0, got 2, 3 and 0.0"),
        (lambda: tree_layout(2, 7, 5.0), "at 7 edges of length 5.0 the leaves are farther away than 30"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
