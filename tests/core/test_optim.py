"""The optimizer: the post's update, letter for letter; SGD at T = 0; and a torch optimizer in every habit."""

import copy
import io
import math
from types import SimpleNamespace

import pytest
import torch
from scipy import stats
from torch import nn

from benchmarks import printed
from physnn import Langevin

SHAPES = ((3, 4), (5,), (), (2, 3, 2))


def parameters(dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(s, dtype=dtype, generator=generator)) for s in SHAPES]


def set_gradients(params, step):
    generator = torch.Generator().manual_seed(1000 + step)
    for p in params:
        p.grad = torch.randn(p.shape, dtype=p.dtype, generator=generator)


def run(params, optimizer, steps, start=0):
    for step in range(start, start + steps):
        set_gradients(params, step)
        optimizer.step()


@pytest.mark.parametrize("foreach", [False, True, None])
def test_equals_the_printed_update(foreach):
    """The same noise, drawn from the same generator, through the post's two lines."""
    alpha, gamma, temperature = 0.03, 0.2, 0.5
    params = parameters()
    generator = torch.Generator().manual_seed(7)
    optimizer = Langevin(params, alpha, damping=gamma, temperature=temperature, generator=generator, foreach=foreach)
    expected = [p.detach().clone() for p in params]
    velocity = [torch.zeros_like(p) for p in params]
    same = torch.Generator().manual_seed(7)
    for step in range(20):
        set_gradients(params, step)
        before = [p.grad.clone() for p in params]
        optimizer.step()
        eta = torch.empty(sum(p.numel() for p in params), dtype=torch.float64).normal_(generator=same)
        for i, part in enumerate(eta.split([p.numel() for p in params])):
            grad, noise = params[i].grad, part.view_as(params[i])
            expected[i], velocity[i] = printed.langevin(
                expected[i], velocity[i], grad, alpha, gamma, temperature, noise
            )
            torch.testing.assert_close(params[i].detach(), expected[i], rtol=1e-12, atol=1e-12)
            assert torch.equal(grad, before[i]), "a gradient was modified"


def test_foreach_and_single_tensor_give_the_same_numbers():
    results = []
    for foreach in (False, True):
        params = parameters(torch.float32)
        optimizer = Langevin(params, 0.1, damping=0.3, temperature=1.0, weight_decay=0.1,
                             generator=torch.Generator().manual_seed(0), foreach=foreach)  # fmt: skip
        run(params, optimizer, 10)
        results.append(params)
    for single, multi in zip(*results, strict=True):
        assert torch.equal(single, multi)


@pytest.mark.parametrize("weight_decay", [0.0, 0.25])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize(("damping", "form"), [(0.125, "fused"), (0.125, "foreach"), (1.0, "foreach"), (1.5, "fused")])
def test_at_temperature_zero_it_is_sgd(weight_decay, maximize, damping, form):
    """Exactly: with a power of two for lr, not one bit differs. Fused is the default, but not for damping 1."""
    ours, theirs = parameters(), parameters()
    options = {"weight_decay": weight_decay, "maximize": maximize}
    langevin = Langevin(ours, 0.0625, damping=damping, **options, foreach=True if form == "foreach" else None)
    sgd = torch.optim.SGD(theirs, 0.0625, momentum=0, **options, **{form: True})
    sgd.param_groups[0]["momentum"] = 1 - damping  # here, because a negative one is refused above
    run(ours, langevin, 30)
    run(theirs, sgd, 30)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)
        if damping != 1:
            assert torch.equal(langevin.state[a]["velocity"], -0.0625 * sgd.state[b]["momentum_buffer"])


def test_noise_is_standard_normal_and_independent():
    """Free diffusion: v1 / sqrt(2 gamma alpha T) passes Kolmogorov-Smirnov. False alarms: 3 tests at 1e-4."""
    alpha, gamma, temperature = 0.01, 0.3, 2.0
    theta = nn.Parameter(torch.zeros(100_000, dtype=torch.float64))
    theta.grad = torch.zeros_like(theta)
    optimizer = Langevin([theta], alpha, damping=gamma, temperature=temperature,
                         generator=torch.Generator().manual_seed(0))  # fmt: skip
    optimizer.step()
    first = theta.detach().clone() / math.sqrt(2 * gamma * alpha * temperature)
    optimizer.step()
    v2 = optimizer.state[theta]["velocity"] / math.sqrt(2 * gamma * alpha * temperature)
    second = v2 - (1 - gamma) * first
    assert stats.kstest(first.numpy(), "norm").pvalue > 1e-4
    assert stats.kstest(second.numpy(), "norm").pvalue > 1e-4
    assert stats.pearsonr(first.numpy(), second.numpy()).pvalue > 1e-4


