"""The equations of the chapter on hierarchy and geometry, each by its label."""

import math

import pytest
import torch

from physnn.lab.data import trees
from physnn.lab.models.hyperbolic import HyperplaneMLR, LorentzLinear, PoincareMLR, lifted, raised
from physnn.lab.physics.disc import distance, tree_layout


def test_eq_geometry_tree():
    """The mean over all pairs of a height and 30 trees, to 3 %: some 10,000 squared coordinates that share steps."""
    heights = trees.regular_heights(2, 4)
    drawn = torch.stack([trees.noisy_tree(2, 4, 1.0, seed).centres for seed in range(30)])
    apart = torch.cdist(drawn, drawn).square().mean(0)
    for height in heights.unique()[1:]:
        pairs = heights == height
        expected = 2 * 32 * height.item()
        # Of the top level there are 30 · 32 independent sums; five deviations of their mean square.
        assert apart[pairs].mean().item() == pytest.approx(expected, rel=5 * math.sqrt(2 / (30 * 32)))


def test_eq_geometry_nearest():
    tree = trees.noisy_tree(3, 2, 2.0, 0)
    linear = tree.test.inputs @ tree.centres.T - tree.centres.square().sum(1) / 2
    assert torch.equal(linear.argmax(1), trees.nearest(tree.test.inputs, tree.centres))


def test_eq_geometry_lorentz():
    layer, x = LorentzLinear(5, 3), raised(torch.randn(8, 5))
    phi = x @ layer.weight.T + layer.bias
    expected = torch.cat([(1 + phi.square().sum(1, keepdim=True)).sqrt(), phi], 1)
    torch.testing.assert_close(layer(x), expected)


def test_eq_geometry_mlr_and_planes():
    """In one dimension Möbius addition is that of velocities, and both are a distance from a point."""
    wide, narrow = PoincareMLR(1, 1).double(), HyperplaneMLR(1, 1).double()
    p, a, u = 0.3, 0.7, torch.linspace(-2, 2, 9, dtype=torch.float64).unsqueeze(1)
    with torch.no_grad():
        wide.weight.fill_(a), wide.points.fill_(p), narrow.weight.fill_(a), narrow.bias.fill_(p)
    x, at = u.tanh(), math.tanh(p)
    z = (x - at) / (1 - at * x)
    normal = (1 - at**2) * a
    expected = 2 * normal / (1 - at**2) * (2 * z / (1 - z.square())).asinh()
    torch.testing.assert_close(wide(u), expected)
    time, space = lifted(2 * u)
    planes = 2 * a * (math.cosh(2 * p) * space - math.sinh(2 * p) * time).asinh()
    torch.testing.assert_close(narrow(u), planes)
    torch.testing.assert_close(planes, 4 * a * (u - p), msg="twice the length, times the signed distance 2(u - p)")


def test_eq_geometry_bend():
    places, ell, omega = tree_layout(2, 2, 4.0), 4.0, 2 * math.pi / 3
    expected = math.acosh(math.cosh(ell) ** 2 - math.sinh(ell) ** 2 * math.cos(omega))
    assert distance(places[3], places[4]) == pytest.approx(expected)
    assert expected == pytest.approx(2 * ell + 2 * math.log(math.sin(omega / 2)), abs=1e-3)
