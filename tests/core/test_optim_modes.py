"""The optimizer while torch traces or pretends, without torch's private functions, and among several processes."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from physnn import Langevin, noise, scheme
from physnn.fast import step

SETTINGS = [
    {"scheme": name, "noise": kind, "compiled": compiled}
    for name in ("post", "gjf", "baoa")
    for kind, compiled in (("normal", False), ("two-point", False), ("byte-sum", False), ("byte-sum", True))
]


def train(options, steps=4, compile_step=False):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    optimizer = Langevin(model.parameters(), 0.05, damping=0.2, temperature=0.1, **options)
    x = torch.randn(6, 5)

    def step():
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()

    one = torch.compile(step) if compile_step else step
    for _ in range(steps):
        one()
    return [p.detach() for p in model.parameters()]


@pytest.mark.parametrize("name", ["post", "gjf", "baoa"])
def test_a_compiled_training_step_takes_the_same_path(name):
    """The noise too: the step of the optimizer is not traced."""
    ends = [train({"scheme": name}, compile_step=compiled) for compiled in (False, True)]
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", SETTINGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fake_and_meta_tensors_go_through_and_leave_nothing_behind(options, dtype):
    """A step in fake mode and on the meta device fills no cache and draws no noise."""
    expected = train(options)
    scheme._fused_works.cache_clear()
    next(cell.cell_contents for cell in noise._signs.__closure__ if isinstance(cell.cell_contents, dict)).clear()
    with FakeTensorMode():
        _pretend("cpu", options, dtype)
    _pretend("meta", options, dtype)
    with torch.inference_mode():
        train_without_graph(options)
    assert all(torch.equal(a, b) for a, b in zip(train(options), expected, strict=True))


def _pretend(device, options, dtype):
    p = nn.Parameter(torch.ones(40, 50, device=device, dtype=dtype))
    optimizer = Langevin([p], 0.1, damping=0.3, temperature=0.5, weight_decay=0.1, **options)
    for _ in range(2):
        p.grad = torch.ones_like(p)
        optimizer.step()
    assert optimizer.state[p]["velocity"].shape == p.shape
    optimizer.state_dict()


def train_without_graph(options):
    p = nn.Parameter(torch.ones(8))
    optimizer = Langevin([p], 0.1, damping=0.3, temperature=0.5, **options)
    p.grad = torch.ones_like(p)
    optimizer.step()


@pytest.mark.parametrize("name", ["post", "gjf", "baoa"])
@pytest.mark.parametrize("missing", ["_foreach", "_fused", "all"])
def test_without_private_functions_of_torch_the_numbers_are_the_same(monkeypatch, name, missing):
    expected = train({"scheme": name, "noise": "byte-sum"})
    for attribute in dir(torch):
        if attribute.startswith({"_foreach": "_foreach_", "_fused": "_fused_sgd", "all": "_f"}[missing]):
            monkeypatch.delattr(torch, attribute)
    scheme._fused_works.cache_clear()
    ends = train({"scheme": name, "noise": "byte-sum"})
    scheme._fused_works.cache_clear()
    for a, b in zip(ends, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_a_fused_function_with_other_arguments_is_not_used(monkeypatch):
    monkeypatch.setattr(torch, "_fused_sgd_", lambda *tensors: None)
    scheme._fused_works.cache_clear()
    assert not scheme.can_fuse("post", [torch.zeros(2)], 0.5)
    monkeypatch.setattr(torch, "_fused_sgd_", lambda *tensors, **options: None)  # takes them, and does nothing
    scheme._fused_works.cache_clear()
    assert not scheme.can_fuse("post", [torch.zeros(2)], 0.5)
    monkeypatch.undo()
    scheme._fused_works.cache_clear()
    assert scheme.can_fuse("post", [torch.zeros(2)], 0.5)


def test_several_processes_have_to_say_how_they_are_seeded(monkeypatch):
    """At T > 0 only; a generator, a seed or a loaded state says it."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)

    def make(temperature=0.1, **options):
        p = nn.Parameter(torch.ones(3))
        p.grad = torch.ones(3)
        return p, Langevin([p], 0.1, damping=0.3, temperature=temperature, **options)

    p, optimizer = make()
    with pytest.raises(RuntimeError, match="several processes, and nobody has said how their noise is seeded"):
        optimizer.step()
    assert torch.equal(p, torch.ones(3))
    saved = optimizer.state_dict()
    optimizer.reseed(1)
    optimizer.step()
    for _, told in (make(0.0), make(generator=torch.Generator())):
        told.step()
    _, loaded = make()
    loaded.load_state_dict(saved)
    loaded.step()


def test_a_step_on_windows_of_one_batch_is_what_it_was(monkeypatch):
    """The pieces of the fused update see the masks of their own gradients."""
    monkeypatch.setattr(step, "WINDOW", 128)
    ends = []
    for options in ({}, {"foreach": False}):
        p = nn.Parameter(torch.ones(1000))
        optimizer = Langevin([p], 0.1, damping=0.3, temperature=0.5, noise_at_zero=False, **options,
                             generator=torch.Generator().manual_seed(0))  # fmt: skip
        for _ in range(3):
            p.grad = torch.ones(1000) * (torch.arange(1000) % 3 == 0)
            optimizer.step()
        ends.append(p.detach())
        assert torch.equal(p[torch.arange(1000) % 3 != 0], torch.ones(667 - 1))
    torch.testing.assert_close(*ends, rtol=1e-5, atol=1e-6)
