"""The layers that keep a geometry, against geoopt, the paper's formula word by word, and closed forms."""

import math

import geoopt
import pytest
import torch
from geoopt.manifolds.lorentz import math as lorentz
from geoopt.manifolds.stereographic import math as ball
from torch import nn

from physnn.lab.models.hyperbolic import (
    HyperplaneMLR,
    LorentzClassifier,
    LorentzLinear,
    PoincareMLR,
    headed_network,
    lifted,
    lorentz_network,
    raised,
    tangent_distance,
)

CURVATURE = torch.tensor(-1.0, dtype=torch.float64)
UNIT = torch.tensor(1.0, dtype=torch.float64)


@pytest.fixture(autouse=True)
def double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def regression(inputs=5, classes=7):
    module = PoincareMLR(inputs, classes)
    nn.init.normal_(module.points, std=0.3)
    return module


def test_distances_of_tangent_vectors_are_geoopts():
    u, v = torch.randn(50, 3), torch.randn(50, 3)
    points = [ball.expmap0(each / 2, k=CURVATURE) for each in (u, v)]  # its exponential map goes twice as far
    torch.testing.assert_close(tangent_distance(u, v), ball.dist(*points, k=CURVATURE), rtol=1e-9, atol=1e-9)


def test_distances_far_out_and_close_by():
    """Far out in opposite directions they add; along a radius they are the difference; from itself a point has none."""
    u = torch.tensor([[30.0, 0.0], [30.0, 0.0], [3.0, 4.0]])
    v = torch.tensor([[-30.0, 0.0], [29.0, 0.0], [3.0, 4.0]])
    torch.testing.assert_close(tangent_distance(u, v), torch.tensor([60.0, 1.0, 0.0]), rtol=1e-9, atol=1e-5)
    right = tangent_distance(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.5]))
    assert right.item() == pytest.approx(math.acosh(math.cosh(2) * math.cosh(1.5))), (
        "Pythagoras, in the hyperbolic plane"
    )


