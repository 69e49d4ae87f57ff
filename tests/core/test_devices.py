"""The core on every device: a GPU gives the numbers of the CPU (more of it in core/test_cuda_*.py)."""

import copy

import pytest
import torch
import torch.nn.functional as F

from physnn import DynamicLinear, GinzburgLandauLoss, Langevin, Thermometer
from physnn.loss import BOUNDARIES
from tests.core.gpu import DEVICE, MARKS

devices = pytest.mark.parametrize("device", ["cpu", pytest.param(DEVICE, marks=MARKS, id="gpu")])


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@devices
@pytest.mark.parametrize("position", ["index", "normalized", "permuted", "learned"])
def test_layer(device, position):
    there = DynamicLinear(7, 5, beta=0.2, position=position, bias=True, device=device, dtype=torch.float64)
    here = DynamicLinear(7, 5, position=position, bias=True, dtype=torch.float64)
    here.load_state_dict({name: value.cpu() for name, value in there.state_dict().items()})
    outputs = []
    for layer, where in ((there, device), (here, "cpu")):
        phi = layer(normal(4, 7).to(where))
        phi.backward(normal(4, 5, seed=1).to(where))
        outputs.append([phi, *(p.grad for p in layer.parameters())])
    for a, b in zip(*outputs, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-10, atol=1e-10)


@devices
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("fused", [None, False])
def test_loss(device, boundary, fused):
    """Labels and fields; on the CPU the two closed forms stand against autograd."""
    loss = GinzburgLandauLoss(1.0, -0.7, 0.5, boundary=boundary, fused=fused)
    plain = GinzburgLandauLoss(1.0, -0.7, 0.5, boundary=boundary, fused=False)
    for phi, target in ((normal(6, 10), torch.arange(6)), (normal(3, 2, 5, 4), normal(3, 2, 5, 4, seed=1))):
        values = []
        for function, where in ((loss, device), (plain, "cpu")):
            x = phi.to(where).requires_grad_()
            value = function(x, target.to(where))
            values.append([value.detach(), *torch.autograd.grad(value, x)])
        for a, b in zip(*values, strict=True):
            torch.testing.assert_close(a.cpu(), b, rtol=1e-10, atol=1e-10)


@devices
@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_optimizer(device, scheme):
    """At T = 0 the numbers are the CPU's; at T > 0 a run resumes bit for bit, with its thermometer's readings."""
    start = normal(40, 30)
    cold = []
    for where in (device, "cpu"):
        p = start.to(where, copy=True).requires_grad_()
        optimizer = Langevin([p], 0.1, damping=0.3, weight_decay=0.1, scheme=scheme)
        for _ in range(5):
            p.grad = p.detach().sin()
            optimizer.step()
        cold.append(p.detach().cpu())
    torch.testing.assert_close(*cold, rtol=1e-10, atol=1e-12)

    def hot(p, optimizer, steps):
        for _ in range(steps):
            p.grad = p.detach().sin()
            optimizer.step()

    def make(values):
        p = values.to(device, copy=True).requires_grad_()
        return p, Langevin([p], 0.1, damping=0.3, temperature=0.5, scheme=scheme,
                           generator=torch.Generator(device).manual_seed(3))  # fmt: skip

    p, optimizer = make(start)
    hot(p, optimizer, 3)
    q, resumed = make(p.detach())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    readings = []
    for parameter, run in ((p, optimizer), (q, resumed)):
        thermometer = Thermometer(run, every=1)
        hot(parameter, run, 4)
        readings.append(thermometer.read()[0])
    assert torch.equal(p, q)
    assert readings[0]["kinetic"] == readings[1]["kinetic"] > 0


@devices
def test_an_epoch_of_one_batch_learns(device):
    """All three together, on the device: the loss falls."""
    torch.manual_seed(0)
    x, y = torch.rand(64, 20, device=device), torch.arange(64, device=device) % 4
    layer = DynamicLinear(20, 4, device=device)
    optimizer = Langevin(layer.parameters(), 0.1, damping=0.1, temperature=1e-6)
    loss, values = GinzburgLandauLoss(1.0, 1.0, 0.0), []
    for _ in range(60):
        optimizer.zero_grad()
        values.append(loss(layer(x), y))
        values[-1].backward()
        optimizer.step()
    assert values[-1] < 0.8 * values[0] and F.one_hot(y).shape == layer(x).shape
