r"""Bandits with a few arms whose rewards depend on features: R groups of B of them at once, in the form of counts.

An arm has features :math:`x_a`, a bandit has weights :math:`\theta^* \sim \mathcal N(0, I)` that nobody sees. A reward
is :math:`x_a \cdot \theta^*` with normal noise of standard deviation :math:`\sigma_r` (``linear``), or 1 with chance
:math:`\sigma(x_a \cdot \theta^*)` and else 0 (``logistic``). As the arms stay, all that was seen is how often each was
pulled, :math:`n_a`, and what it gave in all, :math:`s_a`; the energy of the posterior, up to a constant, is

.. math::
    U(\theta) = \tfrac12 |\theta|^2 + \sum_a \begin{cases}
        \bigl(\tfrac12 n_a (x_a \cdot \theta)^2 - s_a\, x_a \cdot \theta\bigr) / \sigma_r^2 & \text{linear} \\
        n_a \log\bigl(1 + e^{x_a \cdot \theta}\bigr) - s_a\, x_a \cdot \theta & \text{logistic}
    \end{cases}
"""

from collections.abc import Sequence

import torch
from torch import Tensor

REWARDS = ("linear", "logistic")
SIGMA = 0.5  # standard deviation of a linear reward
ROUNDS = 4  # Newton steps to the top of a logistic posterior, from the last one


class Bandits:
    """R groups of B bandits of K arms with d features, each group drawn from its own seed.

    Features are normal, of variance 1/d, so that a mean reward has variance 1 or so.

    Args:
        seeds: of features, weights and the luck of rewards.
        rewards: ``linear`` or ``logistic``.
        count: B.
        arms: K.
        features: d.
        rounds: how many rewards there are at most.

    Attributes:
        x: features of the arms, of shape (R, B, K, d).
        weights: those that nobody sees, of shape (R, B, d).
        means: the mean rewards, of shape (R, B, K).
        pulls: how often each arm was pulled, likewise.
        gains: what it gave in all, likewise.

    Raises:
        ValueError: there are no such rewards.
    """

    def __init__(self, seeds: Sequence[int], rewards: str, count: int, arms: int, features: int, rounds: int) -> None:
        if rewards not in REWARDS:
            raise ValueError(f"rewards must be one of {', '.join(REWARDS)}, got {rewards!r}")
        self.rewards, self.scale = rewards, 1 / SIGMA**2 if rewards == "linear" else 1.0
        drawn = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.x = torch.stack([torch.randn(count, arms, features, generator=g) for g in drawn]) / features**0.5
        self.weights = torch.stack([torch.randn(count, features, generator=g) for g in drawn])
        utility = self.utility(self.weights)
        self.means = utility if rewards == "linear" else utility.sigmoid()
        luck = torch.randn if rewards == "linear" else torch.rand
        self._luck = torch.stack([luck(rounds, count, generator=g) for g in drawn], 1)
        self.pulls, self.gains, self.taken = torch.zeros_like(self.means), torch.zeros_like(self.means), 0

    def utility(self, theta: Tensor) -> Tensor:
        """Return what weights of shape (R, B, d) say of each arm, of shape (R, B, K)."""
        return (self.x @ theta.unsqueeze(-1)).squeeze(-1)

    def pull(self, arm: Tensor) -> Tensor:
        """Pull an arm of every bandit, by its number, of shape (R, B); return the regret, of that shape."""
        index = arm.unsqueeze(-1)
        mean = self.means.gather(-1, index)
        luck = self._luck[self.taken].unsqueeze(-1)
        reward = mean + SIGMA * luck if self.rewards == "linear" else (luck < mean).to(mean.dtype)
        self.pulls.scatter_add_(-1, index, torch.ones_like(mean))
        self.gains.scatter_add_(-1, index, reward)
        self.taken += 1
        return self.means.amax(-1) - mean.squeeze(-1)

    def blind(self) -> Tensor:
        """Return the mean regret of a round in which every arm is as likely as the others, of shape (R, B)."""
        return self.means.amax(-1) - self.means.mean(-1)

    def slope(self, theta: Tensor) -> Tensor:
        """Return the gradient of the posterior's energy at weights of shape (R, B, d), of that shape."""
        utility = self.utility(theta)
        seen = self.pulls * (utility if self.rewards == "linear" else utility.sigmoid())
        return theta + self.scale * (self.x.mT @ (seen - self.gains).unsqueeze(-1)).squeeze(-1)

    def laplace(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return the top of the posterior, (R, B, d), and the precision there, (R, B, d, d): exact where it is linear.

        By Newton steps from ``theta``, for logistic rewards as in Chapelle & Li (2011), with all of the matrix.
        """
        one = torch.eye(theta.shape[-1], dtype=theta.dtype)
        for _ in range(1 if self.rewards == "linear" else ROUNDS):
            precision = one + (self.x.mT * self._curvature(theta).unsqueeze(-2)) @ self.x
            theta = theta - torch.linalg.solve(precision, self.slope(theta))
        return theta, precision

    def _curvature(self, theta: Tensor) -> Tensor:
        if self.rewards == "linear":
            return self.scale * self.pulls
        chance = self.utility(theta).sigmoid()
        return self.pulls * chance * (1 - chance)
