"""Parameters of 16 bits: what their own type cannot hold is kept, and what is measured is what was done."""

import copy
import math

import pytest
import torch
from torch import nn

from physnn import Langevin, Thermometer

NARROW = [torch.bfloat16, torch.float16]
PATHS = {
    "default": {},
    "single": {"foreach": False},
    "fused": {"fused": True},
    "two-point": {"noise": "two-point"},
    "compiled": {"noise": "byte-sum", "compiled": True},
}
CASES = [(path, name) for path in PATHS for name in ("post", "gjf", "baoa") if (path, name) != ("fused", "baoa")]


def make(dtype, shape=(40, 5), lr=1e-3, temperature=1e-3, **options):
    start = 1 + torch.arange(200).view(shape) % 128 / 128  # exact in both types
    p = nn.Parameter(start.to(dtype))
    options = {"damping": 0.1, "weight_decay": 0.1, "generator": torch.Generator().manual_seed(0), **options}
    return p, Langevin([p], lr, temperature=temperature, **options)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(("path", "scheme"), CASES)
def test_it_is_the_run_in_float32_rounded(dtype, path, scheme):
    """With the same gradients and noise, the parameter is the float32 one rounded once, bit for bit, in every step."""
    options = {"scheme": scheme, **PATHS[path]}
    (p, narrow), (q, wide) = make(dtype, **options), make(torch.float32, **options)
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        grad = torch.randn(40, 5, generator=generator).to(dtype)
        p.grad, q.grad = grad, grad.float()
        narrow.step()
        wide.step()
        assert torch.equal(p, q.to(dtype))
        assert torch.equal(p.float() + narrow.state[p]["remainder"], q)
    assert torch.equal(narrow.state[p]["velocity"], wide.state[q]["velocity"])


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_noise_below_the_spacing_is_not_lost(dtype, scheme):
    """A step is a tenth of the spacing of bfloat16 at 1. Variance 1e-3 +- 5 standard errors and the rounding's 5e-6."""
    p = nn.Parameter(torch.ones(20_000, dtype=dtype))
    optimizer = Langevin([p], 1e-3, damping=0.3, temperature=1e-3, scheme=scheme,
                         generator=torch.Generator().manual_seed(0))  # fmt: skip
    thermometer = Thermometer(optimizer, every=1)
    for _ in range(1500):
        p.grad = p.detach() - 1
        optimizer.step()
    tolerance = 5 * math.sqrt(2 / 20_000)
    assert p.detach().double().var().item() == pytest.approx(1e-3, rel=tolerance + 5e-3)
    reading = thermometer.read()[0]
    assert reading["kinetic"].item() == pytest.approx(1e-3, rel=tolerance)
    # The virial takes the rounded parameter, as the gradient does.
    virial = (p.detach().double() * (p.detach().double() - 1)).mean().item()
    assert reading["configurational"].item() == pytest.approx(virial, rel=0.1, abs=2e-4)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("scheme", ["post", "gjf"])
def test_a_state_of_16_bits_resumes_bit_for_bit(dtype, scheme):
    def run(p, optimizer, steps):
        for _ in range(steps):
            p.grad = p.detach().sin()
            optimizer.step()

    p, optimizer = make(dtype, scheme=scheme)
    run(p, optimizer, 3)
    saved = copy.deepcopy((p.detach(), optimizer.state_dict()))
    run(p, optimizer, 5)
    q, other = make(dtype, scheme=scheme, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        q.copy_(saved[0])
    other.load_state_dict(saved[1])
    assert other.state[q]["velocity"].dtype == other.state[q]["remainder"].dtype == torch.float32
    run(q, other, 5)
    assert torch.equal(p, q) and torch.equal(optimizer.state[p]["remainder"], other.state[q]["remainder"])


def test_a_value_set_by_hand_is_where_the_run_goes_on():
    """What is kept beside it is less than half a spacing."""
    p, optimizer = make(torch.bfloat16, temperature=0.0, weight_decay=0.0)
    p.grad = torch.full_like(p, 0.1)
    optimizer.step()
    with torch.no_grad():
        p.fill_(5.0)
    p.grad = torch.zeros_like(p)
    optimizer.step()
    assert (p.detach() - 5).abs().max() <= 2**-5


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_half_complex_numbers():
    """Their real and imaginary part: the numbers of two real parameters, rounded."""
    p = nn.Parameter(torch.ones(30, dtype=torch.complex32))
    q = nn.Parameter(torch.ones(30, dtype=torch.complex64))
    for parameter in (p, q):
        optimizer = Langevin([parameter], 1e-3, damping=0.1, temperature=1e-3,
                             generator=torch.Generator().manual_seed(0))  # fmt: skip
        for _ in range(5):
            parameter.grad = torch.full((30,), 0.25 + 0.5j, dtype=parameter.dtype)
            optimizer.step()
    assert torch.equal(torch.view_as_real(p.detach()), torch.view_as_real(q.detach()).half())
