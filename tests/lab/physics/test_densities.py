"""Densities in the plane: energies against scipy, slopes against autograd, and draws against sums over a grid."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from physnn.lab.physics import densities
from physnn.lab.physics.densities import CELLS, DENSITIES


@pytest.mark.parametrize("name", DENSITIES)
def test_the_slope_is_the_gradient_of_the_energy(name):
    density = DENSITIES[name]()
    theta = (4 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).requires_grad_()
    (slope,) = torch.autograd.grad(density.energy(theta).sum(), theta)
    torch.testing.assert_close(density.slope(theta.detach()), slope)


def test_the_ring_is_a_mixture_of_eight_normal_laws():
    density, theta = DENSITIES["ring"](), np.random.default_rng(1).normal(scale=4, size=(40, 2))
    laws = [stats.multivariate_normal(c, 0.25) for c in density.centres.double().numpy()]
    expected = -np.log(np.mean([law.pdf(theta) for law in laws], 0))
    found = density.energy(torch.from_numpy(theta)).numpy() - expected
    np.testing.assert_allclose(found, found[0], atol=1e-6)


@pytest.mark.parametrize("name", DENSITIES)
def test_centres_are_minima_and_barriers_as_high_as_said(name):
    density = DENSITIES[name]()
    assert density.slope(density.centres.double()).abs().max() < (0.05 if name == "rugged" else 1e-6)
    neighbour = (density.centres - density.centres[0]).norm(dim=1).argsort()[1]
    way = torch.linspace(0, 1, 201).unsqueeze(1)
    energy = density.energy(density.centres[0] + way * (density.centres[neighbour] - density.centres[0]))
    rise = (energy.max() - torch.maximum(energy[0], energy[-1])).item()
    assert rise == pytest.approx({"ring": 4.0, "rugged": 2.8}[name], abs=0.25)


@pytest.mark.parametrize("name", DENSITIES)
def test_what_is_drawn_has_the_density(name):
    """A chi-square test of 20,000 draws in the modes and in the cells that expect 20 or more, at 0.1 % each."""
    density, count = DENSITIES[name](), 20_000
    drawn = density.draw(torch.Generator().manual_seed(3), count)
    side = (torch.arange(512, dtype=torch.float64) + 0.5) / 512 * 2 - 1  # 16 by 16 points in each cell
    grid = 2 * density.half * torch.cartesian_prod(side, side)
    weight = (-density.energy(grid)).exp()
    for index, size in ((densities.cells, CELLS**2 + 1), (densities.modes, len(density.centres))):
        which = torch.cat([index(density, part) for part in grid.split(20_000)])
        expected = torch.zeros(size, dtype=torch.float64).index_add_(0, which, weight / weight.sum()) * count
        found = torch.bincount(index(density, drawn), minlength=size).double()
        often = expected >= 20
        rest = [expected[~often].sum().item()], [found[~often].sum().item()]
        first, second = (
            np.append(each[often].numpy(), more) for each, more in zip((expected, found), rest, strict=True)
        )
        keep = first > 1
        assert stats.chisquare(second[keep], first[keep] * second[keep].sum() / first[keep].sum()).pvalue > 1e-3


def test_shares_of_modes():
    torch.testing.assert_close(
        densities.shares("ring"), torch.full((8,), 1 / 8, dtype=torch.float64), rtol=1e-3, atol=0
    )
    rugged = densities.shares("rugged")
    assert rugged.sum().item() == pytest.approx(1)
    centres = DENSITIES["rugged"]().centres.double()
    middle = centres.norm(dim=1).argmin()
    # By the depths of the wells, which all have the same shape but for the bowl: to a tenth.
    expected = (-(centres.square().sum(1)) / 50 * (1 + 1 / 75)).exp()
    near = centres.norm(dim=1) < 2 * math.pi + 0.1
    torch.testing.assert_close((rugged / rugged[middle])[near], expected[near], rtol=0.1, atol=0)
    with pytest.raises(ValueError, match="density must be one of ring, rugged, got 'flat'"):
        densities.shares("flat")


def test_starts():
    density, generator = DENSITIES["rugged"](), torch.Generator().manual_seed(0)
    one = densities.start(density, generator, 500, "one")
    assert (one.mean(0) - density.centres[0]).abs().max() < 0.06 and set(densities.modes(density, one).tolist()) == {0}
    wide = densities.start(density, generator, 500, "wide")
    assert wide.abs().max() <= density.half and wide.std(0).min() > 8
    with pytest.raises(ValueError, match="start must be one of one, wide, got 'here'"):
        densities.start(density, generator, 1, "here")


def test_cells_and_what_is_outside_of_them():
    density = DENSITIES["ring"]()
    places = torch.tensor(
        [[-5.99, -5.99], [-5.99, 5.99], [5.99, 5.99], [6.01, 0.0], [torch.nan, 0.0], [0.0, -torch.inf]]
    )
    last = CELLS**2
    assert densities.cells(density, places).tolist() == [0, CELLS - 1, last - 1, last, last, last]
