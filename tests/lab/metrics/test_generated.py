"""Distances of laws and of pictures, against independent computations and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from physnn.lab.metrics import generated
from physnn.lab.metrics.generated import apart, frechet, nearest, shares_apart


def normal(count, units=3, seed=0, scale=1.0):
    return scale * torch.randn(count, units, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_energy_distance_is_that_of_scipy_distances(monkeypatch):
    monkeypatch.setattr(generated, "PIECE", 7)
    one, two = normal(20), normal(30, seed=1) + 0.5
    between = cdist(one, two).mean()
    own, theirs = cdist(one, one).sum() / (20 * 19), cdist(two, two).sum() / (30 * 29)
    assert apart(one, two) == pytest.approx(1 - (own + theirs) / (2 * between), abs=1e-6)
    whole = 1 - (own + cdist(two, two).mean()) / (2 * between)
    assert apart(one, two, whole=True) == pytest.approx(whole, abs=1e-6)


def test_of_one_law_it_is_0_in_the_mean_and_of_two_it_is_not():
    """60 pairs of samples; false alarm 6e-5."""
    values = np.array([apart(normal(40, seed=i), normal(25, seed=1000 + i)) for i in range(60)])
    assert abs(values.mean()) < 4 * values.std(ddof=1) / math.sqrt(60)
    assert apart(normal(300), normal(300, seed=1, scale=2.0)) > 0.03
    pair = torch.tensor([[0.0], [1.0]])
    chosen = pair[torch.randint(2, (4000,), generator=torch.Generator().manual_seed(0))]
    assert abs(apart(chosen, pair, whole=True)) < 1e-3  # a law of two points, each as likely


def test_it_tells_laws_that_have_the_same_means_and_covariances():
    coin = torch.where(normal(4000, 1) > 0, 1.0, -1.0).double()
    bell = normal(4000, 1, seed=3)
    assert frechet(coin, bell) < 0.01 < 0.05 < apart(coin, bell)


def test_the_frechet_distance_is_that_of_a_matrix_root():
    one, two = normal(50, 4) @ normal(4, 4, seed=5), normal(60, 4, seed=6) + 1
    first, second = np.cov(one.T), np.cov(two.T)
    root = sqrtm(first @ second).real
    expected = ((one.mean(0) - two.mean(0)) ** 2).sum().item() + np.trace(first + second - 2 * root)
    assert frechet(one, two) == pytest.approx(expected)
    assert frechet(one, one + 2) == pytest.approx(16.0)
    assert frechet(one, 3 * one) == pytest.approx(4 * np.trace(first) + 4 * (one.mean(0) ** 2).sum().item())


def test_the_nearest_is_that_of_scipy_and_not_the_picture_itself(monkeypatch):
    monkeypatch.setattr(generated, "PIECE", 4)
    one, two = normal(10), normal(15, seed=1)
    np.testing.assert_allclose(nearest(one, two), cdist(one, two).min(1))
    own = cdist(one, one) + np.diag([np.inf] * 10)
    np.testing.assert_allclose(nearest(one, one, itself=True), own.min(1))
    assert (nearest(two[:3], two) == 0).all()


def test_shares_and_bad_input():
    assert shares_apart(torch.tensor([0, 0, 1]), torch.tensor([1, 1, 1]), 3) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="needs two pictures of each, got 1 and 3"):
        apart(normal(1), normal(3))
    with pytest.raises(ValueError, match="needs two pictures of each, got 3 and 1"):
        frechet(normal(3), normal(1))
    with pytest.raises(ValueError, match="pictures must be finite; some are not"):
        apart(normal(3) / 0, normal(3))
