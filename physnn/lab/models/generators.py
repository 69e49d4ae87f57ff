"""What makes pictures without a field or a step of time: normal laws, and a restricted Boltzmann machine."""

import math
import warnings
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

SMOOTHED = 1.0e-6  # variance that is added where pixels never change
ROUNDS, TRIED = 10, 10_000  # of finding correlations, and pictures drawn in each


class Generator(Protocol):
    """What pictures are drawn from."""

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw pictures of shape (count, N)."""
        ...


class Normal:
    """The normal law with the mean and the covariance of pictures (n, N): all that a linear force can make."""

    def __init__(self, pictures: Tensor) -> None:
        self.mean = pictures.double().mean(0)
        self.root = _root(torch.cov(pictures.double().T, correction=0))

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw pictures of shape (count, N)."""
        noise = torch.randn(count, len(self.mean), generator=generator, dtype=torch.float64)
        return (self.mean + noise @ self.root).float()


class Copula:
    r"""A normal law seen through a curve for each pixel, which gives it the values that it has in pictures (n, N).

    .. math::
        x_i = F_i^{-1}\bigl(\Phi(z_i)\bigr), \qquad z \sim \mathcal N(0, R)

    with an R by which the pixels have the correlations that they have in the pictures: it is moved by what drawn ones
    lack, a few times. This is what ties in pairs can do with the right pixels one by one, and without wells.
    Source: Cario & Nelson (1997), who solve for R.
    """

    def __init__(self, pictures: Tensor, generator: torch.Generator) -> None:
        self.sorted = pictures.sort(0).values
        pixels = pictures.shape[1]
        wanted = correlations(pictures)
        found, self.root = wanted, torch.eye(pixels, dtype=torch.float64)
        for _ in range(ROUNDS):
            self.root = _root(found)
            # The ties that the root stands for, which are those of a law: none is negative in any direction.
            found = self.root @ self.root
            width = found.diagonal().sqrt()
            self.root = self.root / width
            found = (found / torch.outer(width, width) + wanted - correlations(self.draw(TRIED, generator))).clamp(
                -1, 1
            )
            found.fill_diagonal_(1.0)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw pictures of shape (count, N)."""
        n, pixels = self.sorted.shape
        z = torch.randn(count, pixels, generator=generator, dtype=torch.float64) @ self.root
        place = ((1 + torch.erf(z / math.sqrt(2))) / 2 * n).long().clamp(0, n - 1)
        return self.sorted.gather(0, place)


def correlations(pictures: Tensor) -> Tensor:
    """Return the correlations of pixels, (N, N), in double precision: 0 of those that are the same everywhere."""
    away = pictures.double() - pictures.double().mean(0)
    scaled = away / away.square().sum(0).sqrt().clamp(min=1e-9)
    return (scaled.T @ scaled).fill_diagonal_(1.0)


class Boltzmann:
    """A restricted Boltzmann machine, by persistent contrastive divergence: scikit-learn's ``BernoulliRBM``.

    Args:
        pictures: of shape (n, N), from -1 to 1; a gray value is the probability of white.
        hidden: how many hidden units there are.
        lr: the learning rate.
        steps: batches that it learns from, each drawn anew.
        batch_size: pictures of a batch.
        generator: chance.
        gray: what is drawn are probabilities of white given the hidden units, and else black and white.
    """

    def __init__(
        self,
        pictures: Tensor,
        hidden: int,
        lr: float,
        steps: int,
        batch_size: int,
        generator: torch.Generator,
        *,
        gray: bool,
    ) -> None:
        from sklearn.neural_network import BernoulliRBM

        seed = int(torch.randint(2**31, (), generator=generator))
        self.gray = gray
        self.model = BernoulliRBM(hidden, learning_rate=lr, batch_size=batch_size, random_state=seed)
        white = ((pictures + 1) / 2).clamp(0, 1).numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a rate that is too high overflows, and is seen below
            for _ in range(steps):
                chosen = torch.randint(len(pictures), (batch_size,), generator=generator)
                self.model.partial_fit(white[chosen.numpy()])

    def draw(self, count: int, generator: torch.Generator, sweeps: int = 200) -> Tensor:
        """Draw pictures of shape (count, N) by Gibbs sampling from noise."""
        weights = torch.from_numpy(np.asarray(self.model.components_)).float()
        here, there = (
            torch.from_numpy(np.asarray(part)).float()
            for part in (self.model.intercept_visible_, self.model.intercept_hidden_)
        )
        shape = count, weights.shape[1]
        seen = torch.randint(2, shape, generator=generator).float()
        chance = seen
        for _ in range(sweeps):
            unseen = torch.sigmoid(seen @ weights.T + there)
            unseen = (torch.rand(unseen.shape, generator=generator) < unseen).float()
            chance = torch.sigmoid(unseen @ weights + here)
            seen = (torch.rand(shape, generator=generator) < chance).float()
        return 2 * (chance if self.gray else seen) - 1


def _root(covariance: Tensor) -> Tensor:
    """Return the symmetric square root of a covariance."""
    values, vectors = torch.linalg.eigh(covariance + SMOOTHED * torch.eye(len(covariance), dtype=torch.float64))
    return vectors * values.clamp(min=0).sqrt() @ vectors.T
