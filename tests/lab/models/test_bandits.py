"""Bandits in the form of counts: the posterior against one of all single pulls, and regrets by hand."""

import numpy as np
import pytest
import torch

from physnn.lab.models.bandits import REWARDS, SIGMA, Bandits


def played(rewards, rounds=30):
    """Return bandits after blind pulls, and which arm gave what in each round."""
    bandits, drawn = Bandits([1, 2], rewards, 3, 5, 4, rounds), torch.Generator().manual_seed(0)
    log = []
    for _ in range(rounds):
        arm, before = torch.randint(5, (2, 3), generator=drawn), bandits.gains.clone()
        regret = bandits.pull(arm)
        torch.testing.assert_close(regret, bandits.means.amax(-1) - bandits.means.gather(-1, arm[..., None])[..., 0])
        log.append((arm, (bandits.gains - before).sum(-1)))
    return bandits, log


def energy(bandits, log, theta, r, b):
    """Return the energy of the posterior of one bandit, pull by pull."""
    total = theta.square().sum() / 2
    for arm, reward in log:
        u = bandits.x[r, b, arm[r, b]].double() @ theta
        if bandits.rewards == "linear":
            total = total + (reward[r, b] - u).square() / (2 * SIGMA**2)
        else:
            total = total - (reward[r, b] * u - torch.nn.functional.softplus(u))
    return total


@pytest.mark.parametrize("rewards", REWARDS)
def test_slope_and_curvature_are_those_of_all_pulls(rewards):
    bandits, log = played(rewards)
    top, precision = bandits.laplace(torch.zeros(2, 3, 4))
    for r, b in ((0, 0), (1, 2)):
        own = lambda theta: energy(bandits, log, theta, r, b)  # noqa: B023, E731
        theta = torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
        everywhere = theta.float().expand(2, 3, 4)
        slope = torch.func.grad(own)(theta)
        torch.testing.assert_close(bandits.slope(everywhere)[r, b].double(), slope, rtol=1e-4, atol=1e-4)
        at = top[r, b].double()
        assert torch.func.grad(own)(at).abs().max() < 1e-3
        torch.testing.assert_close(precision[r, b].double(), torch.func.hessian(own)(at), rtol=1e-3, atol=1e-3)


def test_the_linear_posterior_is_that_of_ridge_regression():
    bandits, log = played("linear")
    x = np.stack([bandits.x[0, 1, arm[0, 1]].numpy() for arm, _ in log])
    y = np.array([reward[0, 1].item() for _, reward in log])
    ridge = np.linalg.solve(x.T @ x + SIGMA**2 * np.eye(4), x.T @ y)
    np.testing.assert_allclose(bandits.laplace(torch.zeros(2, 3, 4))[0][0, 1], ridge, rtol=1e-3, atol=1e-4)


def test_rewards_have_the_means_that_they_should():
    """Of 4,000 pulls, to 4 standard errors, in each of 6 bandits."""
    for rewards, spread in (("linear", SIGMA), ("logistic", 0.5)):
        bandits = Bandits([1, 2], rewards, 3, 5, 4, 4000)
        for _ in range(4000):
            bandits.pull(torch.zeros(2, 3, dtype=torch.long))
        off = (bandits.gains[..., 0] / 4000 - bandits.means[..., 0]).abs()
        assert off.max() < 4 * spread / 4000**0.5 and bandits.pulls.sum() == 24_000


def test_the_best_arm_has_no_regret_and_blind_pulls_the_mean_one():
    bandits = Bandits([3], "logistic", 50, 6, 4, 2)
    assert bandits.pull(bandits.means.argmax(-1)).abs().max() == 0
    regrets = torch.stack([bandits.means.amax(-1) - bandits.means[..., k] for k in range(6)])
    torch.testing.assert_close(bandits.blind(), regrets.mean(0))
    with pytest.raises(ValueError, match="rewards must be one of linear, logistic, got 'cubic'"):
        Bandits([3], "cubic", 1, 2, 2, 1)
