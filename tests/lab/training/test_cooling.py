"""Cooling: the optimizer's own step, the prior that stays, and the heat of chains against exact moments."""

import math

import pytest
import torch

from physnn import Langevin
from physnn.lab.physics.entropy import START, carry, rest_law
from physnn.lab.statistics.bounds import path_kl
from physnn.lab.training.cooling import Cooling


def started(count, size, lr=0.1, damping=0.2, seed=0):
    generators = [torch.Generator().manual_seed(seed + i) for i in range(count)]
    params = [torch.stack([torch.randn(size, generator=g) for g in generators])]
    return Cooling([lr] * count, [damping] * count, generators, params), params


def test_a_step_is_that_of_the_optimizer():
    """Without noise, :class:`physnn.Langevin` at T = 0, step by step."""
    cooling, (z,) = started(1, 6)
    other = torch.nn.Parameter(z[0].clone())
    optimizer = Langevin([other], lr=0.1, damping=0.2)
    for _ in range(5):
        cooling.step([z * torch.arange(6.0)])
        optimizer.zero_grad()
        (other.square() * torch.arange(6.0) / 2).sum().backward()
        optimizer.step()
        torch.testing.assert_close(z[0], other.detach())
    assert cooling.heat.tolist() == cooling.path.tolist() == [0.0]


def test_without_a_loss_the_prior_stays_and_nothing_is_spent():
    """Variances over 40,000 coordinates at three temperatures, to 4.5 standard errors (a false alarm in 10⁵ each)."""
    cooling, (z,) = started(2, 20_000, lr=0.5)
    for temperature in (1.0, 0.3, 0.01):
        cooling.cool(temperature)
        for _ in range(50):
            cooling.step([torch.zeros_like(z)])
        law = rest_law(0.5, 0.2, temperature)
        assert z.square().mean().item() == pytest.approx(law.variance, rel=4.5 * math.sqrt(2 / z.numel()))
    assert cooling.heat.tolist() == cooling.path.tolist() == [0.0, 0.0]


def test_the_heat_of_chains_is_that_of_their_moments():
    """200 chains of 50 coordinates with L = z²/2 at two temperatures, to 4.5 standard errors."""
    lr, damping, steps = 0.1, 0.2, 60
    cooling, (z,) = started(200, 50, lr, damping)
    for temperature in (0.5, 0.1):
        cooling.cool(temperature)
        for _ in range(steps):
            cooling.step([z.clone()])
    expected, pair, last = 0.0, torch.eye(2, dtype=torch.float64), START
    for temperature in (0.5, 0.1):
        law = rest_law(lr, damping, temperature)
        z_unit, v_unit = torch.eye(2, dtype=torch.float64)
        carry(last, law, [z_unit], [v_unit])
        moved, last = torch.stack([z_unit, v_unit]), law
        (zz, zv), (_, vv) = (moved @ pair @ moved.T).tolist()
        for _ in range(steps):
            pull, keep, noise = lr * (1 + temperature), 1 - damping, 2 * damping * lr * temperature
            after = keep * zv - pull * zz  # <z v'>
            expected -= (zv + after) / (2 * temperature)
            vv = keep**2 * vv - 2 * keep * pull * zv + pull**2 * zz + noise
            zz, zv = zz + 2 * after + vv, after + vv
        pair = torch.tensor([[zz, zv], [zv, vv]], dtype=torch.float64)
    found = cooling.heat / 50
    assert found.mean().item() == pytest.approx(expected, abs=4.5 * found.std().item() / math.sqrt(200))


def test_the_path_is_the_sum_of_its_steps():
    cooling, (z,) = started(1, 3)
    cooling.cool(0.2)
    total = 0.0
    for _ in range(4):
        gradient = torch.randn(1, 3)
        total += path_kl(gradient.square().sum().item(), 0.1, 0.2, 0.2)
        cooling.step([gradient])
    assert cooling.path.item() == pytest.approx(total, rel=1e-5)
    assert torch.isfinite(z).all()


def test_a_chain_at_rest_stays_at_rest():
    cooling, (z,) = started(2, 4)
    cooling.cool(0.1)
    cooling.freeze(0)
    cooling.cool(0.05)
    cooling.step([torch.zeros_like(z)])
    assert not z[0].any() and z[1].all()


def test_a_rate_that_is_too_large_for_the_prior_is_refused():
    cooling, _ = started(1, 4, lr=50.0)
    with pytest.raises(ValueError, match="lr × temperature"):
        cooling.cool(0.1)
