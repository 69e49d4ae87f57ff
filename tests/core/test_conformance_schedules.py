"""What PyTorch's own tests ask of schedules of the learning rate, asked of Langevin beside SGD."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers

from tests.core.optimizer_infos import OPTIMIZERS

SCHEDULES = {
    "StepLR": lambda optimizer: schedulers.StepLR(optimizer, 3, 0.5),
    "MultiStepLR": lambda optimizer: schedulers.MultiStepLR(optimizer, [2, 5], 0.1),
    "ConstantLR": lambda optimizer: schedulers.ConstantLR(optimizer, 0.5, 3),
    "LinearLR": lambda optimizer: schedulers.LinearLR(optimizer, 0.25, total_iters=4),
    "ExponentialLR": lambda optimizer: schedulers.ExponentialLR(optimizer, 0.8),
    "PolynomialLR": lambda optimizer: schedulers.PolynomialLR(optimizer, 6, 2.0),
    "CosineAnnealingLR": lambda optimizer: schedulers.CosineAnnealingLR(optimizer, 6, 1e-3),
    "CosineAnnealingWarmRestarts": lambda optimizer: schedulers.CosineAnnealingWarmRestarts(optimizer, 3, 2),
    "LambdaLR": lambda optimizer: schedulers.LambdaLR(optimizer, lambda epoch: 0.9**epoch),
    "MultiplicativeLR": lambda optimizer: schedulers.MultiplicativeLR(optimizer, lambda epoch: 0.9),
    "CyclicLR": lambda optimizer: schedulers.CyclicLR(optimizer, 0.01, 0.1, 2, cycle_momentum=False),
    "OneCycleLR": lambda optimizer: schedulers.OneCycleLR(optimizer, 0.2, total_steps=12, cycle_momentum=False),
    "ReduceLROnPlateau": lambda optimizer: schedulers.ReduceLROnPlateau(optimizer, factor=0.5, patience=1),
    "ChainedScheduler": lambda optimizer: schedulers.ChainedScheduler(
        [schedulers.ConstantLR(optimizer, 0.5, 3), schedulers.ExponentialLR(optimizer, 0.9)]
    ),
    "SequentialLR": lambda optimizer: schedulers.SequentialLR(
        optimizer, [schedulers.LinearLR(optimizer, 0.5, total_iters=3), schedulers.ExponentialLR(optimizer, 0.7)], [4]
    ),
    "SWALR": lambda optimizer: torch.optim.swa_utils.SWALR(optimizer, 0.02, 3),
}
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
        scheduler.step(PLATEAU[step]) if isinstance(scheduler, schedulers.ReduceLROnPlateau) else scheduler.step()
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
