"""The layers on a GPU: fused or composed, the CPU's outputs and gradients; the printed class; autocast."""

import copy

import pytest
import torch

from benchmarks import printed
from physnn import DynamicLinear, ExperimentalLayer, dynamic_linear
from physnn.layer import POSITIONS
from tests.core.gpu import DEVICE, MARKS, home, random

pytestmark = MARKS

N, M = 7, 5


def gradients(layer, x, cotangent):
    """Return output and all gradients, on the CPU."""
    x = x.requires_grad_()
    phi = layer(x)
    made = torch.autograd.grad(phi, [x, *layer.parameters()], cotangent)
    return [home(t) for t in (phi, *made)]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("gate", ["input", 0.3])
@pytest.mark.parametrize("fused", [None, True, False])
@pytest.mark.parametrize("leading", [(4,), (), (2, 3), (0,)], ids=str)
def test_every_option_is_the_cpu(position, gate, fused, leading):
    here = DynamicLinear(N, M, beta=0.2, position=position, gate=gate, bias=True, fused=fused, dtype=torch.float64)
    there = copy.deepcopy(here).to(DEVICE)
    x, cotangent = random(*leading, N), random(*leading, M, seed=1)
    made = gradients(there, x.to(DEVICE), cotangent.to(DEVICE))
    torch.testing.assert_close(made, gradients(here, x.clone(), cotangent), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("position", POSITIONS)
def test_a_layer_made_on_the_gpu_is_one_moved_there(position):
    """Positions and start values; the weights come from another generator and are loaded."""
    there = DynamicLinear(N, M, position=position, bias=True, device=DEVICE)
    here = DynamicLinear(N, M, position=position, bias=True)
    assert all(p.device == DEVICE for p in (*there.parameters(), *there.buffers()))
    here.load_state_dict({name: value.cpu() for name, value in there.state_dict().items()})
    x = random(3, N, dtype=torch.float32)
    torch.testing.assert_close(there(x.to(DEVICE)).cpu(), here(x), rtol=1e-5, atol=1e-5)
    if position in ("index", "learned"):
        torch.testing.assert_close(home(there.position), torch.arange(N).double())


def test_the_printed_class():
    """Ours and the printed one on the GPU, ours on the CPU: the same numbers, from the same state_dict."""
    torch.manual_seed(0)
    theirs = printed.ExperimentalLayer(20, 6, 0.1)
    torch.manual_seed(0)
    ours = ExperimentalLayer(20, 6, 0.1)
    x, cotangent = random(9, 20, dtype=torch.float32), random(9, 6, seed=1, dtype=torch.float32)
    expected = gradients(ours, x.clone(), cotangent)
    for layer in (theirs, ours):
        made = gradients(layer.to(DEVICE), x.to(DEVICE, copy=True), cotangent.to(DEVICE))
        torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("position", ["index", "normalized", "learned"])
def test_autocast_is_finite_where_the_output_is(dtype, position):
    """With so many inputs that scale times input leaves float16, and outputs that do not."""
    torch.manual_seed(0)
    layer = DynamicLinear(16384, 4, position=position).to(DEVICE)
    x = random(8, 16384, seed=1, dtype=torch.float32).to(DEVICE)
    full = layer(x)
    exact = torch.autograd.grad(full.sum(), list(layer.parameters()))
    with torch.autocast(DEVICE.type, dtype=dtype):
        half = layer(x)
    rounded = torch.autograd.grad(half.float().sum(), list(layer.parameters()))
    assert full.abs().max() < 60_000 and half.isfinite().all()
    size = full.square().mean().sqrt().item()
    torch.testing.assert_close(half.float(), full, rtol=0, atol=8 * torch.finfo(dtype).eps * size)
    # The gradient of the weights is a product in low precision as well, and may be too large for it.
    assert all(b[a.abs() < 30_000].isfinite().all() for a, b in zip(exact, rounded, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision(dtype):
    """A layer of low precision is the rounded one in float64, to a few roundings of its largest output."""
    layer = DynamicLinear(64, M, position="normalized", dtype=torch.float64)
    low = copy.deepcopy(layer).to(DEVICE, dtype)
    rounded = copy.deepcopy(low).to("cpu", torch.float64)
    x = random(16, 64).to(dtype)
    made, expected = home(low(x.to(DEVICE))), home(rounded(x.double()))
    torch.testing.assert_close(made, expected, rtol=0, atol=4 * torch.finfo(dtype).eps * expected.abs().max().item())


def test_wrong_inputs_are_named():
    layer = DynamicLinear(N, M, device=DEVICE)
    with pytest.raises(ValueError, match="expected an input of shape"):
        layer(torch.ones(2, N + 1, device=DEVICE))
    with pytest.raises(TypeError, match="floating-point input"):
        layer(torch.ones(2, N, dtype=torch.uint8, device=DEVICE))


def test_the_function_makes_its_positions_where_the_input_is():
    x, weight = random(3, N).to(DEVICE), random(M, N, seed=1).to(DEVICE)
    beta, t = torch.tensor(0.1, device=DEVICE).double(), torch.ones(1, device=DEVICE).double()
    here = dynamic_linear(x.cpu(), weight.cpu(), beta.cpu(), t.cpu())
    torch.testing.assert_close(home(dynamic_linear(x, weight, beta, t)), here, rtol=1e-12, atol=1e-12)
