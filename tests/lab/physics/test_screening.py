"""The response of a pushed ring: against the inverse of the matrix, the law of the infinite line, and back again."""

import math

import numpy as np
import pytest
import torch

from physnn.field import difference
from physnn.lab.physics.screening import LONGEST, around, green, hops, spread


def inverse(classes, ratio):
    """(I + c DᵀD)⁻¹, with D the central difference that the loss takes."""
    d = difference(torch.eye(classes, dtype=torch.float64), 0, "periodic").numpy()
    return np.linalg.inv(np.eye(classes) + ratio * d.T @ d)


@pytest.mark.parametrize("classes", [3, 5, 10])
@pytest.mark.parametrize("ratio", [-0.7, 0.0, 0.25, 4.0, 143.0])
def test_the_modes_add_up_to_the_inverse(classes, ratio):
    np.testing.assert_allclose(green(classes, ratio), inverse(classes, ratio)[0], atol=1e-12)
    np.testing.assert_allclose(around(inverse(classes, ratio)), green(classes, ratio), atol=1e-12)


@pytest.mark.parametrize("ratio", [0.5, 4.0, 100.0])
def test_on_a_long_ring_it_falls_by_one_factor_every_second_class(ratio):
    """G is proportional to lambda^(r/2) with cosh(ln lambda) = 1 + 2/c; the odd classes feel nothing."""
    g = green(400, ratio)
    decay = math.exp(-math.acosh(1 + 2 / ratio))
    assert g[2:12:2] / g[0:10:2] == pytest.approx([decay] * 5, rel=1e-9)
    assert g[1::2] == pytest.approx(0, abs=1e-12)
    if ratio == 100:  # where it is long, the length of the lattice is that of the continuum
        assert -2 / math.log(decay) == pytest.approx(math.sqrt(ratio), rel=0.01)


@pytest.mark.parametrize("length", [0.5, 1.0, 2.0, 4.0, 12.0])
@pytest.mark.parametrize("factor", [1e-6, -3.0])
def test_the_length_comes_back_from_the_response(length, factor):
    found = spread(factor * inverse(10, length**2))
    assert found.length == pytest.approx(length, rel=1e-3) and found.share == pytest.approx(1)


def test_the_length_of_a_noisy_response_is_that_of_the_field():
    """Of 60 responses of length 2 with a tenth of the peak as noise, the mean is within four standard errors + 2 %."""
    rng = np.random.default_rng(0)
    clean = inverse(10, 4.0)
    lengths = [spread(clean + 0.1 * clean.max() * rng.standard_normal((10, 10))).length for _ in range(60)]
    assert abs(np.mean(lengths) - 2) < 4 * np.std(lengths) / math.sqrt(60) + 0.04


def test_what_does_not_spread_has_no_length():
    assert spread(np.eye(10)).length == pytest.approx(0, abs=0.03)
    assert spread(inverse(10, -0.8)).length == 0  # it alternates
    assert spread(np.eye(10) - 0.1).length == 0  # a push of one output against all others, as a softmax feels it
    everywhere = spread(np.ones((10, 10)))
    assert everywhere.length == 0 or everywhere.share < 0.6  # odd classes are out of reach


def test_the_longest_length_is_bounded():
    even = (np.add.outer(np.arange(10), np.arange(10)) % 2 == 0).astype(float)
    assert spread(even).length == pytest.approx(LONGEST, rel=1e-3)


@pytest.mark.parametrize("classes", [5, 7, 8, 10])
def test_hops_are_shortest_paths(classes):
    reach = np.full((classes, classes), np.inf)
    np.fill_diagonal(reach, 0)
    for _ in range(classes):
        reach = np.minimum.reduce([reach, np.roll(reach, 2, 0) + 1, np.roll(reach, -2, 0) + 1])
    np.testing.assert_array_equal(hops(classes), reach)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: green(2, 1.0), "at least 3 classes"),
        (lambda: green(10, -1.0), "above -1"),
        (lambda: green(10, math.nan), "nan"),
        (lambda: around(np.ones((2, 3))), r"\(2, 3\)"),
        (lambda: spread(np.zeros((4, 4))), "not zero"),
        (lambda: spread(np.full((4, 4), math.nan)), "finite"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
