"""R-hat and effective sample sizes: of independent draws, of chains that are slow, and of chains apart."""

import math

import numpy as np
import pytest

from physnn.lab.statistics.mixing import mixing


def test_independent_draws_have_mixed():
    """4,000 draws of 20 quantities: R-hat below 1.02, and about as many effective draws as there are."""
    found = mixing(np.random.default_rng(0).normal(size=(4, 1000, 20)))
    assert found.rhat < 1.02 and 3000 < found.ess < 5000


def test_slow_chains_have_as_many_effective_draws_as_theory_says():
    """x' = 0.9 x + noise has n(1 - 0.9)/(1 + 0.9) of them, to a quarter."""
    rng, rho = np.random.default_rng(1), 0.9
    x = np.zeros((4, 5000, 1))
    for t in range(1, 5000):
        x[:, t] = rho * x[:, t - 1] + rng.normal(size=(4, 1)) * math.sqrt(1 - rho**2)
    assert mixing(x).ess == pytest.approx(20_000 * (1 - rho) / (1 + rho), rel=0.25)


def test_the_worst_quantity_counts():
    draws = np.random.default_rng(2).normal(size=(3, 200, 4))
    draws[0, :, 2] += 5
    assert mixing(draws).rhat > 1.5 and mixing(draws[:, :, :2]).rhat < 1.1


def test_what_cannot_be_told():
    one = mixing(np.random.default_rng(3).normal(size=(1, 100, 2)))
    assert math.isnan(one.rhat) and one.ess > 20
    assert all(map(math.isnan, mixing(np.zeros((4, 3, 2)))))


@pytest.mark.parametrize("draws", [np.zeros((4, 10)), np.zeros((0, 10, 2)), np.zeros((4, 10, 0))])
def test_bad_shapes(draws):
    with pytest.raises(ValueError, match="draws must have shape"):
        mixing(draws)


def test_no_number_is_no_draw():
    draws = np.zeros((2, 10, 1))
    draws[1, 3] = math.nan
    with pytest.raises(ValueError, match="not finite"):
        mixing(draws)
