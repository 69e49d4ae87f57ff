"""Permutation moments against all permutations, the textbook's form, and random ones."""

import itertools
import math

import pytest
import torch

from physnn.lab.metrics.chance import moran_moments, over_orders
from physnn.lab.metrics.fields import dirichlet, moran


def values(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).exp()


@pytest.mark.parametrize(("shape", "dims"), [((5,), 1), ((7,), 1), ((2, 3), 2), ((2, 2), 2)])
def test_the_moments_are_those_of_all_permutations(shape, dims):
    field = values(*shape)
    every = torch.tensor(list(itertools.permutations(field.flatten().tolist())), dtype=torch.float64)
    found = moran(every.view(-1, *shape), dims)
    mean, variance = moran_moments(field, dims)
    assert mean.item() == pytest.approx(found.mean().item(), abs=1e-12)
    assert variance.item() == pytest.approx(found.var(correction=0).item(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("shape", "dims"), [((10,), 1), ((28, 28), 2)])
def test_the_variance_is_that_of_the_textbook(shape, dims):
    """Cliff and Ord's randomization variance, with S0, S1, S2 from an explicit matrix of neighbours."""
    field = values(*shape, seed=1)
    places = list(itertools.product(*map(range, shape)))
    steps = [sum(abs(a - b) for a, b in zip(i, j, strict=True)) == 1 for i in places for j in places]
    w = torch.tensor(steps).view(len(places), -1).double()
    n, s0 = len(places), w.sum().item()
    s1, s2 = 0.5 * (w + w.T).square().sum().item(), (w.sum(0) + w.sum(1)).square().sum().item()
    z = field - field.mean()
    k = (z.pow(4).mean() / z.square().mean().square()).item()
    first = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0 * s0)
    second = k * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0 * s0)
    expected = (first - second) / ((n - 1) * (n - 2) * (n - 3) * s0 * s0) - 1 / (n - 1) ** 2
    assert moran_moments(field, dims)[1].item() == pytest.approx(expected, rel=1e-10)


def test_random_permutations_agree():
    field, generator = values(28, 28, seed=2), torch.Generator().manual_seed(3)
    shuffled = torch.stack([field.flatten()[torch.randperm(784, generator=generator)] for _ in range(2000)])
    found = moran(shuffled.view(-1, 28, 28))
    mean, variance = moran_moments(field)
    assert found.mean().item() == pytest.approx(mean.item(), abs=4 * math.sqrt(variance / 2000))
    assert found.std().item() == pytest.approx(math.sqrt(variance), rel=0.08)


def test_many_fields_at_once_and_constant_ones():
    fields = torch.stack([values(4, 5), torch.ones(4, 5, dtype=torch.float64)])
    mean, variance = moran_moments(fields)
    assert mean.shape == variance.shape == (2,) and variance[1].isnan()
    assert variance[0].item() == pytest.approx(moran_moments(fields[0])[1].item())
    with pytest.raises(ValueError, match="four values"):
        moran_moments(torch.ones(3), 1)


def test_the_mean_over_all_orders_of_the_classes_is_two():
    outputs = values(50, 4)
    every = [dirichlet(outputs[:, list(order)], 1).mean() for order in itertools.permutations(range(4))]
    assert torch.stack(every).mean().item() == pytest.approx(2.0)
    found = over_orders(outputs, 500, torch.Generator().manual_seed(0))
    assert found.shape == (500,) and set(found.numpy().round(9)) <= {round(e.item(), 9) for e in every}
    with pytest.raises(ValueError, match="count"):
        over_orders(outputs, 0, torch.Generator())
