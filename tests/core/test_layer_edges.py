"""The layer's closed form is its readable form also where numbers are odd; and float16 holds what it can."""

import copy
import math

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from physnn import DynamicLinear, dynamic_linear

fuzz = settings(derandomize=True, deadline=None, max_examples=250, database=None)
LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "offset": lambda x: torch.cat([x, x])[len(x) :],
    "expanded": lambda x: x[:1].expand_as(x),
    "constant": lambda x: x.sum().expand_as(x),
    "negative view": lambda x: torch._neg_view(-x),
}
ODD = [0.0, math.nan, math.inf, -math.inf, 3e38, 1e30, 1e-30, 1e-42]
layouts = st.sampled_from(sorted(LAYOUTS))
odd = st.one_of(st.just(None), st.just(None), st.sampled_from(ODD))
scales = st.sampled_from([1.0, 1.0, 1.0, 0.0, 1e10, 1e20, 1e37, 1e-20, 1e-40])


def normal(seed, shape, dtype, scale, one):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale
    if one is not None and x.numel():
        x.view(-1)[seed % x.numel()] = one
    return x.to(dtype)


@fuzz
@example(
    seed=0,
    leading=[16],
    n=784,
    m=10,
    double=False,
    layout="contiguous",
    of_cotangent="constant",
    beta=8.0,
    t=1.0,
    gate="input",
    scale=1.0,
    of_weights=1.0,
    of_gradient=1.0,
    odd_x=None,
    odd_w=None,
    odd_g=None,
    position="index",
    bias=True,
    x_learns=True,
)
@given(
    seed=st.integers(0, 10**6), leading=st.lists(st.integers(0, 3), max_size=3), n=st.integers(1, 6),
    m=st.integers(1, 4), double=st.booleans(), layout=layouts, of_cotangent=layouts,
    beta=st.one_of(st.floats(-1, 1), st.sampled_from([0.0, 5.0, 8.0, -8.0, 15.0, 17.9, 150.0, -1e30, math.nan])),
    t=st.one_of(st.floats(-4, 4), st.sampled_from([0.0, 1e10, -1e37, math.inf, math.nan])),
    gate=st.sampled_from(["input", "input", 0.0, 0.5, -1e30]), scale=scales, of_weights=scales, of_gradient=scales,
    odd_x=odd, odd_w=odd, odd_g=odd, position=st.sampled_from(["index", "normalized", "ones", "learned", "huge"]),
    bias=st.booleans(), x_learns=st.booleans(),
)  # fmt: skip
def test_the_closed_form_is_the_readable_form(
    seed, leading, n, m, double, layout, of_cotangent, beta, t, gate, scale, of_weights, of_gradient, odd_x, odd_w,
    odd_g, position, bias, x_learns,
):  # fmt: skip
    dtype = torch.float64 if double else torch.float32
    x = normal(seed, (*leading, n), dtype, scale, odd_x)
    weight = normal(seed + 1, (m, n), dtype, of_weights, odd_w)
    cotangent = normal(seed + 2, (*leading, m), dtype, of_gradient, odd_g)
    if x.numel():
        x = LAYOUTS[layout](x) if leading else x
        cotangent = LAYOUTS[of_cotangent](cotangent) if leading else cotangent
    numbers = [torch.tensor(beta, dtype=dtype), torch.tensor([t], dtype=dtype)]
    if n == 1 and position == "normalized":
        position = "ones"
    if position in ("learned", "huge"):
        position = normal(seed + 3, (n,), dtype, 1e30 if position == "huge" else 3.0, None)
    a = position if isinstance(position, torch.Tensor) else DynamicLinear(n, 1, position=position).position.to(dtype)
    b = normal(seed + 4, (m,), dtype, 1.0, None) if bias else None
    learns = [x_learns, True, True, True, isinstance(position, torch.Tensor), True]
    ends = [outcome([x, weight, *numbers, a, b], learns, gate, cotangent, fused) for fused in (False, None)]
    # Against what a rounding counts: the same with nothing that cancels.
    magnitudes = [None if y is None else y.double().abs() for y in (x, weight, *numbers, a, b)]
    sizes = outcome(magnitudes, learns, 1.0 if gate == "input" else abs(gate), cotangent.double().abs(), False)
    for readable, closed, size in zip(*ends, sizes, strict=True):
        assert closed.shape == readable.shape and closed.dtype == readable.dtype
        finite = readable.isfinite()
        assert torch.equal(closed.isnan(), readable.isnan()), (closed, readable)
        assert torch.equal(closed[~finite].nan_to_num(1.0), readable[~finite].nan_to_num(1.0)), (closed, readable)
        if finite.any() and size.isfinite().all():
            error = (closed.double() - readable.double())[finite].abs().max()
            assert error <= 64 * torch.finfo(dtype).eps * size.max() + 1e-44, (closed, readable)


