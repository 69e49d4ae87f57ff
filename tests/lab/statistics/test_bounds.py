"""The bounds against closed forms: coins, Gaussians, a quadratic whose Gibbs law is known, and exact coverage."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Normal, kl_divergence

from physnn.lab.statistics import bounds


@pytest.mark.parametrize(("q", "p"), [*itertools.product([0.0, 0.01, 0.3, 0.9, 1.0], [0.02, 0.5, 0.98])])
def test_the_relative_entropy_of_coins_is_scipys(q, p):
    assert bounds.binary_kl(q, p) == pytest.approx(stats.entropy([q, 1 - q], [p, 1 - p]))


def test_what_is_excluded_costs_infinitely_much():
    assert bounds.binary_kl(0.1, 0.0) == bounds.binary_kl(0.1, 1.0) == math.inf
    assert bounds.binary_kl(0.0, 0.0) == bounds.binary_kl(1.0, 1.0) == 0


@pytest.mark.parametrize("c", [1e-4, 0.1, 1.0, 5.0])
def test_the_inverse_without_errors_is_a_closed_form(c):
    assert bounds.kl_inverse(0.0, c) == pytest.approx(-math.expm1(-c), rel=1e-9)


@pytest.mark.parametrize(("q", "p"), [(0.0, 0.5), (0.02, 0.06), (0.1, 0.3), (0.25, 0.5), (0.5, 0.9), (0.9, 0.95)])
def test_the_inverse_gives_back_what_was_spent(q, p):
    assert bounds.kl_inverse(q, bounds.binary_kl(q, p)) == pytest.approx(p, rel=1e-8)


def test_known_values_of_the_inverse():
    """ln 2 is kl(0, ½), ln 2 less the entropy of ¼ is kl(¼, ½) = 0.130812 nats."""
    assert bounds.kl_inverse(0.0, math.log(2)) == pytest.approx(0.5)
    assert bounds.kl_inverse(0.25, 0.130812) == pytest.approx(0.5, abs=1e-5)


def test_the_inverse_lies_between_its_error_and_pinsker():
    for q, c in itertools.product([0.0, 0.05, 0.4, 0.99], [1e-6, 0.01, 0.3, 2.0]):
        assert q < bounds.kl_inverse(q, c) <= min(1.0, q + math.sqrt(c / 2)) + 1e-12
    assert bounds.kl_inverse(0.3, 0.0) == bounds.kl_inverse(0.3, -1.0) == 0.3
    assert bounds.kl_inverse(1.0, 0.2) == bounds.kl_inverse(0.2, math.inf) == bounds.kl_inverse(0.2, 800.0) == 1.0


@pytest.mark.parametrize(("n", "p"), [(8, 0.1), (50, 0.03), (50, 0.5), (400, 0.2)])
@pytest.mark.parametrize("delta", [0.05, 0.2])
def test_bounds_of_a_fixed_law_hold_as_often_as_they_say(n, p, delta):
    """The error is binomial: the chance that a bound is below p is a sum, exactly."""
    for bound in (bounds.held_out, lambda q, n, d: bounds.pac_bayes(q, 0.0, n, d)):
        counts = np.arange(n + 1)
        missed = [bound(k / n, n, delta) < p for k in counts]
        assert stats.binom.pmf(counts, n, p)[missed].sum() <= delta


def test_pac_bayes_says_what_is_printed():
    """kl(0, p) = -ln(1 - p) makes it one line: 1 - exp(-(KL + ln(2√n/δ))/n)."""
    expected = -math.expm1(-(30 + math.log(2 * math.sqrt(400) / 0.05)) / 400)
    assert bounds.pac_bayes(0.0, 30.0, 400) == pytest.approx(expected)
    assert bounds.pac_bayes(0.0, 30.0, 400, 0.05 / 7) == pytest.approx(bounds.pac_bayes(0.0, 30.0, 400, choices=7))


@pytest.mark.parametrize(("scale", "prior"), [(0.5, None), (0.5, 2.0), (3.0, 1.0)])
def test_the_divergence_of_gaussians_is_torchs(scale, prior):
    mean = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    other = scale if prior is None else prior
    expected = kl_divergence(Normal(mean, scale), Normal(torch.zeros_like(mean), other)).sum().item()
    assert bounds.gaussian_kl(mean.norm().item(), scale, prior, size=3) == pytest.approx(expected)


def test_the_ladder_is_above_the_exact_divergence_and_comes_to_it():
    """P coordinates with L = a z²/2 and the prior N(0, 1): G_b is N(0, 1/(1 + ab)), and everything is known."""
    size, a, beta = 40, 3.0, 50.0
    exact = bounds.gaussian_kl(0.0, (1 + a * beta) ** -0.5, 1.0, size)
    found = []
    for rungs in (10, 100, 10_000):
        inverse = np.concatenate([[0.0], np.geomspace(1e-4, beta, rungs)])
        losses = size * a / (2 * (1 + a * inverse))
        found.append(bounds.ladder_kl(inverse.tolist(), losses.tolist()))
    assert found[0] > found[1] > found[2] > exact
    assert found[-1] == pytest.approx(exact, rel=2e-3)


def test_the_gap_of_a_coin_that_is_learned_by_heart():
    """One sample of a fair coin, kept: its error is 0, that on another ½; the weights tell ln 2."""
    assert bounds.expected_gap(math.log(2), 1) >= 0.5
    assert bounds.expected_gap(math.log(2), 1) == pytest.approx(math.sqrt(math.log(2) / 2))
    assert bounds.expected_gap(0.0, 10) == 0


def test_the_gap_is_that_of_pensia_for_clipped_gradients():
    """R √(K α L²/(2 γ T n)), with R = ½, for K steps with gradients of norm L."""
    steps, lr, size, damping, temperature, n = 300, 0.1, 2.0, 0.2, 0.01, 5000
    information = steps * bounds.path_kl(size**2, lr, damping, temperature)
    expected = 0.5 * math.sqrt(steps * lr * size**2 / (2 * damping * temperature * n))
    assert bounds.expected_gap(information, n) == pytest.approx(expected)


def test_a_step_from_another_step_is_a_gaussian_from_another():
    lr, damping, temperature = 0.3, 0.2, 0.05
    g, h = torch.tensor([1.0, -2.0], dtype=torch.float64), torch.tensor([0.5, 0.5], dtype=torch.float64)
    spread = math.sqrt(2 * damping * lr * temperature)
    expected = kl_divergence(Normal(-lr * g, spread), Normal(-lr * h, spread)).sum().item()
    assert bounds.path_kl((g - h).square().sum().item(), lr, damping, temperature) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bounds.binary_kl(1.2, 0.5), "1.2"),
        (lambda: bounds.kl_inverse(-0.1, 0.5), "-0.1"),
        (lambda: bounds.kl_inverse(0.1, math.nan), "nan"),
        (lambda: bounds.pac_bayes(0.1, 1.0, 7), "at least 8"),
        (lambda: bounds.pac_bayes(0.1, 1.0, 100, 1.0), "delta"),
        (lambda: bounds.held_out(0.1, 0), "n must"),
        (lambda: bounds.gaussian_kl(1.0, 0.0), "above 0"),
        (lambda: bounds.ladder_kl([0.0, 1.0, 1.0], [3, 2, 1]), "rise from 0"),
        (lambda: bounds.ladder_kl([0.1, 1.0], [2, 1]), "rise from 0"),
        (lambda: bounds.ladder_kl([0.0, 1.0], [2]), "1 losses"),
        (lambda: bounds.expected_gap(-1.0, 5), "information"),
        (lambda: bounds.path_kl(1.0, 0.1, 0.1, 0.0), "temperature"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