def test_the_exponential_map_is_geoopts_on_the_hyperboloid():
    u = torch.randn(20, 4)
    ours = torch.cat(lifted(u), -1)
    tangent = torch.cat([torch.zeros(20, 1), u], -1)
    torch.testing.assert_close(ours, lorentz.expmap0(tangent, k=UNIT), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(lorentz.inner(ours, ours), -torch.ones(20), rtol=1e-9, atol=1e-9)


def test_poincare_regression_is_the_papers_formula():
    """Ganea et al. (2018) for c = 1, literally: exponential maps, Möbius addition, and the normal carried to p."""
    module, u = regression(), torch.randn(11, 5)

    def exp0(v):
        norm = v.norm(dim=-1, keepdim=True)
        return norm.tanh() * v / norm

    def plus(x, y):
        xy, xx, yy = (x * y).sum(-1, keepdim=True), x.square().sum(-1, keepdim=True), y.square().sum(-1, keepdim=True)
        return ((1 + 2 * xy + yy) * x + (1 - xx) * y) / (1 + 2 * xy + xx * yy)

    x, p = exp0(u).unsqueeze(1), exp0(module.points)
    conformal = 2 / (1 - p.square().sum(-1))
    a = (2 / conformal).unsqueeze(-1) * module.weight
    z, length = plus(-p, x), a.norm(dim=-1)
    fraction = 2 * (z * a).sum(-1) / ((1 - z.square().sum(-1)) * length)
    torch.testing.assert_close(module(u), conformal * length * fraction.asinh(), rtol=1e-8, atol=1e-8)


def test_poincare_regression_is_geoopts_distance_from_a_plane():
    module, u = regression(), torch.randn(11, 5)
    disc = geoopt.PoincareBall(c=1.0)
    x, p = disc.expmap0(u).unsqueeze(1), disc.expmap0(module.points)
    a = (1 - p.square().sum(-1, keepdim=True)) * module.weight
    distance = disc.dist2plane(x, p, a, signed=True)
    factor = 2 * module.weight.norm(dim=-1)
    torch.testing.assert_close(module(u), factor * distance, rtol=1e-8, atol=1e-8)


def test_a_hyperplane_with_one_number_is_one_with_a_point_along_its_normal():
    narrow = HyperplaneMLR(5, 7)
    nn.init.normal_(narrow.bias, std=0.5)
    wide = PoincareMLR(5, 7)
    with torch.no_grad():
        wide.weight.copy_(narrow.weight)
        wide.points.copy_(narrow.bias.unsqueeze(1) * narrow.weight / narrow.weight.norm(dim=1, keepdim=True))
    u = torch.randn(11, 5)
    torch.testing.assert_close(narrow(u), wide(u), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("module", [PoincareMLR(5, 7), HyperplaneMLR(5, 7)], ids=["points", "one number"])
def test_near_the_centre_the_ball_is_flat(module):
    """There an output is 4 a'u, up to the third order."""
    module, u = module.double(), 1e-3 * torch.randn(11, 5)
    torch.testing.assert_close(module(u), 4 * u @ module.weight.T, rtol=0, atol=1e-7)


def test_single_precision_goes_far_beyond_the_rim_of_the_ball():
    """At a distance of 40 the ball's points are not told from its rim; the output is within 1e-5 of its own."""
    module = regression()
    u = nn.functional.normalize(torch.randn(11, 5), dim=-1) * 20
    torch.testing.assert_close(module.float()(u.float()).double(), module.double()(u), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("rectified", [False, True])
def test_a_lorentz_layer_stays_on_the_hyperboloid(rectified):
    y = LorentzLinear(6, 4, rectified)(raised(3 * torch.randn(30, 6)))
    assert y.shape == (30, 5) and (y[:, 0] >= 1).all()
    torch.testing.assert_close(lorentz.inner(y, y), -torch.ones(30), rtol=1e-9, atol=1e-9)
    assert (y[:, 1:] >= 0).all() == rectified


def test_a_lorentz_layer_maps_both_components():
    """Time has weights of its own: without them, two inputs of one direction would have outputs of one direction."""
    layer, x = LorentzLinear(3, 2), raised(torch.randn(4, 3))
    torch.testing.assert_close(layer(x)[:, 1:], x @ layer.weight.T + layer.bias)
    assert layer.weight.shape == (2, 4)


def test_a_lorentz_classifier_goes_by_the_squared_lorentzian_distance():
    head, x = LorentzClassifier(4, 6), raised(torch.randn(9, 4))
    nn.init.normal_(head.bias)
    points = lorentz.expmap0(torch.cat([torch.zeros(6, 1), head.points], -1), k=UNIT)
    apart = x.unsqueeze(1) - points
    torch.testing.assert_close(head(x), head.bias - lorentz.inner(apart, apart), rtol=1e-9, atol=1e-9)
    distance = lorentz.dist(x.unsqueeze(1), points, k=UNIT)
    torch.testing.assert_close(head(x) - head.bias, 2 - 2 * distance.cosh(), rtol=1e-7, atol=1e-7)


MODULES = {
    "points": lambda: regression(3, 4),
    "one number": lambda: HyperplaneMLR(3, 4),
    "lorentz": lambda: lorentz_network([3, 5, 4]),
    "ball": lambda: headed_network([3, 5, 4], PoincareMLR),
}


@pytest.mark.parametrize("name", MODULES)
def test_gradients(name):
    module, x = MODULES[name](), torch.randn(6, 3, requires_grad=True)
    names, params = zip(*module.named_parameters(), strict=True)

    def call(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(call, (x, *(p.detach().clone().requires_grad_() for p in params)))


def test_gradients_of_distances():
    u, v = (torch.randn(5, 2, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(tangent_distance, (u, v))
    zero = torch.zeros(1, 2, requires_grad=True)
    for module in (PoincareMLR(2, 3), HyperplaneMLR(2, 3)):
        module(zero).sum().backward()
        assert all(p.grad.isfinite().all() for p in module.parameters())
    tangent_distance(zero, zero.detach()).sum().backward()
    assert zero.grad.isfinite().all(), "at the centre, and of a point from itself"


def test_networks_have_rectifiers_between_and_none_before_the_geometry():
    kinds = [type(part).__name__ for part in headed_network([8, 6, 4, 3], PoincareMLR)]
    assert kinds == ["Flatten", "Linear", "ReLU", "Linear", "PoincareMLR"]
    parts = lorentz_network([8, 6, 4, 3])
    assert [part.rectified for part in parts if isinstance(part, LorentzLinear)] == [True, False]
    for net in (headed_network([8, 3], HyperplaneMLR), lorentz_network([8, 3]), headed_network([8, 6, 3], nn.Linear)):
        assert net(torch.randn(2, 8)).shape == (2, 3)


def test_the_ball_starts_near_its_centre():
    torch.manual_seed(3)
    flat = headed_network([8, 6, 3], nn.Linear)
    torch.manual_seed(3)
    curved = headed_network([8, 6, 3], HyperplaneMLR)
    torch.testing.assert_close(curved[1].weight, 0.1 * flat[1].weight)
