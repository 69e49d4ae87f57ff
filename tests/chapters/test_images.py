"""The equations of the chapter on images, each by its label."""

import math

import pytest
import torch

from physnn import ginzburg_landau_loss
from physnn.lab.physics import allen_cahn, descent, pixels
from physnn.lab.records.formulas import stable_states

PRINTED = (0.0035, -5.0, 0.5)


def picture(n=8, seed=0):
    return torch.randn(1, n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("stencil", pixels.STENCILS)
def test_eq_images_energy(stencil):
    """Its minimum, by Newton's method from autograd's slopes: of a parabola one step from anywhere is enough."""
    f, mask, strength = picture(), (picture(seed=1) > -0.5).double(), 0.7

    def energy(u):
        u = u.view(8, 8)
        if stencil == "central":
            rough = sum(((u.roll(-1, a) - u.roll(1, a)) / 2).square().sum() for a in (0, 1))
        else:
            rough = sum(u.diff(dim=a).square().sum() for a in (0, 1))
        return (mask[0] * (u - f[0]).square()).sum() / 2 + strength / 2 * rough

    def slope(u):
        return torch.autograd.grad(energy(u.requires_grad_()), u)[0]

    start = slope(torch.zeros(64, dtype=torch.float64))
    curvature = torch.stack([slope(unit) for unit in torch.eye(64, dtype=torch.float64)]) - start
    minimum = -torch.linalg.solve(curvature, start)
    found = pixels.smooth(mask * f, mask, strength, stencil).flatten()
    torch.testing.assert_close(found, minimum, rtol=1e-6, atol=1e-8)


def test_eq_images_waves():
    """Of neighbours on a ring, which the cosines of the code are not: their matrix has these eigenvalues."""
    n = 12
    k = torch.arange(n, dtype=torch.float64)
    ring = torch.eye(n).roll(1, 0).double()
    printed = (ring.T - ring) / 2
    step = ring.T - torch.eye(n).double()
    for matrix, expected in (
        (printed.T @ printed, (2 * math.pi * k / n).sin().square()),
        (step.T @ step, 2 - 2 * (2 * math.pi * k / n).cos()),
    ):
        torch.testing.assert_close(torch.linalg.eigvalsh(matrix), expected.sort().values)
    wave = (2 * math.pi * 5 * k / n).cos().expand(1, n, n)
    smoothed = pixels.smooth(wave, None, 2.0, "central")
    torch.testing.assert_close(smoothed, wave / (1 + 2 * math.sin(2 * math.pi * 5 / n) ** 2))


@pytest.mark.parametrize("strength", [0.5, 1e9])
def test_eq_images_noise(strength):
    """By the trace of the smoothing's square; in the end the printed difference leaves four times as much."""
    n = 8
    unit = torch.eye(n * n, dtype=torch.float64).view(-1, n, n)
    smoothing = pixels.smooth(unit, None, strength, "central").view(n * n, n * n)
    waves = (2 * math.pi * torch.arange(n, dtype=torch.float64) / n).sin().square()
    formula = (1 + strength * (waves[:, None] + waves)).pow(-2).mean()
    assert smoothing.square().sum().item() / n**2 == pytest.approx(formula.item())
    other = pixels.smooth(unit, None, strength, "neighbours").square().sum().item() / n**2
    assert other < formula
    if strength > 1:
        assert formula.item() == pytest.approx(4 / n**2) and other == pytest.approx(1 / n**2, rel=1e-6)


def test_eq_images_start():
    f = picture()
    rough = sum(((f.roll(-1, a) - f.roll(1, a)) / 2).square() for a in (1, 2)).mean() / f.abs().max() ** 2
    energy = descent.printed_energy(f, f, None, *PRINTED)
    assert energy.item() == pytest.approx(rough.item() / 2)
    assert ginzburg_landau_loss(f[:, None], f[:, None], *PRINTED).item() == pytest.approx(rough.item() / 2)


def test_eq_images_well():
    """The wells are at 0 and 1, and the edge of width ℓ is at rest: κu'' = wW'(u)."""
    strength, well = 3.0, 1.5
    width = math.sqrt(2 * strength / well)
    x = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    u = (1 + torch.tanh(x / width)) / 2
    bend = u.diff(n=2) / (x[1] - x[0]) ** 2
    slope = 2 * u * (1 - u) * (1 - 2 * u)
    torch.testing.assert_close(strength * bend, well * slope[1:-1], rtol=0, atol=1e-5)
    flat = torch.tensor([[[0.0, 1.0]]], dtype=torch.float64)
    density = [allen_cahn.energy(each.view(1, 1, 1), each.view(1, 1, 1), None, 0.0, 1.0).item() for each in flat[0, 0]]
    assert density == [0, 0]


def test_eq_images_states():
    assert stable_states(0.0035, -5.0) == 1 and stable_states(0.0035, -5.0, bars=True) == 3
    assert stable_states(0.0035, -5.0, box=(-2, 0)) == 2 and stable_states(0.0035, -5.0, box=(-1, 1)) == 3
    assert math.sqrt(0.0035 / 5) == pytest.approx(0.026, abs=5e-4)
