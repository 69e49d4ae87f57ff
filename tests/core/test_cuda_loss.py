"""The loss on a GPU: the CPU's values and gradients for every option, autocast, and labels that are wrong."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from physnn import GinzburgLandauLoss, ginzburg_landau_density, ginzburg_landau_loss
from physnn.loss import BOUNDARIES, NORMS, OUTERS
from tests.core.gpu import DEVICE, MARKS, home, random

pytestmark = MARKS

COEFFICIENTS = (1.0, -0.7, 0.5)
FIELDS = {
    "labels": (random(6, 10), torch.tensor([0, 9, 3, 3, 5, 1])),
    "rows": (random(6, 10), random(6, 10, seed=1)),
    "chains": (random(3, 2, 7), random(3, 2, 7, seed=1)),
    "images": (random(3, 2, 5, 4), random(3, 2, 5, 4, seed=1)),
}


def value_and_gradient(device, phi, target, dtype=torch.float64, **options):
    x = phi.to(device, dtype, copy=True).requires_grad_()
    y = target.to(device, dtype) if target.is_floating_point() else target.to(device)
    value = ginzburg_landau_loss(x, y, *COEFFICIENTS, **options)
    return value, torch.autograd.grad(value, x)[0]


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("fused", [None, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_every_option_is_the_cpu(kind, fused, dtype):
    for norm, boundary, outer in itertools.product(NORMS, BOUNDARIES, OUTERS):
        options = {"norm": norm, "boundary": boundary, "outer": outer, "fused": fused}
        there = value_and_gradient(DEVICE, *FIELDS[kind], dtype, **options)
        here = value_and_gradient("cpu", *FIELDS[kind], **options)
        assert all(tensor.device == DEVICE and tensor.dtype == dtype for tensor in there), options
        tolerance = 1e-10 if dtype == torch.float64 else 1e-5
        for a, b in zip(there, here, strict=True):
            torch.testing.assert_close(home(a), home(b), rtol=tolerance, atol=tolerance, msg=str(options))


@pytest.mark.parametrize("kind", FIELDS)
def test_the_density_and_second_derivatives_are_the_cpu(kind):
    phi, target = FIELDS[kind]
    made = []
    for device in (DEVICE, "cpu"):
        x, y = phi.to(device, copy=True).requires_grad_(), target.to(device)
        density = ginzburg_landau_density(x, y, *COEFFICIENTS)
        (first,) = torch.autograd.grad(GinzburgLandauLoss(*COEFFICIENTS)(x, y), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        made.append([home(t) for t in (density, first, second)])
    torch.testing.assert_close(*made, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("kind", FIELDS)
def test_layouts(kind):
    """Transposed inputs and targets, and a target of another type than phi."""
    phi, target = FIELDS[kind]
    x = phi.transpose(0, 1).contiguous().transpose(0, 1).to(DEVICE, copy=True).requires_grad_()
    y = target.float() if target.is_floating_point() else target.int()
    y = (y.transpose(0, 1).contiguous().transpose(0, 1) if y.dim() > 1 else y).to(DEVICE)
    value = ginzburg_landau_loss(x, y, *COEFFICIENTS)
    expected = value_and_gradient("cpu", phi, y.cpu().double() if y.is_floating_point() else target)
    for a, b in zip((value, *torch.autograd.grad(value, x)), expected, strict=True):
        torch.testing.assert_close(home(a), home(b), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("fused", [None, False])
def test_autocast_returns_float32(kind, dtype, fused):
    """As cross_entropy and mse_loss do; finite, and the value of the numbers that low precision gives."""
    phi, target = FIELDS[kind]
    x = (200 * phi.detach()).to(DEVICE, dtype).requires_grad_()  # squares of which float16 cannot hold
    y = target.to(DEVICE)
    loss = GinzburgLandauLoss(*COEFFICIENTS, fused=fused)
    with torch.autocast(DEVICE.type, dtype=dtype):
        value = loss(x, y)
    value.backward()
    assert value.dtype == torch.float32 and value.isfinite() and x.grad.isfinite().all()
    expected = loss(x.detach().cpu().double(), target)
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_scaled_step_under_autocast(dtype):
    """A linear layer, the loss and a GradScaler: the gradient of the weights is that of float32, to a few percent."""
    weight = random(10, 20).to(DEVICE, torch.float32).requires_grad_()
    x, labels = random(64, 20, seed=1).to(DEVICE, torch.float32), (torch.arange(64) % 10).to(DEVICE)
    gradients = []
    for enabled in (True, False):
        scaler = torch.amp.GradScaler(DEVICE.type, init_scale=1024.0, enabled=enabled and DEVICE.type == "cuda")
        with torch.autocast(DEVICE.type, dtype=dtype, enabled=enabled):
            value = GinzburgLandauLoss(*COEFFICIENTS)(F.linear(x, weight), labels)
        (grad,) = torch.autograd.grad(scaler.scale(value), weight)
        gradients.append(grad / scaler.get_scale())
    # The maximum of phi is attained at one place, which low precision may choose otherwise: an angle, not each value.
    assert F.cosine_similarity(*(g.flatten() for g in gradients), dim=0) > 0.98


@pytest.mark.parametrize("fused", [None, False])
@pytest.mark.parametrize("wrong", [-1, 10, 2**40])
def test_a_wrong_label_is_named_and_the_gpu_lives_on(wrong, fused):
    """An index that a kernel would meet ends the process's use of the device; this one is met before."""
    phi, labels = FIELDS["labels"]
    labels = labels.clone()
    labels[2] = wrong
    x = phi.to(DEVICE, copy=True).requires_grad_()
    with pytest.raises(ValueError, match=rf"class indices must lie in 0\.\.9, got .*{wrong}"):
        GinzburgLandauLoss(fused=fused)(x, labels.to(DEVICE))
    assert (x + 1).sum().isfinite()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("outer", OUTERS)
def test_zero_fields_and_ties_are_the_cpu(norm, outer):
    """A phi of zeros has no normalization, and a maximum may be attained at many places."""
    for phi in (torch.zeros(4, 5), torch.ones(4, 5), torch.tensor([[1.0, -1.0, 0.0, 1.0]] * 3)):
        made = []
        for device in (DEVICE, "cpu"):
            x = phi.to(device, torch.float64, copy=True).requires_grad_()
            value = ginzburg_landau_loss(x, torch.zeros(len(phi), dtype=torch.long, device=device), *COEFFICIENTS,
                                         norm=norm, outer=outer)  # fmt: skip
            made.append([home(value), home(torch.autograd.grad(value, x)[0])])
        torch.testing.assert_close(*made, rtol=1e-10, atol=1e-12)
        assert math.isfinite(made[0][0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", FIELDS)
def test_low_precision_inputs(kind, dtype):
    """Without autocast the loss has phi's type, from sums in float32."""
    phi, target = FIELDS[kind]
    value, gradient = value_and_gradient(DEVICE, phi, target, dtype)
    rounded = target.to(dtype).double() if target.is_floating_point() else target
    expected, slope = value_and_gradient("cpu", phi.to(dtype).double(), rounded)
    eps = torch.finfo(dtype).eps
    assert value.dtype == gradient.dtype == dtype
    torch.testing.assert_close(home(value), home(expected), rtol=2 * eps, atol=eps)
    torch.testing.assert_close(home(gradient), home(slope), rtol=4 * eps, atol=eps * slope.abs().max().item())
