"""What PyTorch's own tests ask of an optimizer's steps, asked of Langevin in every setting."""

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from physnn import Langevin
from tests.core.optimizer_infos import (
    SHAPES,
    assert_same,
    every_case,
    every_setting,
    give_gradients,
    hot,
    make,
    model,
    run,
    tensors,
)


@every_case
def test_every_form_takes_the_steps_of_the_readable_one(info, options):
    readable = {**options, "foreach": False, "fused": None, "compiled": False}
    ends = []
    for chosen in (options, readable):
        params = tensors(*SHAPES)
        ends.append(run(params, make(info, chosen, params), 4))
    assert_same(*ends, rtol=1e-5, atol=1e-6)


@every_case
def test_maximizing_is_minimizing_the_negative(info, options):
    ends = []
    for sign, maximize in ((1, False), (-1, True)):
        params = tensors(*SHAPES)
        # Decay is of the loss, and so climbs with it.
        optimizer = make(info, {**options, "maximize": maximize, "weight_decay": 0.0}, params)
        for _ in range(3):
            for p in params:
                p.grad = sign * p.detach().sin()
            optimizer.step()
        ends.append(params)
    assert_same(*ends, rtol=1e-6, atol=1e-7)


@every_case
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_tensor_of_one_element_is_a_number(info, options, shape):
    ends = []
    for convert in (float, lambda number: torch.full(shape, number, dtype=torch.float64)):
        params = tensors(*SHAPES)
        ends.append(run(params, make(info, {**options, "lr": convert(0.1)}, params), 3))
    assert_same(*ends)


@every_case
def test_the_default_type_makes_no_difference(info, options):
    ends = []
    for dtype in (torch.float32, torch.float64):
        params = tensors(*SHAPES)
        torch.set_default_dtype(dtype)
        try:
            ends.append(run(params, make(info, options, params), 3))
        finally:
            torch.set_default_dtype(torch.float32)
    assert_same(*ends)


@every_setting
def test_closures_are_called_with_gradients_on(info):
    network, x = model(), torch.ones(2, 4)
    optimizer = make(info, hot(info), network.parameters())
    calls = []

    def closure():
        calls.append(torch.is_grad_enabled())
        optimizer.zero_grad()
        loss = network(x).square().sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
    assert calls == [True] and torch.is_tensor(loss) and loss.requires_grad
    assert optimizer.step() is None


@every_setting
def test_gradients_are_zeroed_or_dropped(info):
    params = tensors((3,), (2,))
    optimizer = make(info, hot(info), params)
    give_gradients(params)
    optimizer.zero_grad(set_to_none=False)
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in params)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


@every_setting
def test_hooks_run_before_and_after_a_step(info):
    params = tensors((3,))
    optimizer = make(info, hot(info), params)
    seen = []
    before = optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: seen.append(params[0].detach().clone()))
    after = optimizer.register_step_post_hook(lambda optimizer, args, kwargs: seen.append(params[0].detach().clone()))
    anywhere = register_optimizer_step_post_hook(lambda optimizer, *rest: seen.append("anywhere"))
    start = params[0].detach().clone()
    end = run(params, optimizer, 1)[0]
    for handle in (before, after, anywhere):
        handle.remove()
    assert torch.equal(seen[0], start) and torch.equal(seen[1], end) and seen[2:] == ["anywhere"]
    run(params, optimizer, 1)
    assert len(seen) == 3


def test_a_step_is_named_in_a_profile():
    params = tensors((3,))
    optimizer = Langevin(params, 0.1, damping=0.3)
    with torch.profiler.profile() as profile:
        run(params, optimizer, 1)
        optimizer.zero_grad()
    names = {event.key for event in profile.key_averages()}
    assert {"Optimizer.step#Langevin.step", "Optimizer.zero_grad#Langevin.zero_grad"} <= names


@every_setting
def test_options_stand_in_the_text(info):
    text = repr(make(info, hot(info), tensors((3,))))
    assert text.startswith("Langevin (") and "damping: 0.3" in text and "lr: 0.1" in text and "scheme: " in text


@every_setting
def test_one_optimizer_in_each_gradient_hook(info):
    """The update in the backward pass: an optimizer a parameter, stepped as soon as its gradient is there."""
    network = model()
    optimizers = {p: make(info, hot(info), [p]) for p in network.parameters()}

    def step_at_once(p):
        optimizers[p].step()
        optimizers[p].zero_grad()

    for p in network.parameters():
        p.register_post_accumulate_grad_hook(step_at_once)
    before = [p.detach().clone() for p in network.parameters()]
    network(torch.ones(2, 4)).square().sum().backward()
    assert all(p.grad is None for p in network.parameters())
    assert not any(torch.equal(p, old) for p, old in zip(network.parameters(), before, strict=True))


@every_setting
def test_shared_memory_stays_shared(info):
    network = model().share_memory()
    params = list(network.parameters())
    run(params, make(info, hot(info), params), 1)
    assert all(p.is_shared() for p in params)


@every_setting
def test_a_gradient_scaler_skips_what_overflowed(info):
    params = tensors((3,))
    optimizer = make(info, hot(info), params)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    for factor, moves in ((torch.inf, False), (1.0, True)):
        before = params[0].detach().clone()
        optimizer.zero_grad()
        scaler.scale(params[0].square().sum() * factor).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(params[0], before) is not moves
    assert scaler.get_scale() == 4.0


@every_case
def test_it_goes_the_right_way(info, options):
    """30 steps on a convex loss, or up a concave one, at a temperature that cannot hide it."""
    sign = -1 if options.get("maximize") else 1
    params = tensors((10, 5), (5,))
    optimizer = make(info, {**options, "temperature": min(options["temperature"], 1e-4), "weight_decay": 0.0}, params)

    def loss():
        return sign * sum(p.square().sum() for p in params)

    start = loss().item()
    for _ in range(30):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert sign * loss().item() < 0.2 * sign * start
