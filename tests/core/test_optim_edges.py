"""The optimizer at the edges: odd gradients and layouts, tensors for numbers, nothing to move, what is left alone."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from physnn import Langevin

PATHS = [
    {"foreach": False},
    {"foreach": True},
    {},
    {"noise": "two-point"},
    {"noise": "byte-sum"},
    {"noise": "byte-sum", "compiled": True},
]


def end(p, grads, **options):
    options = {"damping": 0.3, "temperature": 0.2, "weight_decay": 0.1, **options}
    lr = options.pop("lr", 0.1)
    optimizer = Langevin([p], lr, generator=torch.Generator().manual_seed(0), **options)
    for grad in grads:
        p.grad = grad
        optimizer.step()
    return p.detach()


@pytest.mark.parametrize("options", PATHS)
@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_lazily_conjugated_and_negated_gradients(options, scheme):
    """A view with torch's conjugate or negative bit is what it stands for."""
    z = torch.randn(6, 4, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    conjugated, negated = z.conj(), z.conj().imag
    assert conjugated.is_conj() and negated.is_neg()
    for lazy, dtype in ((conjugated, torch.complex64), (negated, torch.float32)):
        ends = [
            end(nn.Parameter(torch.ones(6, 4, dtype=dtype)), [grad] * 3, scheme=scheme, **options)
            for grad in (lazy, lazy.resolve_conj().resolve_neg().clone())
        ]
        assert torch.equal(*ends)


@pytest.mark.parametrize("options", PATHS)
def test_every_layout_of_parameter_and_gradient(options):
    grad = torch.randn(4, 6, 3, 5, generator=torch.Generator().manual_seed(0))
    start = torch.rand(4, 6, 3, 5, generator=torch.Generator().manual_seed(1))
    reference = end(nn.Parameter(start.clone()), [grad] * 2, temperature=0.0)
    layouts = (
        lambda t: t.contiguous(),
        lambda t: t.to(memory_format=torch.channels_last),
        lambda t: t.transpose(0, 3).contiguous().transpose(0, 3),
        lambda t: torch.stack([t, t], -1)[..., 0],
    )
    for of_parameter in layouts:
        for of_grad in layouts:
            p = nn.Parameter(of_parameter(start.clone()))
            got = end(p, [of_grad(grad)] * 2, temperature=0.0, **options)
            torch.testing.assert_close(got, reference, rtol=1e-5, atol=1e-6)
            assert p.stride() == of_parameter(start).stride()
    expanded = end(nn.Parameter(start.clone()), [torch.ones(1).expand(4, 6, 3, 5)] * 2, **options)
    plain = end(nn.Parameter(start.clone()), [torch.ones(4, 6, 3, 5)] * 2, **options)
    torch.testing.assert_close(expanded, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", PATHS)
def test_nothing_to_move(options):
    for scheme in ("post", "gjf", "baoa"):
        for shape in ((0,), (0, 3), (2, 0, 4)):
            assert (
                end(nn.Parameter(torch.ones(shape)), [torch.ones(shape)] * 2, scheme=scheme, **options).shape == shape
            )
    idle = nn.Parameter(torch.ones(2))
    Langevin([idle], 0.1, damping=0.3, temperature=1.0, **options).step()
    assert torch.equal(idle, torch.ones(2))


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, torch.tensor, lambda x: torch.tensor([x])])
def test_numbers_may_be_tensors_of_one_element(kind):
    names = {"lr": 0.125, "damping": 0.25, "temperature": 0.5, "weight_decay": 0.125}
    ends = []
    for convert in (float, kind):
        for scheme in ("post", "gjf", "baoa"):
            options = {name: convert(value) for name, value in names.items()}
            ends.append(end(nn.Parameter(torch.ones(5)), [torch.ones(5)] * 3, scheme=scheme, **options))
    assert all(torch.equal(a, b) for a, b in zip(ends[:3], ends[3:], strict=True))


def test_a_schedule_that_fills_a_tensor_is_followed():
    p = nn.Parameter(torch.zeros(1))
    lr = torch.tensor(0.5)
    optimizer = Langevin([p], lr, damping=1.0, foreach=False)
    p.grad = torch.ones(1)
    optimizer.step()
    optimizer.param_groups[0]["lr"].fill_(0.25)
    optimizer.step()
    assert p.item() == -0.75


@pytest.mark.parametrize("name", ["lr", "damping", "temperature", "weight_decay"])
@pytest.mark.parametrize("wrong", ["0.1", None, [0.1], 1j, torch.ones(2)])
def test_what_is_no_number_is_named(name, wrong):
    options = {"lr": 0.1, "damping": 0.5, name: wrong}
    with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
        Langevin([nn.Parameter(torch.ones(2))], options.pop("lr"), **options)


@pytest.mark.parametrize("options", [o for o in PATHS if "compiled" not in o])
@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_the_rule_for_gradients_that_are_zero(options, scheme):
    """A flat direction diffuses; with noise_at_zero=False nothing shakes it, and what it had learned coasts to rest."""
    rows = torch.tensor([1, 2, 2, 4])
    for noisy in (True, False):
        torch.manual_seed(0)
        table = nn.Embedding(6, 50, padding_idx=1)
        start = table.weight.detach().clone()
        options = {**options, "noise_at_zero": noisy, "scheme": scheme}
        optimizer = Langevin(table.parameters(), 0.1, damping=0.3, temperature=0.2, **options)
        for _ in range(3):
            optimizer.zero_grad()
            F.normalize(table(rows), dim=-1).square().sum(-1).add(table(rows).sum(-1)).mean().backward()
            optimizer.step()
        moved = (table.weight.detach() != start).any(1).tolist()
        assert moved == [noisy, noisy, True, noisy, True, noisy]
    with pytest.raises(ValueError, match="goes without noise_at_zero=False"):
        Langevin(table.parameters(), 0.1, damping=0.3, noise="byte-sum", compiled=True, noise_at_zero=False)


@pytest.mark.parametrize("options", PATHS)
def test_a_frozen_parameter_is_left_alone(options):
    """Also with the gradient of zeros that zero_grad(set_to_none=False) leaves behind."""
    a, b = (nn.Parameter(torch.ones(4)) for _ in range(2))
    optimizer = Langevin([a, b], 0.1, damping=0.3, temperature=0.2, **options)
    for p in (a, b):
        p.grad = torch.ones(4)
    optimizer.step()
    a.requires_grad_(False)
    optimizer.zero_grad(set_to_none=False)
    frozen, moving = a.detach().clone(), b.detach().clone()
    optimizer.step()
    assert torch.equal(a, frozen) and not torch.equal(b, moving)


@pytest.mark.parametrize("options", PATHS)
def test_values_that_overflow_are_those_of_the_readable_form(options):
    """What leaves the range of float32 becomes infinite on every path alike; the next gradient then stops the run."""
    p = nn.Parameter(torch.tensor([3e38, 1.0, -3e38]))
    got = end(p, [torch.tensor([-3e38, 1.0, 3e38])], lr=1.0, weight_decay=0.0, temperature=0.0, **options)
    assert got.tolist() == [math.inf, 0.0, -math.inf]
