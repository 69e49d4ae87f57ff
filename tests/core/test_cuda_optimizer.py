"""The optimizer on a GPU: its paths against the formula on the CPU, its laws, its state from and to the CPU."""

import copy
import math
import pickle
import warnings

import pytest
import torch

from physnn import Langevin, Thermometer
from physnn.fast.kernel import _kernel
from physnn.noise import KINDS, byte_sum, draw, draw_key, room
from physnn.scheme import SCHEMES
from tests.core.gpu import DEVICE, MARKS, home, random

pytestmark = MARKS

LR, DAMPING, TEMPERATURE = 0.05, 0.3, 0.7
OPTIONS = {"damping": DAMPING, "temperature": TEMPERATURE}
SHAPES = [(3,), (7, 5), (40, 30), (3, 20000)]  # rising, as the byte-sum has them
COMPILED = {"noise": "byte-sum", "compiled": True}
PATHS = {
    "fused": {},
    "foreach": {"foreach": True},
    "single": {"foreach": False},
    "two-point": {"noise": "two-point"},
    "byte-sum": {"noise": "byte-sum"},
    "compiled": COMPILED,
    "decay": {"weight_decay": 0.2},
    "climbing": {"maximize": True, "weight_decay": 0.2},
}


def generator(seed):
    return torch.Generator(DEVICE).manual_seed(seed)


def parameters(dtype=torch.float64, device=DEVICE, shapes=SHAPES):
    return [random(*shape, seed=i).to(device, dtype).requires_grad_() for i, shape in enumerate(shapes)]


def gradient(p):
    return p.detach().sin()


def walk(params, optimizer, steps):
    for _ in range(steps):
        for p in params:
            p.grad = gradient(p)
        optimizer.step()


