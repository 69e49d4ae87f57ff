"""The second law for the optimizer: the identity of three weights, and a quadratic on which all is Gaussian."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import solve_discrete_lyapunov

from physnn.lab.physics.entropy import START, carry, heat, rest_law

CASES = [(0.3, 0.1, 0.5), (1.0, 0.5, 0.2), (0.05, 1.0, 1e-3), (2.0, 1.5, 0.3)]


def moves(lr, damping, temperature, stiffness=0.0):
    """Return how (z, v) goes on under L = stiffness z²/2 with the decay T, and the covariance of its noise."""
    pull = lr * (stiffness + temperature)
    v = np.array([-pull, 1 - damping])
    noise = 2 * damping * lr * temperature
    return np.array([np.array([1.0, 0.0]) + v, v]), np.full((2, 2), noise)


@pytest.mark.parametrize(("lr", "damping", "temperature"), CASES)
def test_the_law_at_rest_solves_lyapunovs_equation(lr, damping, temperature):
    law = rest_law(lr, damping, temperature)
    covariance = law.slope * law.variance
    squared = law.residue + law.slope * covariance
    expected = solve_discrete_lyapunov(*moves(lr, damping, temperature))
    np.testing.assert_allclose([[law.variance, covariance], [covariance, squared]], expected, rtol=1e-10)


@pytest.mark.parametrize(("lr", "damping", "temperature"), CASES)
def test_three_weights_forwards_and_backwards(lr, damping, temperature):
    """The logarithm of the ratio of the two densities, for any weights and any gradient."""
    generator = torch.Generator().manual_seed(1)
    before, now, after, gradient = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    spread = 2 * damping * lr * temperature

    def step(third, second, first):
        mean = second + (1 - damping) * (second - first) - lr * (gradient + temperature * second)
        return -(third - mean).square().sum() / (2 * spread)

    law = rest_law(lr, damping, temperature)

    def pair(z, v):
        return -z.square().sum() / (2 * law.variance) - (v - law.slope * z).square().sum() / (2 * law.residue)

    ratio = step(after, now, before) - step(before, now, after)
    expected = pair(after, after - now) - pair(now, now - before)
    given = heat([gradient.view(1, 5)], [(now - before).view(1, 5)], [(after - now).view(1, 5)], temperature)
    assert ratio.item() == pytest.approx((expected + given).item(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("stiffness", [0.2, 3.0])
@pytest.mark.parametrize("temperature", [0.02, 0.3])
def test_on_a_quadratic_the_heat_is_above_what_is_known(stiffness, temperature):
    """Every law is Gaussian: KL of (z, v) from the law at rest, step by step, against the mean heat until then."""
    lr, damping = 0.1, 0.2
    law = rest_law(lr, damping, temperature)
    start = solve_discrete_lyapunov(*moves(lr, damping, temperature))
    move, noise = moves(lr, damping, temperature, stiffness)
    covariance, spent, known = start, 0.0, []
    for _ in range(600):
        # <z v'> of the next velocity v' = move[1] (z, v) + noise, and <z v>.
        products = covariance[0] @ move[1] + covariance[0, 1]
        spent -= stiffness * products / (2 * temperature)
        covariance = move @ covariance @ move.T + noise
        ratio = np.linalg.solve(start, covariance)
        known.append((np.trace(ratio) - 2 - math.log(np.linalg.det(ratio))) / 2)
        assert known[-1] <= spent + 1e-12
    assert known[-1] > 0 and law.variance == pytest.approx(start[0, 0])
    # In equilibrium no more is given off, and the sum is near the loss that was lost, over T.
    lost = stiffness * (start[0, 0] - covariance[0, 0]) / (2 * temperature)
    assert spent == pytest.approx(lost, rel=0.1)


def test_what_is_carried_over_has_the_other_law():
    """Exactly: of a linear map, the covariance is known from where it takes the two unit vectors."""
    first, second = rest_law(1.0, 0.5, 0.4), rest_law(0.2, 0.5, 0.01)
    z, v = torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    for before, after in ((START, first), (first, second)):
        carry(before, after, [z], [v])
        covariance = torch.stack([z, v]) @ torch.stack([z, v]).T
        product = after.slope * after.variance
        squared = after.residue + after.slope * product
        expected = torch.tensor([[after.variance, product], [product, squared]], dtype=torch.float64)
        torch.testing.assert_close(covariance, expected)


@pytest.mark.parametrize("given", [(0.1, 0.0, 1.0), (0.1, 2.0, 1.0), (0.0, 0.5, 1.0), (4.0, 0.5, 1.0)])
def test_steps_that_are_not_stable_have_no_law(given):
    with pytest.raises(ValueError, match="damping must be between 0 and 2"):
        rest_law(*given)
