"""What is sampled while lr and temperature move: the optimizer against the covariance propagated step by step."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.optim import lr_scheduler

from physnn import Langevin, TemperatureSchedule, Thermometer, cosine, exponential, logarithmic, warm_restarts

LR, DAMPING, CURVATURE, TEMPERATURE = 0.2, 0.1, 1.0, 1.0
SCHEDULES = {
    "warm restarts": lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 100, eta_min=1e-4),
    "steps": lambda optimizer: lr_scheduler.StepLR(optimizer, 100, gamma=0.2),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 100),  # to 0, and up again
}


def propagate(scheme, lrs, rescale, temperatures=None):
    """Yield the covariance of (theta, v, last noise) after every step, from rest at 0; written out by hand."""
    cov, last = np.zeros((3, 3)), None
    cov[2, 2] = 1
    for i, alpha in enumerate(lrs):
        temperature = TEMPERATURE if temperatures is None else temperatures[i]
        if alpha == 0 and rescale:
            yield cov
            continue
        scale = math.sqrt(alpha / last) if rescale and last else 1.0
        k, c = alpha * CURVATURE, 1 - DAMPING
        if scheme == "baoa":
            s, half = math.sqrt(alpha * temperature * (1 - c * c)), (1 + c) / 2
            a, b = np.array([[1 - half * k, half, 0], [-c * k, c, 0], [0, 0, 0]]), np.array([[s / 2], [s], [1]])
        else:
            s = math.sqrt(2 * DAMPING * alpha * temperature)
            old, new = (s / 2, s / 2) if scheme == "gjf" else (0, s)
            a = np.array([[1 - k, c, old], [-k, c, old], [0, 0, 0]])
            b = np.array([[new], [new], [1]])
        a = a @ np.diag([1, scale, 1])
        cov, last = a @ cov @ a.T + b @ b.T, alpha or last
        yield cov


def run(optimizer, theta, schedules, steps):
    lrs, temperatures = [], []
    for _ in range(steps):
        lrs.append(optimizer.param_groups[0]["lr"])
        temperatures.append(optimizer.param_groups[0]["temperature"])
        theta.grad = CURVATURE * theta.detach()
        optimizer.step()
        for schedule in schedules:
            schedule.step()
    return lrs, temperatures


def sampler(scheme, walkers=20_000, **options):
    theta = nn.Parameter(torch.zeros(walkers, dtype=torch.float64))
    options = {"damping": DAMPING, "temperature": TEMPERATURE, **options}
    return theta, Langevin([theta], LR, scheme=scheme, generator=torch.Generator().manual_seed(0), **options)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("scheme", "rescale"), [("post", True), ("gjf", None), ("baoa", None), ("post", None)])
def test_variance_under_a_schedule_of_lr(scheme, rescale, schedule):
    """Two variances against the propagated ones, chi-square: 24 tests, false alarms 1e-4 each.

    Where the velocity is rescaled, the positions keep T / lambda: 1 % in the mean over time, and within sqrt(k) / 2,
    22 %, after a jump (position and velocity are correlated by that much). "post" lies up to 5.6 % above, as its law at
    lr 0.2 does. As printed, it swings by a factor of two and more.
    """
    theta, optimizer = sampler(scheme, rescale=rescale)
    lrs, _ = run(optimizer, theta, [SCHEDULES[schedule](optimizer)], 420)
    rescaled = optimizer.param_groups[0]["rescale"]
    assert rescaled == (scheme != "post" if rescale is None else rescale)
    covs = list(propagate(scheme, lrs, rescaled))
    v = optimizer.state[theta]["velocity"]
    for values, variance in ((theta.detach(), covs[-1][0, 0]), (v, covs[-1][1, 1])):
        if variance > 1e-12:
            statistic = (values.square().sum() / variance).item()
            assert 2 * min(stats.chi2.cdf(statistic, len(values)), stats.chi2.sf(statistic, len(values))) > 1e-4
    ratio = np.array([cov[0, 0] for cov in covs[100:]]) * CURVATURE / TEMPERATURE
    if rescaled:
        assert ratio.mean() == pytest.approx(1.028 if scheme == "post" else 1, abs=0.02 if scheme == "post" else 0.01)
        assert 1 - math.sqrt(LR) / 2 < ratio.min() and ratio.max() < 1 + math.sqrt(LR) / 2
    else:
        assert ratio.max() > 2


def test_as_printed_the_velocity_knows_nothing_of_a_schedule():
    """The post's two lines, letter for letter, while lr falls and rises."""
    theta, optimizer = sampler("post", walkers=50)
    expected, v, same = theta.detach().clone(), torch.zeros(50, dtype=torch.float64), torch.Generator().manual_seed(0)
    for lr in (0.2, 0.1, 0.001, 0.3):
        optimizer.param_groups[0]["lr"] = lr
        run(optimizer, theta, [], 1)
        eta = torch.empty(64, dtype=torch.float64)[:50].normal_(generator=same)
        v = (1 - DAMPING) * v - lr * CURVATURE * expected + math.sqrt(2 * DAMPING * lr * TEMPERATURE) * eta
        expected = expected + v
        torch.testing.assert_close(theta.detach(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
@pytest.mark.parametrize("rescale", [False, True])
def test_lr_zero_stands_still_or_coasts_and_draws_nothing(scheme, rescale):
    theta, optimizer = sampler(scheme, walkers=20, rescale=rescale)
    run(optimizer, theta, [], 3)
    start, v = theta.detach().clone(), optimizer.state[theta]["velocity"].clone()
    noise = optimizer.source.generators[theta.device].get_state()
    optimizer.param_groups[0]["lr"] = 0.0
    run(optimizer, theta, [], 2)
    assert torch.equal(optimizer.source.generators[theta.device].get_state(), noise)
    c = 1 - DAMPING
    if rescale:
        assert torch.equal(theta, start) and torch.equal(optimizer.state[theta]["velocity"], v)
    else:
        way = {"post": c + c * c, "gjf": c + c * c, "baoa": (1 + c) / 2 * (1 + c)}[scheme]
        torch.testing.assert_close(theta.detach(), start + way * v, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(optimizer.state[theta]["velocity"], c * c * v, rtol=1e-12, atol=1e-12)
    # And on: the velocity has the size that belongs to the new lr, whatever stood between.
    optimizer.param_groups[0]["lr"] = 4 * LR
    expected = 2 * v if rescale else c * c * v
    kept = optimizer.state[theta]["velocity"]
    optimizer.param_groups[0]["temperature"] = 0.0
    theta.grad = torch.zeros_like(theta)
    optimizer.step()
    torch.testing.assert_close(kept, c * expected, rtol=1e-12, atol=1e-12)


def test_a_parameter_that_rests_while_lr_moves_is_rescaled_too():
    a, b = (nn.Parameter(torch.zeros(5, dtype=torch.float64)) for _ in range(2))
    optimizer = Langevin([a, b], 0.1, damping=0.5, temperature=1.0, scheme="baoa")
    a.grad, b.grad = torch.ones(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    optimizer.step()
    v = optimizer.state[b]["velocity"].clone()
    b.grad, optimizer.param_groups[0]["lr"] = None, 0.4
    optimizer.step()
    torch.testing.assert_close(optimizer.state[b]["velocity"], 2 * v)


def test_resuming_in_mid_schedule_repeats_the_run():
    def make():
        theta, optimizer = sampler("gjf", walkers=30)
        return theta, optimizer, SCHEDULES["cosine"](optimizer), TemperatureSchedule(optimizer, cosine(50))

    theta, optimizer, *schedules = make()
    run(optimizer, theta, schedules, 10)
    saved = copy.deepcopy([optimizer.state_dict(), *(s.state_dict() for s in schedules), theta.detach()])
    run(optimizer, theta, schedules, 10)
    again, second, *others = make()
    second.load_state_dict(saved[0])
    for schedule, state in zip(others, saved[1:3], strict=True):
        schedule.load_state_dict(state)
    with torch.no_grad():
        again.copy_(saved[3])
    run(second, again, others, 10)
    assert torch.equal(theta, again)


@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_lr_and_temperature_restart_together(scheme):
    """Three cycles of both: chi-square at 1e-4 for both variances, and the thermometer reads what was propagated."""
    theta, optimizer = sampler(scheme, rescale=True)
    thermometer = Thermometer(optimizer, every=1)
    schedules = SCHEDULES["warm restarts"](optimizer), TemperatureSchedule(optimizer, warm_restarts(100))
    lrs, temperatures = run(optimizer, theta, schedules, 240)
    assert temperatures[200] == TEMPERATURE and lrs[200] == LR and temperatures[199] < 1e-3
    covs = list(propagate(scheme, lrs, True, temperatures))
    for values, variance in (
        (theta.detach(), covs[-1][0, 0]),
        (optimizer.state[theta]["velocity"], covs[-1][1, 1]),
    ):
        statistic = (values.square().sum() / variance).item()
        assert 2 * min(stats.chi2.cdf(statistic, len(values)), stats.chi2.sf(statistic, len(values))) > 1e-4
    if scheme != "post":  # whose thermometer takes the mean of two velocities
        reading = thermometer.read()[0]["kinetic"].item() * lrs[-1] / covs[-1][1, 1]
        assert reading == pytest.approx(1, abs=4 * math.sqrt(2 / 20_000))


def test_warm_restarts_have_the_rhythm_of_torch():
    for steps, growth in ((7, 1), (3, 2)):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], 1.0)
        schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, steps, T_mult=growth)
        factor = warm_restarts(steps, growth)
        for n in range(40):
            assert factor(n) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
            optimizer.step()
            schedule.step()
    with pytest.raises(ValueError, match="steps and growth must be at least 1, got 0 and 1"):
        warm_restarts(0)


@pytest.mark.parametrize("factor", [cosine(4), exponential(0.5), logarithmic(), warm_restarts(3, 2)])
def test_factors_can_be_pickled(factor):
    again = pickle.loads(pickle.dumps(factor))
    assert [again(n) for n in range(12)] == [factor(n) for n in range(12)]


@pytest.mark.parametrize("order", ["made, loaded", "loaded, made"])
def test_a_temperature_schedule_resumes_in_any_order(order):
    def warm(n):
        return min(1.0, n / 10)

    _, optimizer = sampler("post", walkers=3)
    schedule = TemperatureSchedule(optimizer, warm)
    for _ in range(5):
        schedule.step()
    saved = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    _, other = sampler("post", walkers=3)
    if order == "made, loaded":
        resumed = TemperatureSchedule(other, warm)
        resumed.load_state_dict(saved[1])
        assert other.param_groups[0]["temperature"] == 0.5
        other.load_state_dict(saved[0])
    else:
        other.load_state_dict(saved[0])
        resumed = TemperatureSchedule(other, warm)
        resumed.load_state_dict(saved[1])
    assert other.param_groups[0]["temperature"] == 0.5
    resumed.step()
    assert other.param_groups[0]["temperature"] == 0.6


def test_a_group_that_came_later_is_named():
    _, optimizer = sampler("post", walkers=3)
    schedule = TemperatureSchedule(optimizer, cosine(10))
    optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(2))], "temperature": 3.0})
    for _ in range(2):  # refused again, not counted
        with pytest.raises(ValueError, match=r"group 1 has no base temperature: the optimizer has 2 groups, and had 1"):
            schedule.step()
    assert schedule.last_epoch == 0
    schedule.base_temperatures.append(3.0)
    schedule.step()
    assert schedule.get_last_temperature() == pytest.approx([cosine(10)(1), 3 * cosine(10)(1)])
    _, single = sampler("post", walkers=3)
    with pytest.raises(ValueError, match="the state has 2 base temperatures, but the optimizer has 1 groups"):
        TemperatureSchedule(single, cosine(10)).load_state_dict(schedule.state_dict())
