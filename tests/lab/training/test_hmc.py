"""Hamiltonian Monte Carlo on laws that are known: it keeps them for any step, and its leaps lead back."""

import math

import pytest
import torch
from scipy import stats

from physnn.lab.training.hmc import Hamiltonian

COVARIANCE = torch.tensor([[1.0, 0.6, 0.0], [0.6, 2.0, -0.5], [0.0, -0.5, 0.7]], dtype=torch.float64)
MEAN = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)


def gaussian(k, step, leaps, seed=0, spread=1.0):
    """Chains of a Gaussian law in three dimensions, held in two tensors."""
    g = torch.Generator().manual_seed(seed)
    start = MEAN + spread * torch.randn(k, 3, generator=g, dtype=torch.float64)
    params = [start[:, :2].clone(), start[:, 2:].clone()]
    inverse = torch.linalg.inv(COVARIANCE)

    def energy():
        away = torch.cat(params, 1) - MEAN
        slope = away @ inverse
        return (away * slope).sum(1) / 2, [slope[:, :2], slope[:, 2:]]

    several = [torch.Generator().manual_seed(1000 * seed + i) for i in range(k)]
    return params, energy, Hamiltonian(params, energy, [step] * k, leaps, several)


@pytest.mark.parametrize(("step", "leaps", "least"), [(0.3, 8, 0.9), (0.9, 3, 0.3)])
def test_a_gaussian_is_sampled_whatever_the_step(step, leaps, least):
    """800 chains after 20 proposals: mean and covariance in closed form; false alarms: 3 tests at 1e-5.

    With the large step half of the proposals are refused: taken all the same, the variances would be off by a third.
    """
    params, _, chains = gaussian(800, step, leaps)
    for _ in range(20):
        chains.propose()
    white = (torch.cat(params, 1) - MEAN) @ torch.linalg.cholesky(torch.linalg.inv(COVARIANCE))
    k = len(white)
    assert stats.chi2.sf(float(k * white.mean(0).square().sum()), 3) > 1e-5
    assert 1e-5 < 2 * stats.chi2.sf(float(white.square().sum()), 3 * k) < 2 - 1e-5
    pairs = (white.unsqueeze(2) * white.unsqueeze(1)).mean(0)[[0, 0, 1], [1, 2, 2]]
    assert stats.chi2.sf(float(k * pairs.square().sum()), 3) > 1e-5
    assert least < float(chains.accepted.mean()) < 1 and chains.proposals == 20


def test_a_small_step_is_always_taken_and_a_wild_one_never():
    assert float(gaussian(50, 1e-4, 5)[2].propose().double().mean()) == 1
    params, _, wild = gaussian(50, 5.0, 30)
    before = [p.clone() for p in params]
    assert not wild.propose().any() and float(wild.accepted.max()) == 0
    assert all(torch.equal(p, old) for p, old in zip(params, before, strict=True))


def test_the_energy_that_is_kept_is_that_of_where_they_are():
    _, energy, chains = gaussian(40, 0.9, 3)
    for _ in range(5):
        chains.propose()
        torch.testing.assert_close(chains.now[0], energy()[0])
        for slope, kept in zip(energy()[1], chains.now[1], strict=True):
            torch.testing.assert_close(kept, slope)


def test_an_energy_that_is_no_number_is_refused():
    """A wall: beyond it the energy is NaN, and no chain gets there."""
    params = [torch.full((200, 1), 0.5, dtype=torch.float64)]

    def energy():
        x = params[0]
        return torch.where(x < 1, x.square() / 2, math.nan).squeeze(1), [x.clone()]

    chains = Hamiltonian(params, energy, [0.5] * 200, 4, [torch.Generator().manual_seed(i) for i in range(200)])
    for _ in range(20):
        chains.propose()
    assert (params[0] < 1).all() and 0 < float(chains.accepted.mean()) < 1


def test_a_chain_does_not_depend_on_who_is_beside_it():
    together, _, all_of_them = gaussian(5, 0.6, 4)
    alone, *_ = gaussian(5, 0.6, 4)
    one = [p[2:3].clone() for p in alone]
    inverse = torch.linalg.inv(COVARIANCE)

    def own():
        away = torch.cat(one, 1) - MEAN
        slope = away @ inverse
        return (away * slope).sum(1) / 2, [slope[:, :2], slope[:, 2:]]

    chain = Hamiltonian(one, own, [0.6], 4, [torch.Generator().manual_seed(2)])
    for _ in range(10):
        all_of_them.propose()
        chain.propose()
    for p, q in zip(together, one, strict=True):
        torch.testing.assert_close(p[2:3], q)