@pytest.mark.parametrize(("alpha", "gamma", "curvature"), [(0.05, 0.1, 1.0), (0.1, 0.5, 4.0), (0.2, 1.0, 2.0)])
def test_stationary_law_on_a_quadratic(alpha, gamma, curvature):
    """20,000 walkers started in the exact stationary law must keep it: chi-square tests of both variances.

    U = lambda theta^2 / 2, k = alpha lambda: var theta = (T/lambda) / (1 - k / (2 (2 - gamma))),
    var v = 4 alpha T / (2 (2 - gamma) - k), cov(theta, v) = var v / 2. False-alarm rate 1e-3 per test, 3 tests x 3.
    """
    temperature, walkers = 0.7, 20_000
    k = alpha * curvature
    var_theta = temperature / curvature / (1 - k / (2 * (2 - gamma)))
    var_v = 4 * alpha * temperature / (2 * (2 - gamma) - k)
    cov = torch.tensor([[var_theta, var_v / 2], [var_v / 2, var_v]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    start = torch.linalg.cholesky(cov) @ torch.randn(2, walkers, dtype=torch.float64, generator=generator)
    theta = nn.Parameter(start[0].clone())
    optimizer = Langevin([theta], alpha, damping=gamma, temperature=temperature, generator=generator)
    optimizer.state[theta]["velocity"] = start[1].clone()
    for _ in range(100):
        theta.grad = curvature * theta.detach()
        optimizer.step()
    theta, v = theta.detach(), optimizer.state[theta]["velocity"]
    for x, variance in ((theta, var_theta), (v, var_v), (theta - v, var_theta)):  # theta - v is the theta before
        statistic = (x.square().sum() / variance).item()
        p = 2 * min(stats.chi2.cdf(statistic, walkers), stats.chi2.sf(statistic, walkers))
        assert p > 1e-3


@pytest.mark.parametrize("own_generator", [False, True])
def test_resumes_bit_for_bit_with_the_noise(own_generator):
    def make():
        torch.manual_seed(3)
        params = parameters(torch.float32)
        generator = torch.Generator().manual_seed(5) if own_generator else None
        return params, Langevin(params, 0.1, damping=0.3, temperature=0.2, generator=generator)

    params, optimizer = make()
    run(params, optimizer, 5)
    buffer = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "params": params}, buffer)
    run(params, optimizer, 5, start=5)

    buffer.seek(0)
    saved = torch.load(buffer, weights_only=True)
    resumed, second = make()
    run(resumed, second, 2)  # its noise is now elsewhere
    with torch.no_grad():
        for p, value in zip(resumed, saved["params"], strict=True):
            p.copy_(value)
    second.load_state_dict(saved["optimizer"])
    run(resumed, second, 5, start=5)
    for a, b in zip(params, resumed, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(optimizer.state[a]["velocity"], second.state[b]["velocity"])


def test_deepcopy_and_pickle_carry_the_noise():
    torch.manual_seed(0)
    params = parameters()
    optimizer = Langevin(params, 0.1, damping=0.3, temperature=1.0)
    run(params, optimizer, 3)
    for duplicate in (copy.deepcopy, lambda o: torch.load(_saved(o), weights_only=False)):
        twin_params, twin = duplicate((params, optimizer))
        original, reference = copy.deepcopy((params, optimizer))
        run(twin_params, twin, 3, start=3)
        run(original, reference, 3, start=3)
        for a, b in zip(original, twin_params, strict=True):
            assert torch.equal(a, b)


def _saved(what):
    buffer = io.BytesIO()
    torch.save(what, buffer)
    buffer.seek(0)
    return buffer


def test_without_a_generator_the_global_seed_decides():
    def end(seed):
        torch.manual_seed(seed)
        params = parameters()
        run(params, Langevin(params, 0.1, damping=0.3, temperature=1.0), 2)
        return params[0].detach()

    assert torch.equal(end(1), end(1)) and not torch.equal(end(1), end(2))


def test_groups_closure_and_scheduler():
    params = parameters()
    optimizer = Langevin([{"params": params[:2]}, {"params": params[2:], "lr": 0.5, "damping": 1.0}], 0.1, damping=0.2)
    assert [group["damping"] for group in optimizer.param_groups] == [0.2, 1.0]
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    before = [p.detach().clone() for p in params]

    def closure():
        assert torch.is_grad_enabled()
        optimizer.zero_grad()
        loss = sum(p.sum() for p in params)
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert loss.item() == pytest.approx(sum(p.sum().item() for p in before))
    for i, p in enumerate(params):
        torch.testing.assert_close(p.detach(), before[i] - (0.1 if i < 2 else 0.5))
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.25]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.complex64])
@pytest.mark.parametrize("foreach", [False, True])
def test_types_and_strides(dtype, foreach):
    theta = nn.Parameter(torch.zeros(300, 200, dtype=dtype).T)
    unused = nn.Parameter(torch.zeros(3))
    optimizer = Langevin([theta, unused], 0.5, damping=0.5, temperature=1.0, foreach=foreach,
                         generator=torch.Generator().manual_seed(0))  # fmt: skip
    theta.grad = torch.ones_like(theta)
    optimizer.step()
    assert optimizer.state[theta]["velocity"].dtype == (torch.complex64 if dtype.is_complex else torch.float32)
    values = torch.view_as_real(theta.detach())[..., 0] if dtype.is_complex else theta.detach()
    # Mean -0.5 and variance 0.5; 60,000 values: six standard errors, and the rounding of bfloat16.
    assert values.double().mean().item() == pytest.approx(-0.5, abs=6 * math.sqrt(0.5 / 60_000) + 1e-3)
    assert values.double().var().item() == pytest.approx(0.5, rel=6 * math.sqrt(2 / 60_000) + 1e-2)
    assert torch.equal(unused, torch.zeros(3))


