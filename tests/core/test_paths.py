"""Every path of the optimizer against the readable one, resumed in mid-run, and without a compiler."""

import io
import math
import os
import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn

from physnn import Langevin
from physnn.fast import kernel
from physnn.fast import step as steps_of

SHAPES = ((40, 30), (7,), (), (33, 600), (0, 3))
PATHS = {
    "default": {},
    "single": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "two-point": {"noise": "two-point"},
    "two-point fused": {"noise": "two-point", "fused": True},
    "byte-sum": {"noise": "byte-sum"},
    "compiled": {"noise": "byte-sum", "compiled": True},
}
CASES = [(path, name) for path in PATHS for name in ("post", "gjf", "baoa") if (path[-5:], name) != ("fused", "baoa")]


@pytest.fixture(autouse=True)
def several_batches(monkeypatch):
    """Make the tensors three batches, and these several windows, of which the last is short."""
    monkeypatch.setattr(steps_of, "BATCH", 1000)
    monkeypatch.setattr(steps_of, "WINDOW", 128)


def make(dtype=torch.float32, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    params = [nn.Parameter(torch.randn(s, generator=generator, dtype=dtype)) for s in SHAPES]
    options = {"damping": 0.3, "temperature": 0.2, "weight_decay": 0.1, **options}
    return params, Langevin(params, 0.1, **options, generator=torch.Generator().manual_seed(5))


def run(params, optimizer, steps, start=0):
    for step in range(start, start + steps):
        generator = torch.Generator().manual_seed(1000 + step)
        for p in params:
            p.grad = torch.randn(p.shape, dtype=p.dtype, generator=generator)
        optimizer.step()


@pytest.mark.parametrize("total", [1, 63, 128, 191, 192, 1000])
def test_windows_cover_every_value_once_in_order(total):
    tensors = [t.view(-1, 1) for t in torch.arange(total).split([total // 3, 0, total - total // 3])]
    pieces = list(steps_of.windows((tensors, tensors), 128))
    assert torch.cat([t for first, _ in pieces for t in first]).tolist() == list(range(total))
    assert all(a is not b and torch.equal(a, b) for first, second in pieces for a, b in zip(first, second, strict=True))
    sizes = [sum(t.numel() for t in first) for first, _ in pieces]
    assert set(sizes[:-1]) <= {128} and (len(sizes) == 1 or sizes[-1] >= steps_of.LAST)


@pytest.mark.parametrize(("path", "name"), CASES)
def test_every_path_gives_the_numbers_of_the_readable_one(path, name):
    """The same noise: up to rounding; and what is not contiguous is updated all the same."""
    options = {"scheme": name, **PATHS[path]}
    readable = {"scheme": name, "noise": options.get("noise", "normal"), "foreach": False}
    ends = []
    for chosen in (options, readable):
        params, optimizer = make(**chosen)
        run(params, optimizer, 6)
        optimizer.param_groups[0].update(lr=0.05, temperature=0.0)  # a schedule, and no noise for a while
        run(params, optimizer, 2, start=6)
        optimizer.param_groups[0].update(damping=1.0, temperature=0.3, maximize=True)
        run(params, optimizer, 2, start=8)
        ends.append(params + [optimizer.state[p]["velocity"] for p in params])
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(("path", "name"), CASES)
def test_every_path_resumes_bit_for_bit(path, name):
    options = {"scheme": name, **PATHS[path]}
    params, optimizer = make(**options)
    run(params, optimizer, 3)
    buffer = io.BytesIO()
    torch.save([optimizer.state_dict(), params], buffer)
    run(params, optimizer, 3, start=3)
    buffer.seek(0)
    state, saved = torch.load(buffer, weights_only=True)
    again, second = make(**options)
    run(again, second, 1)
    with torch.no_grad():
        for p, value in zip(again, saved, strict=True):
            p.copy_(value)
    second.load_state_dict(state)
    run(again, second, 3, start=3)
    assert all(torch.equal(a, b) for a, b in zip(params, again, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64])
@pytest.mark.parametrize("path", PATHS)
def test_other_types_and_strides_on_every_path(path, dtype):
    """Variance 2 gamma alpha T = 0.5 after a step from rest, mean -0.5: 6 standard errors, and bfloat16's rounding."""
    theta = nn.Parameter(torch.zeros(300, 200, dtype=dtype).T)
    optimizer = Langevin(
        [theta], 0.5, damping=0.5, temperature=1.0, generator=torch.Generator().manual_seed(0), **PATHS[path]
    )
    theta.grad = torch.ones_like(theta)
    optimizer.step()
    values = (torch.view_as_real(theta.detach())[..., 0] if dtype.is_complex else theta.detach()).double()
    assert values.mean().item() == pytest.approx(-0.5, abs=6 * math.sqrt(0.5 / 60_000) + 1e-3)
    assert values.var().item() == pytest.approx(0.5, rel=6 * math.sqrt(2 / 60_000) + 1e-2)


def test_a_schedule_compiles_nothing_anew():
    params, optimizer = make(noise="byte-sum", compiled=True)
    run(params, optimizer, 1)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for step in range(1, 4):
            optimizer.param_groups[0].update(lr=0.1 / step, temperature=0.2 / step, damping=0.1 * step)
            run(params, optimizer, 1, start=step)
        other = nn.Parameter(torch.zeros(77, 777))
        run([other], Langevin([other], 0.1, damping=0.3, temperature=1.0, noise="byte-sum", compiled=True), 1)


def test_without_a_compiler_it_warns_once_and_runs(monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("no C++ compiler found\nand more")

    expected, reference = make(noise="byte-sum")
    run(expected, reference, 3)
    kernel._kernel.cache_clear()
    monkeypatch.setattr(torch, "compile", broken)
    params, optimizer = make(noise="byte-sum", compiled=True)
    with pytest.warns(
        RuntimeWarning, match=r"compiled for cpu \(no C\+\+ compiler found\).*a C\+\+ compiler is missing, install"
    ):
        run(params, optimizer, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(params, optimizer, 2, start=1)
    kernel._kernel.cache_clear()
    assert all(torch.equal(a, b) for a, b in zip(params, expected, strict=True))


def test_a_machine_without_a_compiler(tmp_path):
    """A process that finds no C++ compiler, for real: one warning, and the numbers of the uncompiled update."""
    script = """
import torch, warnings
from torch import nn
from physnn import Langevin
ends = []
for compiled in (True, False):
    p = nn.Parameter(torch.linspace(-1, 1, 100))
    options = {"damping": 0.3, "temperature": 0.2, "noise": "byte-sum", "compiled": compiled}
    optimizer = Langevin([p], 0.1, **options, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            p.grad = p.detach().sin()
            optimizer.step()
    print(sum("no kernel could be compiled" in str(w.message) for w in caught))
    ends.append(p.detach())
print(torch.equal(*ends))
"""
    environment = {**os.environ, "PATH": str(tmp_path), "CXX": str(tmp_path / "no-such-compiler")}
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(tmp_path / "cache")
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert run.stdout.split() == ["1", "0", "True"], run.stdout + run.stderr[-2000:]


def test_old_state_without_the_new_options_loads():
    params, optimizer = make()
    state = optimizer.state_dict()
    for name in ("scheme", "noise", "fused", "compiled"):
        del state["param_groups"][0][name]
    optimizer.load_state_dict(state)
    run(params, optimizer, 1)
    assert optimizer.param_groups[0]["scheme"] == "post"


def test_gradients_whose_sum_overflows_are_finite():
    theta = nn.Parameter(torch.zeros(4))
    theta.grad = torch.full((4,), 3e38)
    Langevin([theta], 1e-38, damping=0.5).step()
    torch.testing.assert_close(theta.detach(), torch.full((4,), -3.0))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheme": "euler"}, "scheme must be one of post, gjf, baoa, got 'euler'"),
        ({"noise": "white"}, "noise must be one of normal, two-point, byte-sum, got 'white'"),
        ({"compiled": True}, "set noise='byte-sum', got 'normal'"),
        ({"fused": True, "scheme": "baoa"}, "fused=True knows the schemes 'post' and 'gjf'"),
        ({"fused": True, "compiled": True, "noise": "byte-sum"}, "goes without compiled=True"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(ValueError, match=said):
        Langevin([nn.Parameter(torch.zeros(2))], 0.1, damping=0.5, **options)
