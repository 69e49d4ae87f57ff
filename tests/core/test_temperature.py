"""Thermometers against the closed forms of the schemes, their bands against scipy, and schedules that resume."""

import io
import math

import pytest
import torch
from scipy import stats
from torch import nn

from physnn import Langevin, TemperatureSchedule, Thermometer
from physnn.temperature import band, cosine, exponential, logarithmic

OPTIONS = {"damping": 0.6, "temperature": 0.7}


def equilibrium(scheme, walkers=30_000, seed=0, lr=0.1, curvatures=(1.0, 8.0), steps=150, every=1, dtype=torch.float64):
    """Run to equilibrium on a quadratic, one group for each curvature."""
    params = [nn.Parameter(torch.zeros(walkers, dtype=dtype)) for _ in curvatures]
    optimizer = Langevin([{"params": [p]} for p in params], lr, **OPTIONS, scheme=scheme,
                         generator=torch.Generator().manual_seed(seed))  # fmt: skip
    thermometer = Thermometer(optimizer, every=every)
    for _ in range(steps):
        for p, curvature in zip(params, curvatures, strict=True):
            p.grad = curvature * p.detach()
        optimizer.step()
    return thermometer


@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_both_temperatures_of_every_group(scheme):
    """After 150 steps, eight and more relaxation times: chi-square. False alarms: 4 tests at 1e-4 per scheme.

    <v^2> / lr would be off by 1 / (1 - gamma/2 - k/4): 54 % and 100 % here.
    """
    for reading, k in zip(equilibrium(scheme).read(1 - 1e-4), (0.1, 0.8), strict=True):
        assert reading["dof"] == 30_000 and reading["temperature"] == 0.7
        assert reading["low"] < reading["kinetic"].item() < reading["high"]
        factor = 1 - k / (4 - 2 * 0.6) if scheme == "post" else 1
        assert reading["low"] < reading["configurational"].item() * factor < reading["high"]


def test_band_holds_at_its_rate():
    """400 independent readings of 3 values, band of 80 %: a binomial test at 1e-4."""
    theta = nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = Langevin([theta], 0.5, damping=0.9, temperature=0.7, generator=torch.Generator().manual_seed(3))
    thermometer = Thermometer(optimizer, every=20)  # correlations have died out by then
    inside = 0
    for step in range(8020):
        theta.grad = theta.detach().clone()
        optimizer.step()
        if step % 20 == 0 and step:
            reading = thermometer.read(0.8)[0]
            inside += reading["low"] < reading["kinetic"].item() < reading["high"]
    assert stats.binomtest(int(inside), 400, 0.8).pvalue > 1e-4


@pytest.mark.parametrize("dof", [1, 2, 30, 1_068_810, 25_000_000])
def test_band_is_chi_square(dof):
    expected = [0.5 * stats.chi2.ppf(q, dof) / dof for q in (0.005, 0.995)]
    assert band(0.5, dof) == pytest.approx(expected, rel=1e-6)


def test_what_is_measured_is_the_step():
    """The mean velocity and the virial of one step, with weight decay, maximize, a closure, odd strides and types."""
    for dtype in (torch.float32, torch.complex64, torch.bfloat16):
        theta = nn.Parameter(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).to(dtype).T)
        idle = nn.Parameter(torch.zeros(2))
        optimizer = Langevin([theta, idle], 0.1, damping=0.5, temperature=1.0, weight_decay=0.3, maximize=True)
        thermometer = Thermometer(optimizer, every=2)
        assert thermometer.read() == []
        last = {}
        for step in range(3):
            start = theta.detach().clone()
            before = optimizer.state[theta].get("velocity", torch.zeros_like(theta)).clone()

            def closure(theta=theta):
                theta.grad = torch.ones_like(theta) * 0.25

            optimizer.step(closure)
            reading = thermometer.read()[0]
            if step == 1:  # not measured
                assert torch.equal(reading["kinetic"], last["kinetic"])
                continue
            w = (before + optimizer.state[theta]["velocity"]) / 2
            dof = 24 if dtype.is_complex else 12
            expected = w.abs().double().square().sum() / (0.1 * dof)
            virial = (-0.25 * start.real.double().sum() + 0.3 * start.abs().double().square().sum()) / dof
            tolerance = {"rtol": 2e-2, "atol": 1e-3} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-6}
            torch.testing.assert_close(reading["kinetic"].double(), expected, **tolerance)
            torch.testing.assert_close(reading["configurational"].double(), virial, **tolerance)
            last = reading


def test_measuring_changes_nothing():
    ends = []
    for measured in (False, True):
        theta = nn.Parameter(torch.ones(100))
        optimizer = Langevin([theta], 0.1, **OPTIONS, generator=torch.Generator().manual_seed(0))
        if measured:
            Thermometer(optimizer, every=1)
        for _ in range(5):
            theta.grad = theta.detach().clone()
            optimizer.step()
        ends.append(theta.detach())
    assert torch.equal(*ends)


def test_bad_options_of_the_thermometer():
    optimizer = Langevin([nn.Parameter(torch.zeros(2))], 0.1, **OPTIONS)
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        Thermometer(optimizer, every=0)
    with pytest.raises(ValueError, match=r"confidence must lie between 0 and 1, both excluded, got 1\.0"):
        band(1.0, 10, 1.0)


def test_schedules():
    assert [cosine(4)(n) for n in (0, 2, 4, 9)] == pytest.approx([1, 0.5, 0, 0])
    assert [exponential(0.5)(n) for n in range(3)] == [1, 0.5, 0.25]
    assert [logarithmic()(n) for n in (0, 10)] == pytest.approx([1, 1 / math.log(math.e + 10)])


def scheduled():
    theta = nn.Parameter(torch.ones(50))
    other = nn.Parameter(torch.ones(50))
    optimizer = Langevin([{"params": [theta]}, {"params": [other], "temperature": 2.0}], 0.1, **OPTIONS,
                         generator=torch.Generator().manual_seed(0))  # fmt: skip
    return theta, other, optimizer, TemperatureSchedule(optimizer, cosine(10))


def test_schedule_sets_every_group_and_resumes():
    def run(theta, other, optimizer, schedule, steps):
        for _ in range(steps):
            theta.grad, other.grad = theta.detach().clone(), other.detach().clone()
            optimizer.step()
            schedule.step()

    first = scheduled()
    run(*first, 5)
    assert first[3].get_last_temperature() == pytest.approx([0.35, 1.0])
    saved = [p.detach().clone() for p in first[:2]]
    states = first[2].state_dict(), first[3].state_dict()
    states = torch.load(_saved(states), weights_only=True)
    run(*first, 5)
    assert first[3].get_last_temperature() == [0, 0]
    second = scheduled()
    with torch.no_grad():
        for p, value in zip(second[:2], saved, strict=True):
            p.copy_(value)
    second[2].load_state_dict(states[0])
    second[3].load_state_dict(states[1])
    run(*second, 5)
    assert all(torch.equal(a, b) for a, b in zip(first[:2], second[:2], strict=True))


def _saved(what):
    buffer = io.BytesIO()
    torch.save(what, buffer)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_a_schedule_that_gives_no_temperature(bad):
    optimizer = Langevin([nn.Parameter(torch.zeros(2))], 0.1, **OPTIONS)
    with pytest.raises(ValueError, match=r"factor\(0\) must be finite and at least 0, got"):
        TemperatureSchedule(optimizer, lambda n: bad)