def outcome(inputs, learns, gate, cotangent, fused):
    """Return the outputs and the gradients in all inputs that learn."""
    leaves = [None if y is None else y.detach().requires_grad_(learn) for y, learn in zip(inputs, learns, strict=True)]
    x, weight, beta, t, position, bias = leaves
    phi = dynamic_linear(x, weight, beta, t, position=position, gate=gate, bias=bias, fused=fused)
    wanted = [y for y in leaves if y is not None and y.requires_grad]
    return [phi.detach(), *torch.autograd.grad(phi, wanted, cotangent)]


@pytest.mark.parametrize("n", [784, 16384])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("way", ["autocast", "half"])
def test_float16_is_finite_wherever_it_can_hold_the_output(n, scale, way):
    """Against float64: the roundings of x, of W and of the product, also where the scaled input has no float16."""
    torch.manual_seed(0)
    layer, x = DynamicLinear(n, 64, beta=0.3, bias=True), scale * torch.randn(32, n)
    torch.nn.init.normal_(layer.bias)
    if way == "half":
        layer, x = layer.half(), x.half()
    with torch.autocast("cpu", torch.float16, enabled=way == "autocast"):
        phi = layer(x)
    exact = layer.double()(x.double())
    rounding = 4 * torch.finfo(torch.float16).eps * exact.abs().amax(1, keepdim=True) + 1e-6
    fits, overflows = exact.abs() + rounding < 65504, exact.abs() - rounding > 65520
    assert phi.dtype == torch.float16 and (fits.any() or scale > 1)
    assert phi[fits].isfinite().all() and phi[overflows].isinf().all()
    assert ((phi.double() - exact).abs() <= rounding)[fits].all()


def test_float16_holds_the_gradients_that_it_held_and_the_smallest_inputs():
    """Ones that see small inputs only: a power of two for each row, not for all, and none where none is needed."""
    torch.manual_seed(0)
    layer = DynamicLinear(2000, 8, beta=0.2)
    x = torch.randn(6, 2000)
    x[1] *= 1e-4
    x[2:4, 5:] = 0
    leaf = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.float16):
        phi = layer(leaf)
    phi.float().mul(1e-4).sum().backward()
    exact = copy.deepcopy(layer).double()
    exact.zero_grad()
    wide = x.double().requires_grad_()
    outputs = exact(wide)
    (1e-4 * outputs.sum()).backward()
    assert ((phi - outputs).abs().amax(1) <= 4e-3 * outputs.abs().amax(1)).all()
    for narrow, full in [
        (leaf.grad, wide.grad),
        *((p.grad, q.grad) for p, q in zip(layer.parameters(), exact.parameters(), strict=True)),
    ]:
        assert (narrow - full).abs().max() <= 1e-2 * full.abs().max()


@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan, 0.0])
def test_float16_spoils_no_other_row(odd):
    layer, x = DynamicLinear(20, 3), torch.randn(4, 20)
    x[2] = odd
    with torch.autocast("cpu", torch.float16):
        phi = layer(x)
    assert torch.equal(phi.isfinite().all(1), torch.tensor([True, True, odd == 0.0, True]))


@pytest.mark.parametrize("shape", [(2, 0, 5), (0, 3, 5), (0, 5), (3, 0, 0, 5)])
def test_an_empty_leading_dimension(shape):
    ends = []
    for fused in (False, None):
        x = torch.zeros(shape, requires_grad=True)
        layer = DynamicLinear(5, 3, bias=True, fused=fused)
        phi = layer(x)
        assert phi.shape == (*shape[:-1], 3)
        ends.append(torch.autograd.grad(phi.sum(), [x, *layer.parameters()]))
    for readable, closed in zip(*ends, strict=True):
        assert torch.equal(readable, closed) and closed.shape == readable.shape