def need_kernel(scheme, dtype=torch.float32):
    """Skip where the machine has no compiler: the update then runs uncompiled, which is another test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if _kernel(scheme, dtype, DEVICE) is None:
            pytest.skip("no kernel can be compiled on this machine")


def written_out(scheme, noise, params, *, weight_decay=0.0, maximize=False):
    """Take a step for each row of ``noise``, in float64 on the CPU, by the formulas of the class alone."""
    sign = -1 if maximize else 1
    thetas = [home(p) for p in params]
    velocities = [torch.zeros_like(theta) for theta in thetas]
    last = noise.pop(0) if scheme == "gjf" else None
    for eta in noise:
        for k, (theta, v) in enumerate(zip(thetas, velocities, strict=True)):
            g = sign * theta.sin() + weight_decay * theta
            if scheme == "baoa":
                v -= LR * g
                theta += v / 2
                v *= 1 - DAMPING
                v += math.sqrt(DAMPING * (2 - DAMPING) * LR * TEMPERATURE) * eta[k]
                theta += v / 2
            else:
                kick = eta[k] if last is None else (eta[k] + last[k]) / 2
                v *= 1 - DAMPING
                v += math.sqrt(2 * DAMPING * LR * TEMPERATURE) * kick - LR * g
                theta += v
        last = eta if scheme == "gjf" else None
    return thetas, velocities


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_the_formula_on_the_cpu(path, scheme):
    """In float64, with the noise that the GPU's generator gives."""
    options, steps = PATHS[path], 4
    if path == "compiled":
        need_kernel(scheme, torch.float64)
    params, source = parameters(), generator(3)
    sizes, noise = [math.prod(shape) for shape in SHAPES], []
    for _ in range(steps + (scheme == "gjf")):
        out = torch.empty(room(sum(sizes)), dtype=torch.float64, device=DEVICE)
        drawn = draw(options.get("noise", "normal"), sizes, source, out)
        noise.append([part.view(shape).cpu() for part, shape in zip(drawn, SHAPES, strict=True)])
    given = {name: options[name] for name in ("weight_decay", "maximize") if name in options}
    thetas, velocities = written_out(scheme, noise, params, **given)
    optimizer = Langevin(params, LR, scheme=scheme, generator=generator(3), **OPTIONS, **options)
    walk(params, optimizer, steps)
    for p, theta, velocity in zip(params, thetas, velocities, strict=True):
        torch.testing.assert_close(home(p), theta, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(home(optimizer.state[p]["velocity"]), velocity, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("given", [{}, {"noise": "two-point"}, {"noise": "byte-sum"}], ids=KINDS)
def test_forms_agree_across_batches(scheme, given):
    """More values than one batch of noise holds, in float32: fused, foreach, single and compiled take one path."""
    shapes = [(5,), (300, 500), (1100, 1100), (1300, 1000)]
    forms = [{}, {"foreach": True}, {"foreach": False}]
    if given.get("noise") == "byte-sum":
        need_kernel(scheme)
        forms.append({"compiled": True})
    ends = []
    for form in forms:
        params = parameters(torch.float32, shapes=shapes)
        optimizer = Langevin(params, LR, scheme=scheme, generator=generator(1), **OPTIONS, **given, **form)
        walk(params, optimizer, 2)
        ends.append([p.detach() for p in params])
    for other in ends[1:]:
        torch.testing.assert_close(other, ends[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_low_precision_is_the_cpu(scheme, dtype):
    """At T = 0 the parameters are the CPU's to a rounding, and what they cannot hold is kept, not lost."""
    ends, kept = [], []
    for device in (DEVICE, "cpu"):
        params = parameters(dtype, device)
        optimizer = Langevin(params, 1e-4, damping=DAMPING, scheme=scheme)
        walk(params, optimizer, 20)
        ends.append([p.detach().float().cpu() for p in params])
        kept.append([optimizer.state[p]["velocity"].cpu() for p in params])
    spacing = torch.finfo(dtype).eps
    torch.testing.assert_close(ends[0], ends[1], rtol=2 * spacing, atol=1e-6)
    assert all(v.dtype == torch.float32 for v in kept[0])
    torch.testing.assert_close(kept[0], kept[1], rtol=4 * spacing, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("path", ["fused", "foreach", "two-point", "byte-sum", "compiled"])
def test_the_law_on_a_quadratic(path, scheme, dtype):
    """The variance of 200,000 values after 200 steps is the stationary one of the class.

    Of independent values with a kurtosis of 3 or less it is off by sqrt(2/N) = 0.32 %; five of those, and 1 % for the
    spacing of low precision. False alarms: fewer than 1 in a million for each of 45.
    """
    if path == "compiled":
        need_kernel(scheme)
    count, lr = 200_000, 0.2
    p = torch.zeros(count, dtype=dtype, device=DEVICE, requires_grad=True)
    optimizer = Langevin([p], lr, scheme=scheme, generator=generator(2), **OPTIONS, **PATHS[path])
    for _ in range(200):
        p.grad = p.detach().clone()
        optimizer.step()
    variance = p.detach().double().square().mean().item()
    expected = TEMPERATURE / (1 - lr / (4 - 2 * DAMPING)) if scheme == "post" else TEMPERATURE
    allowed = 5 * math.sqrt(2 / count) + (0 if dtype == torch.float32 else 0.01)
    assert abs(variance / expected - 1) < allowed
    assert abs(p.detach().double().mean().item()) < 5 * math.sqrt(expected / count)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_moments_of_the_noise(kind, dtype):
    """Of four million values: moments 1 to 4 within five standard errors, and neighbours that know nothing of another.

    False alarms: 3 in a million for each of the numbers. With two points, 2 and 4 are exact.
    """
    count = 2**22
    (eta,) = draw(kind, [count], generator(5), torch.empty(room(count), dtype=dtype, device=DEVICE))
    eta = eta.double()
    moments = {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (1 if kind == "two-point" else 3, 96)}
    for power, (mean, variance) in moments.items():
        found = eta.pow(power).mean().item()
        assert abs(found - mean) <= 5 * math.sqrt(variance / count), power
    for lag in (1, 8, 64):
        assert abs((eta[lag:] * eta[:-lag]).mean().item()) <= 5 / math.sqrt(count - lag)
    if kind == "two-point":
        assert (eta.abs() == 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_byte_sum_is_the_same_function_everywhere(dtype):
    key = draw_key(generator(4))
    here, there = byte_sum(100_003, key.cpu(), dtype), byte_sum(100_003, key, dtype)
    torch.testing.assert_close(there.cpu(), here, rtol=4 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_state_goes_to_the_gpu_and_back(scheme):
    """Velocities and last noises arrive; the noise of another kind of device does not: a warning, and one's own."""
    homes, source = ("cpu", DEVICE, "cpu"), None
    for device in homes:
        params = parameters(device=device)
        optimizer = Langevin(
            params, LR, scheme=scheme, generator=torch.Generator(device).manual_seed(8), **OPTIONS
        )  # fmt: skip
        if source is not None:
            own = optimizer.source.of(params[0].device).get_state()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                optimizer.load_state_dict(copy.deepcopy(source.state_dict()))
            if DEVICE.type != "cpu":
                assert ["noise" in str(warning.message) for warning in caught] == [True]
                assert torch.equal(optimizer.source.of(params[0].device).get_state(), own)
            names = {"velocity", "noise"} if scheme == "gjf" else {"velocity"}
            for p, before in zip(params, source.param_groups[0]["params"], strict=True):
                for name in names:
                    assert optimizer.state[p][name].device == p.device
                    assert torch.equal(optimizer.state[p][name].cpu(), source.state[before][name].cpu())
        walk(params, optimizer, 2)
        source = optimizer


def test_a_copy_and_a_pickle_take_the_same_path():
    params = parameters()
    optimizer = Langevin(params, LR, scheme="gjf", **OPTIONS)
    walk(params, optimizer, 2)
    copies = [copy.deepcopy((params, optimizer)), pickle.loads(pickle.dumps((params, optimizer)))]
    walk(params, optimizer, 2)
    for others, other in copies:
        assert others[0].device == params[0].device
        walk(others, other, 2)
        assert all(torch.equal(p, q) for p, q in zip(params, others, strict=True))


WRONG = {
    "a size": lambda p: torch.zeros(3, dtype=p.dtype, device=p.device),
    "as many numbers": lambda p: torch.zeros(p.numel(), dtype=p.dtype, device=p.device),
    "a type": lambda p: torch.zeros_like(p, dtype=torch.float32),
    "a device": lambda p: torch.zeros_like(p, device="cpu" if p.is_cuda else "meta"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("path", ["fused", "foreach", "single", "compiled"])
def test_a_state_that_does_not_fit_is_refused(path, wrong):
    """Before a kernel sees it: parameters and the rest of the state stay what they were."""
    params = parameters(shapes=[(7, 5), (40, 30)])
    optimizer = Langevin(params, LR, **OPTIONS, **PATHS[path])
    walk(params, optimizer, 1)
    before = [p.detach().clone() for p in params]
    optimizer.state[params[1]]["velocity"] = WRONG[wrong](params[1].detach())
    with pytest.raises(RuntimeError, match="velocity kept for parameter 1 of group 0"):
        walk(params, optimizer, 1)
    assert all(torch.equal(p, start) for p, start in zip(params, before, strict=True))


def test_a_gradient_that_is_not_finite_is_named():
    params = parameters()
    optimizer = Langevin(params, LR, **OPTIONS)
    for p in params:
        p.grad = gradient(p)
    params[1].grad[2, 3] = math.inf
    before = [p.detach().clone() for p in params]
    with pytest.raises(FloatingPointError, match=r"parameter 1 \(shape \(7, 5\)\) has 1 values"):
        optimizer.step()
    assert all(torch.equal(p, start) for p, start in zip(params, before, strict=True))


@pytest.mark.parametrize("temperature", [0.0, TEMPERATURE])
def test_made_before_the_model_moved(temperature):
    """To a GPU a model moves in place, and the optimizer goes with it, as torch.optim.SGD does."""
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 3)
    optimizer = Langevin(model.parameters(), LR, damping=DAMPING, temperature=temperature)
    model.to(DEVICE)
    walk(list(model.parameters()), optimizer, 2)
    state = optimizer.state_dict()
    other = Langevin(model.parameters(), LR, damping=DAMPING, temperature=temperature)
    other.load_state_dict(state)
    assert all(optimizer.state[p]["velocity"].device == p.device == DEVICE for p in model.parameters())


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_thermometer(scheme, dtype):
    """Both readings are those that the velocities and gradients give on the CPU."""
    params = parameters(dtype)
    optimizer = Langevin(params, LR, scheme=scheme, weight_decay=0.1, **OPTIONS)
    walk(params, optimizer, 3)
    thermometer = Thermometer(optimizer, every=1)
    old = [home(optimizer.state[p]["velocity"]) for p in params]
    virial = sum((home(p) * (home(gradient(p)) + 0.1 * home(p))).sum() for p in params)
    walk(params, optimizer, 1)
    new = [home(optimizer.state[p]["velocity"]) for p in params]
    means = [(a + b) / 2 for a, b in zip(old, new, strict=True)] if scheme == "post" else new
    (reading,) = thermometer.read()
    dof = sum(p.numel() for p in params)
    rtol = 1e-9 if dtype == torch.float64 else 1e-2
    assert reading["dof"] == dof
    kinetic = sum(v.square().sum() for v in means).item() / LR / dof
    assert reading["kinetic"].item() == pytest.approx(kinetic, rel=rtol)
    assert reading["configurational"].item() == pytest.approx(virial.item() / dof, rel=rtol)


def test_parameters_on_both_devices():
    """Each device's noise comes from a generator of its own; what is on the CPU moves as if it were alone there."""
    torch.manual_seed(0)
    here, there = random(50, seed=1).requires_grad_(), random(60, seed=2).to(DEVICE).requires_grad_()
    optimizer = Langevin([here, there], LR, **OPTIONS)
    walk([here, there], optimizer, 3)
    assert set(optimizer.source.generators) == {here.device, there.device}
    if DEVICE.type != "cpu":
        torch.manual_seed(0)
        alone = random(50, seed=1).requires_grad_()
        walk([alone], optimizer := Langevin([alone], LR, **OPTIONS), 3)
        assert torch.equal(here, alone)


def test_strided_complex_and_empty_parameters():
    """Layouts and types without a fused kernel, against the same on the CPU at T = 0."""
    ends = []
    for device in (DEVICE, "cpu"):
        params = [
            random(6, 4).t().to(device).requires_grad_(),
            torch.complex(random(5, seed=1), random(5, seed=2)).to(device).requires_grad_(),
            torch.empty(0, 3, dtype=torch.float64, device=device, requires_grad=True),
            random(2, 3, 4, 5, seed=3).to(device).to(memory_format=torch.channels_last).requires_grad_(),
        ]
        optimizer = Langevin(params, torch.tensor(LR), damping=DAMPING, weight_decay=0.1)
        walk(params, optimizer, 4)
        ends.append([p.detach().cpu() for p in params])
    torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-10)
