"""What PyTorch's own tests ask of schedules of the learning rate, asked of Langevin beside SGD."""

import copy

import pytest
import torch
from infos import OPTIMIZERS, SCHEDULES
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

OPTIONS = {name: info.optim_inputs_func(device="cpu")[1].kwargs for name, info in OPTIMIZERS.items()}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
every_setting = pytest.mark.parametrize("setting", OPTIMIZERS)
PLATEAU = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]


def make(setting, convert=float):
    params = [nn.Parameter(torch.linspace(-1, 1, 5)), nn.Parameter(torch.ones(2, 2))]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": convert(0.05)}]
    options = {**OPTIONS[setting], "lr": convert(0.1)}
    return params, OPTIMIZERS[setting].optim_cls(groups, **options, generator=torch.Generator().manual_seed(5))


def beside(convert=float):
    params = [nn.Parameter(torch.linspace(-1, 1, 5)), nn.Parameter(torch.ones(2, 2))]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": convert(0.05)}]
    return params, torch.optim.SGD(groups, lr=convert(0.1), momentum=0.7)


def run(params, optimizer, scheduler, steps, start=0):
    """Return the learning rates that each step was taken with."""
    rates = []
    for step in range(start, start + steps):
        rates.append([float(group["lr"]) for group in optimizer.param_groups])
        for p in params:
            p.grad = p.detach().sin()
        optimizer.step()
        scheduler.step(PLATEAU[step]) if isinstance(scheduler, ReduceLROnPlateau) else scheduler.step()
    return rates


@every_schedule
@every_setting
def test_it_gets_the_rates_of_sgd(setting, schedule):
    optimizers = [make(setting), beside()]
    rates = [run(params, optimizer, schedule(optimizer), 10) for params, optimizer in optimizers]
    assert rates[0] == rates[1]
    assert all(torch.isfinite(p).all() for p in optimizers[0][0])


@every_schedule
def test_a_rate_in_a_tensor_stays_in_it(schedule):
    """Schedules fill a tensor in place, or put another in: whichever, as with SGD."""
    sides = [make("post-default", torch.tensor), beside(torch.tensor)]
    before = [[group["lr"] for group in optimizer.param_groups] for _, optimizer in sides]
    rates = [run(params, optimizer, schedule(optimizer), 6) for params, optimizer in sides]
    assert rates[0] == rates[1]
    same = [
        [group["lr"] is lr for group, lr in zip(optimizer.param_groups, rate, strict=True)]
        for (_, optimizer), rate in zip(sides, before, strict=True)
    ]
    assert same[0] == same[1]


@every_schedule
@every_setting
def test_a_saved_schedule_resumes_bit_for_bit(setting, schedule):
    params, optimizer = make(setting)
    scheduler = schedule(optimizer)
    run(params, optimizer, scheduler, 4)
    states = copy.deepcopy([params, optimizer.state_dict(), scheduler.state_dict()])
    rates = run(params, optimizer, scheduler, 5, start=4)
    again, other = make(setting)
    resumed = schedule(other)
    with torch.no_grad():
        for p, value in zip(again, states[0], strict=True):
            p.copy_(value)
    other.load_state_dict(states[1])
    resumed.load_state_dict(states[2])
    assert run(again, other, resumed, 5, start=4) == rates
    assert all(torch.equal(a, b) for a, b in zip(again, params, strict=True))


@every_setting
def test_an_optimizer_that_is_scheduled_can_be_copied(setting):
    params, optimizer = make(setting)
    scheduler = SCHEDULES["StepLR"](optimizer)
    run(params, optimizer, scheduler, 2)
    again, other = copy.deepcopy((params, optimizer))
    for p, q in zip(params, again, strict=True):
        p.grad, q.grad = p.detach().cos(), p.detach().cos()
    optimizer.step()
    other.step()
    assert all(torch.equal(a, b) for a, b in zip(again, params, strict=True))
