"""A machine in a heat bath: its force and its heat against closed forms, and the laws that it comes to."""

import math

import pytest
import torch
from scipy import stats

from physnn.lab.physics import machine
from physnn.lab.physics.machine import Machine, walk


def some(units=4, quartic=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ties = torch.randn(units, units, generator=generator, dtype=torch.float64)
    ties = (ties + ties.T) / 4
    quadratic, bias = torch.randn(2, units, generator=generator, dtype=torch.float64)
    return Machine(quadratic, quartic, bias, ties - torch.diag(ties.diagonal()))


def trap(stiffness, units=1):
    zero = torch.zeros(units, dtype=torch.float64)
    return Machine(zero + stiffness / 2, 0.0, zero, torch.zeros(units, units, dtype=torch.float64))


def states(count, units, seed=1):
    return torch.randn(count, units, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_slope_is_the_gradient_of_the_energy():
    own, x = some(), states(50, 4).requires_grad_()
    (slope,) = torch.autograd.grad(own.energy(x).sum(), x)
    torch.testing.assert_close(own.slope(x.detach()), slope)


def test_the_energy_is_that_of_the_source():
    own = Machine(torch.tensor([-1.0, 2.0]), 0.5, torch.tensor([0.25, -3.0]), torch.tensor([[0.0, 1.5], [1.5, 0.0]]))
    first, second = 2.0, -1.0
    expected = -1.0 * 4 + 2.0 * 1 + 0.5 * (16 + 1) + 0.25 * first - 3.0 * second + 1.5 * first * second
    assert own.energy(torch.tensor([[first, second]])).item() == pytest.approx(expected)


def test_the_heat_of_a_harmonic_trap_is_known_path_by_path():
    """And with it the mean: half the stiffness times what the variance falls by, less the error of a step."""
    stiffness, dt, steps, width = 1.5, 0.1, 20, 3.0
    start = width * states(4000, 1)
    end, emitted, fallen = walk([trap(stiffness)], start, steps, dt, torch.Generator().manual_seed(2))
    exact = stiffness / 2 * (1 - stiffness * dt / 2)
    torch.testing.assert_close(emitted, exact * (start**2 - end**2).squeeze(1))
    torch.testing.assert_close(fallen, stiffness / 2 * (start**2 - end**2).squeeze(1))
    left = width**2
    for _ in range(steps):
        left = (1 - stiffness * dt) ** 2 * left + 2 * dt
    mean = exact * (width**2 - left)
    assert abs(emitted.mean().item() - mean) < 4 * emitted.std().item() / math.sqrt(len(start))  # false alarm 6e-5


def test_heat_is_the_log_ratio_of_a_step_and_its_reverse():
    own, x, moved, dt = some(), states(100, 4, 3), states(100, 4, 4), 0.07
    forth = machine.action(own.slope(x), x, moved, dt)
    back = machine.action(own.slope(moved), moved, x, dt)
    torch.testing.assert_close(machine.heat(own, x, moved, dt), back - forth)


def test_the_action_is_the_log_density_of_a_normal_step():
    own, x, moved, dt = some(), states(20, 4, 5), states(20, 4, 6), 0.05
    law = torch.distributions.Normal(x - dt * own.slope(x), math.sqrt(2 * dt))
    expected = -law.log_prob(moved).sum(1) - 2 * math.log(4 * math.pi * dt)
    torch.testing.assert_close(machine.action(own.slope(x), x, moved, dt), expected)


def test_the_integral_fluctuation_theorem_holds_at_any_step():
    """Of 40,000 walks of two tied units in double wells; false alarm 6e-5."""
    own = Machine(
        torch.tensor([-0.5, -0.5]).double(),
        0.1,
        torch.tensor([0.2, 0.0]).double(),
        torch.tensor([[0.0, -0.4], [-0.4, 0.0]]).double(),
    )
    start = states(40_000, 2, 7)
    end, emitted, _ = walk([own], start, 5, 0.1, torch.Generator().manual_seed(8))
    ratio = (-emitted + (start.square() - end.square()).sum(1) / 2).exp()  # both densities are standard normal
    assert ratio.std() > 0.1
    assert abs(ratio.mean().item() - 1) < 4 * ratio.std().item() / math.sqrt(len(ratio))


def test_without_a_quartic_the_law_is_normal_with_a_known_covariance():
    """Three chi-square tests of 20,000 walkers, two-sided at 1e-4 each."""
    units, dt = 3, 0.1
    found = some(units, 0.0)
    stiff = Machine(torch.tensor([1.0, 0.6, 2.0]).double(), 0.0, found.bias, found.couplings)
    a = 2 * torch.diag(stiff.quadratic) + stiff.couplings
    assert torch.linalg.eigvalsh(a).min() > 0.3
    precision = a @ (torch.eye(units) - dt / 2 * a)
    mean = -torch.linalg.solve(a, stiff.bias)
    end, *_ = walk([stiff], states(20_000, units, 9) + mean, 300, dt, torch.Generator().manual_seed(10))
    away = end - mean
    squares = ((away @ precision) * away).sum().item()
    centre = away.mean(0)
    for value, freedom in (
        (squares, 20_000 * units),
        ((20_000 * centre @ precision @ centre).item(), units),
        ((away[:, 0].square().sum() * 1 / torch.linalg.inv(precision)[0, 0]).item(), 20_000),
    ):
        assert 1e-4 < 2 * min(stats.chi2.cdf(value, freedom), stats.chi2.sf(value, freedom))
    wrong = ((away @ a) * away).sum().item()  # without the error of a step
    assert stats.chi2.sf(wrong, 20_000 * units) < 1e-6 or stats.chi2.cdf(wrong, 20_000 * units) < 1e-6


def test_with_a_quartic_a_unit_has_two_states_that_heat_fills_by_their_depth():
    """The share right of the barrier against the integral of the density; false alarm 6e-5, and 1 % for the step."""
    own = Machine(torch.tensor([-1.0]).double(), 0.25, torch.tensor([0.3]).double(), torch.zeros(1, 1).double())
    x = torch.linspace(-5, 5, 20_001, dtype=torch.float64).unsqueeze(1)
    weight = (-own.energy(x)).exp()
    expected = (weight[x[:, 0] > 0].sum() / weight.sum()).item()
    end, *_ = walk([own], states(10_000, 1, 11), 800, 0.02, torch.Generator().manual_seed(12))
    share = (end > 0).double().mean().item()
    assert 0.2 < expected < 0.45
    assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / 10_000) + 0.01


def test_machines_work_one_after_the_other():
    first, second = trap(1.0, 2), trap(3.0, 2)
    start = states(5, 2, 13)
    both, heats, _ = walk([first, second], start, 4, 0.1, torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    halfway, early, _ = walk([first], start, 2, 0.1, generator)
    end, late, _ = walk([second], halfway, 2, 0.1, generator)
    torch.testing.assert_close(both, end)
    torch.testing.assert_close(heats, early + late)
    with pytest.raises(ValueError, match="steps must be a multiple of the machines, got 3 for 2"):
        walk([first, second], start, 3, 0.1, generator)
    with pytest.raises(ValueError, match="got 3 for 0"):
        walk([], start, 3, 0.1, generator)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quartic": -0.1}, "quartic must be at least 0, or units leave to infinity, got -0.1"),
        (
            {"quadratic": torch.zeros(3)},
            r"must have shapes \(N,\), \(N,\) and \(N, N\), got \(\(3,\), \(2,\), \(2, 2\)",
        ),
        ({"couplings": torch.tensor([[0.0, 1.0], [0.5, 0.0]])}, "couplings must be symmetric, without a diagonal"),
        ({"couplings": torch.eye(2)}, "couplings must be symmetric, without a diagonal"),
    ],
)
def test_a_machine_that_is_none(change, message):
    good = {"quadratic": torch.ones(2), "quartic": 0.0, "bias": torch.zeros(2), "couplings": torch.zeros(2, 2)}
    assert Machine(**good).to(torch.float64).bias.dtype == torch.float64
    with pytest.raises(ValueError, match=message):
        Machine(**{**good, **change})
