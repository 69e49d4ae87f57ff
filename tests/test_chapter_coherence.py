"""The equations of the chapter on coherence, each by its label, and what its text says of the recorded studies."""

import itertools
import math

import numpy as np
import pytest
import torch

from physnn.lab.metrics import dirichlet, geary, moran
from physnn.lab.permutation import moran_moments


def field(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).exp()


def neighbours(shape):
    """Ordered pairs of rook neighbours, by their places in the flattened field."""
    places = list(itertools.product(*map(range, shape)))
    return [
        (a, b) for (a, i), (b, j) in itertools.product(enumerate(places), repeat=2)
        if sum(abs(x - y) for x, y in zip(i, j, strict=True)) == 1
    ]  # fmt: skip


SHAPES = [((10,), 1), ((6, 7), 2)]


@pytest.mark.parametrize(("shape", "dims"), SHAPES)
def test_eq_coherence_scores(shape, dims):
    f, pairs = field(*shape), neighbours(shape)
    z = (f - f.mean()).flatten().numpy()
    n, w, square = len(z), len(pairs), (z**2).sum()
    products, steps = sum(z[i] * z[j] for i, j in pairs), sum((z[i] - z[j]) ** 2 for i, j in pairs)
    assert moran(f, dims).item() == pytest.approx(n / w * products / square)
    assert geary(f, dims).item() == pytest.approx((n - 1) / (2 * w) * steps / square)
    assert dirichlet(f, dims).item() == pytest.approx(steps / (2 * square))


@pytest.mark.parametrize(("shape", "dims"), SHAPES)
def test_eq_coherence_one(shape, dims):
    f, pairs = field(*shape, seed=1), neighbours(shape)
    z = (f - f.mean()).flatten().numpy()
    n, w = len(z), len(pairs)
    degrees = np.bincount([i for i, _ in pairs], minlength=n)
    expected = (degrees * z**2).sum() / (z**2).sum() - w / n * moran(f, dims).item()
    assert dirichlet(f, dims).item() == pytest.approx(expected)
    assert dirichlet(f, dims).item() == pytest.approx(w / (n - 1) * geary(f, dims).item())


def test_eq_coherence_mean_and_variance():
    """Against all 5,040 permutations of a chain of seven, and pairs of pairs counted one by one."""
    chain = field(7, seed=2)
    every = moran(torch.tensor(list(itertools.permutations(chain.tolist())), dtype=torch.float64), 1)
    mean, variance = moran_moments(chain, 1)
    assert every.mean().item() == pytest.approx(-1 / 6) == mean.item()
    assert every.var(correction=0).item() == pytest.approx(variance.item())
    pairs = neighbours((4, 5))
    shared = [len({*one} & {*other}) for one, other in itertools.product(pairs, repeat=2)]
    w, q = len(pairs), (np.bincount([i for i, _ in pairs]) ** 2).sum()
    assert [shared.count(k) for k in (2, 1, 0)] == [2 * w, 4 * (q - w), w * w + 2 * w - 4 * q]


def test_eq_coherence_right():
    """One-hot answers have on average what chance gives."""
    right = torch.eye(10, dtype=torch.float64)
    assert moran(right, 1).mean().item() == pytest.approx(-1 / 9)
    assert dirichlet(right, 1).mean().item() == pytest.approx(2)


def test_the_largest_coherence_of_ten_outputs_is_an_eigenvalue():
    adjacency = np.diag(np.ones(9), 1) + np.diag(np.ones(9), -1)
    centred = np.eye(10) - 0.1
    values, vectors = np.linalg.eigh(centred @ adjacency @ centred)
    largest = 10 / 18 * values.max()
    assert moran(torch.tensor(vectors[:, -1]), 1).item() == pytest.approx(largest)
    assert (moran(torch.randn(100_000, 10, dtype=torch.float64), 1) <= largest).all()
    assert 0.9 < largest < 1.1


def test_the_printed_difference_is_largest_where_neighbours_agree_half_of_the_time():
    """+ + - - ... on a ring: every central difference is 1 in size, and D on the chain is near chance."""
    u = torch.tensor([1.0, 1, -1, -1] * 3, dtype=torch.float64)
    central = (u.roll(-1) - u.roll(1)) / 2
    assert (central.abs() == 1).all()
    assert abs(dirichlet(u, 1).item() - 2) < 0.4


def test_a_chain_of_ten_says_little():
    """Its standard deviation over permutations is about a tenth of what there is between smooth and rough."""
    spread = math.sqrt(moran_moments(field(10, seed=3), 1)[1])
    assert 0.2 < spread < 0.35
