"""Models that make pictures without steps of time: the laws that they draw from."""

import math

import pytest
import torch
from scipy import stats

from physnn.lab.models.generators import SMOOTHED, Boltzmann, Copula, Normal, correlations

STRIPES = torch.tensor([[1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_normal_law_has_mean_and_covariance_of_the_pictures():
    """Chi-square tests of 20,000 draws, two-sided at 1e-4 each."""
    pictures = torch.randn(50, 3, generator=seeded()) @ torch.randn(3, 3, generator=seeded(1)) + 1
    away = Normal(pictures).draw(20_000, seeded(2)).double() - pictures.double().mean(0)
    covariance = torch.cov(pictures.double().T, correction=0) + SMOOTHED * torch.eye(3)
    precision = torch.linalg.inv(covariance)
    centre = away.mean(0)
    for value, freedom in (
        (((away @ precision) * away).sum().item(), 60_000),
        ((20_000 * centre @ precision @ centre).item(), 3),
        ((away[:, 1].square().sum() / covariance[1, 1]).item(), 20_000),
    ):
        assert 1e-4 < 2 * min(stats.chi2.cdf(value, freedom), stats.chi2.sf(value, freedom))


def test_a_copula_has_the_values_of_every_pixel_and_ties_them():
    """Shares within 4.5 standard errors, gray values by a test at 1e-4; of equal pixels the same."""
    first = torch.where(torch.rand(2000, generator=seeded()) < 0.3, 1.0, -1.0)
    gray = torch.rand(2000, generator=seeded(1)) ** 2
    pictures = torch.stack([first, gray, gray, -gray], 1)
    made = Copula(pictures, seeded(2)).draw(20_000, seeded(3))
    share = (pictures[:, 0] == 1).double().mean().item()
    assert {*made[:, 0].tolist()} == {-1.0, 1.0}
    assert abs((made[:, 0] == 1).double().mean().item() - share) < 4.5 * math.sqrt(share * (1 - share) / 20_000)
    assert stats.ks_2samp(made[:, 1].numpy(), gray.numpy()).pvalue > 1e-4
    assert (made[:, 1] - made[:, 2]).abs().mean() < 0.01
    assert correlations(made)[1, 3] == pytest.approx(correlations(pictures)[1, 3].item(), abs=0.02)


def test_a_copula_has_the_correlations_of_pixels_with_two_levels():
    """Where the normal law behind the curves needs larger ones; a pixel that never changes has none."""
    whole = torch.randn(4000, 1, generator=seeded(4))
    z = 0.8 * whole + 0.6 * torch.randn(4000, 3, generator=seeded(5))
    pictures = torch.cat([torch.where(z > torch.tensor([0.0, 0.5, 1.0]), 1.0, -1.0), torch.ones(4000, 1)], 1)
    made = Copula(pictures, seeded(6)).draw(40_000, seeded(7))
    wanted = correlations(pictures)
    assert 0.25 < wanted[0, 1] < 0.5 and (wanted[3, :3] == 0).all()
    torch.testing.assert_close(correlations(made), wanted, atol=0.03, rtol=0)
    assert (made[:, 3] == 1).all()


def test_a_boltzmann_machine_learns_two_pictures():
    made = Boltzmann(STRIPES, 4, 1.0, 1000, 32, seeded(), gray=False).draw(500, seeded(1))
    right = [(made == stripe).all(1).double().mean().item() for stripe in STRIPES]
    assert {*made.unique().tolist()} == {-1.0, 1.0}
    assert min(right) > 0.2 and sum(right) > 0.8


def test_gray_values_are_probabilities():
    model = Boltzmann(STRIPES, 4, 1.0, 1000, 32, seeded(), gray=True)
    made = model.draw(500, seeded(1))
    assert made.abs().max() <= 1 and len(made.unique()) > 2
    assert (made == model.draw(500, seeded(1))).all()
    assert made.abs().mean() == pytest.approx(1.0, abs=0.1)
