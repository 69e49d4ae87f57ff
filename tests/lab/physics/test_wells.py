"""Tilted double wells: their geometry, their rates against the equation and the optimizer, and luck by counting."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from physnn import Langevin
from physnn.lab.physics import wells


def test_the_slope_is_the_gradient_and_vanishes_at_the_places():
    theta = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (grad,) = torch.autograd.grad(wells.energy(theta).sum(), theta)
    torch.testing.assert_close(grad, wells.slope(theta.detach()))
    at = torch.tensor(wells.places(), dtype=torch.float64)[:, None]
    assert wells.slope(at).abs().max() < 1e-12
    better, top, worse = wells.energy(at).tolist()
    assert better < worse < top
    assert wells.height() == pytest.approx(top - worse)


def test_the_energy_is_the_sum_over_coordinates():
    theta = torch.linspace(-2, 2, 12, dtype=torch.float64).view(3, 4)
    torch.testing.assert_close(wells.energy(theta), wells.energy(theta[..., None]).sum(-1))
    assert wells.found(torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])).tolist() == [True, False, False]


def test_without_tilt_the_actions_are_four_thirds():
    """In the limit of no tilt both wells have J = 4/3, that of the symmetric double well."""
    assert wells.actions(1e-9) == pytest.approx((4 / 3, 4 / 3), rel=1e-3)
    assert wells.height(1e-9) == pytest.approx(0.25)


def test_the_shares_at_rest_are_boltzmanns():
    x = np.linspace(-4, 4, 20001)
    weight = np.exp(-((x * x - 1) ** 2 / 4 + 0.06 * x) / 0.1)
    share = weight[x < wells.places().top].sum() / weight.sum()
    for damping in (0.02, 1.0):
        assert wells.rates(0.1, 0.02, damping).rest == pytest.approx(share, rel=1e-3)
    assert wells.rates(0.1, 0.02, 0.1).share(math.inf) == pytest.approx(share, rel=1e-3)
    assert wells.rates(0.1, 0.02, 0.1).share(1) == pytest.approx(wells.rates(0.1, 0.02, 0.1).there, rel=0.01)


@pytest.mark.parametrize("damping", [0.02, 0.1, 0.5, 1.0])
def test_the_rates_are_those_of_the_equation_where_the_barrier_is_high(damping):
    approximate, exact = (each(0.035, 0.02, damping) for each in (wells.rates, wells.exact_rates))
    assert approximate.there == pytest.approx(exact.there, rel=0.06)
    assert exact.rest == pytest.approx(approximate.rest)


def test_the_optimizer_takes_the_time_that_the_rates_say():
    """4,000 walkers: the share that crossed, to 4 standard errors and 4 % for the finite step (false alarms 6e-5)."""
    temperature, lr, damping, count, steps = 0.07, 0.02, 0.1, 4000, 800
    theta = torch.nn.Parameter(torch.full((count,), wells.places().worse))
    generator = torch.Generator().manual_seed(1)
    optimizer = Langevin([theta], lr, damping=damping, temperature=temperature, generator=generator)
    for _ in range(steps):
        theta.grad = wells.slope(theta.detach())
        optimizer.step()
    share = (theta < wells.places().top).float().mean().item()
    waited = wells.exact_rates(temperature, lr, damping).share(steps - 30)  # they start cold, and have to warm up
    assert share == pytest.approx(waited, abs=4 * math.sqrt(waited * (1 - waited) / count) + 0.04 * waited)


@pytest.mark.parametrize(("start", "dimension"), [("near", 1), ("far", 1), ("far", 3)])
def test_luck_is_the_share_of_slow_descents_that_end_in_the_best_well(start, dimension):
    """40,000 descents without momentum, to 4 standard errors of a share."""
    theta = wells.draw(torch.Generator().manual_seed(2), 40_000, dimension, start)
    for _ in range(400):
        theta = theta - 0.05 * wells.slope(theta)
    lucky = wells.lucky(start, dimension)
    assert wells.found(theta).float().mean().item() == pytest.approx(
        lucky, abs=4 * math.sqrt(lucky * (1 - lucky) / 40_000) + 1e-4
    )


def test_restarts_are_independent_tries():
    lucky = wells.lucky("far", 2)
    assert wells.restarts("far", 2, 1) == pytest.approx(lucky)
    assert wells.restarts("far", 2, 5) == pytest.approx(1 - stats.binom.pmf(0, 5, lucky))


def test_starts_have_the_laws_they_are_said_to_have():
    generator = torch.Generator().manual_seed(3)
    near = wells.draw(generator, 5000, 2, "near")
    assert stats.kstest(near[:, 0].numpy(), stats.norm(wells.places().worse, wells.NEAR).cdf).pvalue > 1e-3
    far = wells.draw(generator, 5000, 2, "far")
    assert stats.kstest(far[:, 1].numpy(), stats.uniform(-2, 4).cdf).pvalue > 1e-3


def test_what_is_not_understood():
    for call in (lambda: wells.lucky("here", 1), lambda: wells.draw(torch.Generator(), 1, 1, "here")):
        with pytest.raises(ValueError, match="start must be one of near, far, got 'here'"):
            call()
    for tilt in (0.0, 0.4):
        with pytest.raises(ValueError, match="two wells, of which one is better, need a tilt between"):
            wells.places(tilt)
    with pytest.raises(ValueError, match=r"it takes a temperature above 0, got 0\.0"):
        wells.rates(0.0, 0.02, 0.1)


def test_the_integrals_are_those_of_the_formula():
    """At high friction the rate is that of the overdamped equation: T / (friction Z Z_b) per unit time."""
    temperature, lr, damping = 0.04, 1e-6, 1.0
    at = wells.places()
    u = lambda x: (x * x - 1) ** 2 / 4 + wells.TILT * x - wells.energy(torch.tensor([at.top])).item()  # noqa: E731
    well = integrate.quad(lambda x: math.exp(-u(x) / temperature), at.top, 3)[0]
    barrier = integrate.quad(lambda x: math.exp(u(x) / temperature), at.better, at.worse)[0]
    friction, h = 2 / math.sqrt(2 * lr), math.sqrt(2 * lr)
    expected = h * temperature / (friction * well * barrier)
    assert wells.rates(temperature, lr, damping).there == pytest.approx(expected, rel=2e-3)