def test_bad_gradients_change_nothing():
    params = parameters()
    optimizer = Langevin(params, 0.1, damping=0.3, temperature=1.0)
    run(params, optimizer, 1)
    before = copy.deepcopy([p.detach() for p in params])
    noise = optimizer.state_dict()["state"][0]["generator"].clone()
    for bad in (math.nan, math.inf):
        set_gradients(params, 1)
        params[3].grad[0, 1, 0] = bad
        with pytest.raises(FloatingPointError, match=r"parameter 3 \(shape \(2, 3, 2\)\) has 1 values"):
            optimizer.step()
        assert all(torch.equal(a, b) for a, b in zip(params, before, strict=True))
        assert torch.equal(optimizer.state_dict()["state"][0]["generator"], noise)
    unchecked = Langevin(params, 0.1, damping=0.3, check_finite=False)
    unchecked.step()
    assert not params[3].isfinite().all()

    embedding = nn.Embedding(5, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        Langevin(embedding.parameters(), 0.1, damping=0.3).step()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lr": -0.1}, "lr must be finite and at least 0, got -0.1"),
        ({"lr": math.nan}, "lr must be"),
        ({"damping": 0.0}, "damping must lie between 0 and 2, both excluded, got 0.0"),
        ({"damping": 2.0}, "got 2.0"),
        ({"damping": math.nan}, "got nan"),
        ({"temperature": -1.0}, "temperature must be finite and at least 0, got -1.0"),
        ({"temperature": math.inf}, "temperature must be"),
        ({"weight_decay": -1.0}, "weight_decay must be"),
    ],
)
def test_bad_options(options, said):
    options = {"lr": 0.1, "damping": 0.5, **options}
    lr = options.pop("lr")
    with pytest.raises(ValueError, match=said):
        Langevin(parameters(), lr, **options)
    with pytest.raises(ValueError, match=said):
        Langevin([{"params": parameters(), "lr": lr, **options}], 0.1, damping=0.5)


def test_options_that_a_schedule_spoils_are_caught_before_the_step():
    params = parameters()
    optimizer = Langevin(params, 0.1, damping=0.5, temperature=1.0)
    before = [p.detach().clone() for p in params]
    set_gradients(params, 0)
    for name, value in (("lr", math.nan), ("lr", -1.0), ("temperature", -1.0), ("damping", 2.0)):
        kept = optimizer.param_groups[0][name]
        optimizer.param_groups[0][name] = value
        with pytest.raises(ValueError, match=f"{name} must .* got {value}"):
            optimizer.step()
        optimizer.param_groups[0][name] = kept
    assert all(torch.equal(a, b) for a, b in zip(params, before, strict=True))


def test_a_generator_elsewhere_and_a_foreign_state():
    generator = torch.Generator()
    elsewhere = SimpleNamespace(device=torch.device("cuda", 1))  # stands for a generator that needs no GPU here
    params = parameters()
    with pytest.raises(ValueError, match="generator is on cuda:1, but a parameter is on cpu"):
        Langevin(params, 0.1, damping=0.5, generator=elsewhere)
    optimizer = Langevin(params, 0.1, damping=0.5, generator=generator)
    optimizer.source.generators = {elsewhere.device: elsewhere}
    with pytest.raises(ValueError, match="parameter is on cpu"):
        optimizer.add_param_group({"params": [nn.Parameter(torch.empty(2))]})
    assert len(optimizer.param_groups) == 1
    sgd = torch.optim.SGD(params, 0.1, momentum=0.9)
    with pytest.raises(ValueError, match="no damping and no temperature: is it the state of a Langevin"):
        Langevin(params, 0.1, damping=0.5).load_state_dict(sgd.state_dict())
