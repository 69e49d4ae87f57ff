"""Allen and Cahn's flow: its wall, the area law of a drop, an energy that falls, and where it ends without a well."""

import math

import pytest
import torch

from physnn.lab.physics import allen_cahn, pixels


def wall(strength, well, width=48):
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    return ((1 + torch.tanh(x / math.sqrt(2 * strength / well))) / 2).expand(1, 4, width)


def test_a_wall_is_a_hyperbolic_tangent():
    """Relaxed on the lattice it stays within the lattice's correction, of order 1/ℓ², and costs κ/3ℓ per length."""
    nothing = torch.zeros(1, 4, 48, dtype=torch.float64)
    offs = []
    for strength in (2.0, 8.0):
        start = u = wall(strength, 1.0)
        for _ in range(400):
            u = allen_cahn.step(u, nothing, nothing, strength, 1.0)
        offs.append((u - start).abs().max().item())
        tension = allen_cahn.energy(u, nothing, nothing, strength, 1.0).item() / 4
        assert tension == pytest.approx(strength / (3 * math.sqrt(2 * strength)), rel=1 / (30 * strength))
    assert offs[0] < 0.01 and offs[1] < 0.35 * offs[0]


def test_a_drop_loses_area_at_the_rate_of_its_curvature():
    """dA/dt = -2πκ, on the lattice less w/20κ of it, to 1 %."""
    strength, well, radius, n, dt = 2.0, 0.5, 28, 72, 0.05
    x = torch.arange(n, dtype=torch.float64) - (n - 1) / 2
    u = (1 + torch.tanh((radius - torch.hypot(x[:, None], x)) / math.sqrt(2 * strength / well)))[None] / 2
    nothing, areas = torch.zeros_like(u), []
    passed = dt / (1 + (1 + well) * dt)
    for _ in range(round(40 / passed)):
        areas.append(u.sum().item())
        u = allen_cahn.step(u, nothing, nothing, strength, well, dt)
    rate = (areas[0] - areas[-1]) / (passed * (len(areas) - 1))
    assert rate == pytest.approx(2 * math.pi * strength * (1 - well / (20 * strength)), rel=0.01)


@pytest.mark.parametrize("dt", [0.1, 10.0, math.inf])
@pytest.mark.parametrize("missing", [False, True])
def test_the_energy_falls_whatever_the_step(dt, missing):
    generator = torch.Generator().manual_seed(0)
    image = 0.5 + 0.7 * torch.randn(4, 12, 12, generator=generator, dtype=torch.float64)  # also outside of the wells
    mask = (torch.rand(image.shape, generator=generator) > 0.5).double() if missing else None
    u = image if mask is None else mask * image
    last = allen_cahn.energy(u, image, mask, 0.4, 6.0)
    for _ in range(60):
        u = allen_cahn.step(u, image, mask, 0.4, 6.0, dt)
        energy = allen_cahn.energy(u, image, mask, 0.4, 6.0)
        assert (energy <= last + 1e-12 * last.abs()).all()
        last = energy


@pytest.mark.parametrize("missing", [False, True])
def test_where_it_ends_the_energy_is_flat(missing):
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(2, 8, 8, generator=generator, dtype=torch.float64)
    mask = (torch.rand(image.shape, generator=generator) > 0.4).double() if missing else None
    given = image if mask is None else mask * image
    u = allen_cahn.relax(given, mask, 0.3, 1.5, steps=1000).requires_grad_()
    (slope,) = torch.autograd.grad(allen_cahn.energy(u, given, mask, 0.3, 1.5).sum(), u)
    assert slope.abs().max() < 1e-7


def test_without_a_well_it_is_tikhonov_and_with_a_strong_one_black_and_white():
    image = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    smooth = pixels.smooth(image, None, 0.3, "neighbours")
    torch.testing.assert_close(allen_cahn.relax(image, None, 0.3, 0.0), smooth)
    one = allen_cahn.step(image, image, None, 0.3, 0.0)  # one step of no end
    torch.testing.assert_close(one, smooth)
    sharp = allen_cahn.relax(image, None, 0.3, 50.0)
    assert (sharp.minimum(1 - sharp) < 0.1).double().mean() > 0.95


def test_coefficients_that_make_no_energy_are_refused():
    image = torch.rand(1, 4, 4)
    for strength, well in ((0.0, 1.0), (1.0, -1.0), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="strength must be above 0, and well not below"):
            allen_cahn.relax(image, None, strength, well)
