r"""Bandits: who pulls the arm that looks best under weights drawn from what is known (Thompson 1933), or nearly so.

A replica is a group of bandits, and what counts is its regret, over that of who pulls blindly. A player ``langevin``
keeps one point :math:`\theta` and moves it by some steps of the optimizer after each reward. With n rewards its loss is
the mean, U/n, and its temperature :math:`\tau/n`, so that at :math:`\tau = 1` it samples the posterior where its steps
suffice; at damping 1 this is Xu et al. (2022), and at :math:`\tau = 0` the descent of who never explores. A player
``gauss`` draws from the posterior itself where rewards are linear, and from its Laplace approximation where they are
logistic (Chapelle & Li 2011); ``greedy`` takes the top of the same and pulls blindly now and then. Of these two ``lr``
is the one number that they have: the factor of the posterior's standard deviations, and the share of blind pulls.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from physnn.lab.models.bandits import REWARDS, Bandits
from physnn.lab.models.plain import choice, number
from physnn.lab.training.task import Budget, Column, Replica
from physnn.scheme import noise_variance, single_tensor

COLUMNS: Mapping[str, Column] = {
    "regret": Column(
        "sum of regrets so far over that of who pulls blindly, of all bandits of the group together",
        "regret, % of blind pulls",
        scale=100,
        decimals=1,
        larger=False,
        guess=1.0,
        tolerance=0.02,
    ),
    "late": Column(
        "the same of the last part of the rounds alone",
        "regret at the end, % of blind pulls",
        scale=100,
        decimals=1,
        larger=False,
        tolerance=0.02,
    ),
    "best": Column(
        "share of the pulls of the last part that took the best arm", "best arm at the end, %", scale=100, decimals=1,
        larger=True, tolerance=0.02,
    ),
    "rounds": Column("pulls of each bandit so far"),
    "seconds": Column("so far, shared among those computed together"),
}  # fmt: skip
SCORE = RESULT = "regret"
PLAYERS = ("langevin", "gauss", "greedy")
STREAM = 0xBA2D17  # keeps a player's chance apart from the bandits', which the bare seed gives


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An arm: ``{player: langevin, rewards: linear, bandits: 50, arms: 20, features: 10, rounds: 500, damping: 0.1}``.

    ``player`` is langevin, gauss or greedy, and ``rewards`` linear or logistic. ``langevin`` needs ``damping``, between
    0 and 2, ``inner``, the steps after each reward, and takes ``temperature``, τ (0).
    """

    player: str
    rewards: str
    bandits: int
    arms: int
    features: int
    rounds: int
    inner: int = 0
    damping: float = 1.0
    temperature: float = 0.0

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return self.player, self.rewards, self.bandits, self.arms, self.features, self.rounds, self.inner

    @property
    def size(self) -> int:
        """Number of scalars that a gradient looks at."""
        return self.bandits * self.arms * self.features


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    values: dict[str, Any] = {"player": choice(rest, "player", PLAYERS), "rewards": choice(rest, "rewards", REWARDS)}
    moved = values["player"] == "langevin"
    for name in ("bandits", "arms", "features", "rounds", *(["inner"] if moved else [])):
        values[name] = rest.pop(name, None)
        if type(values[name]) is not int or values[name] < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {values[name]!r}")
    if moved:
        values |= {"damping": number(rest, "damping"), "temperature": number(rest, "temperature", 0.0)}
        if not 0 < values["damping"] < 2 or values["temperature"] < 0:
            raise ValueError(
                f"damping must lie between 0 and 2, both excluded, and temperature be at least 0, "
                f"got {values['damping']} and {values['temperature']}"
            )
    if rest:
        raise ValueError(f"{values['player']} knows no {sorted(rest)}")
    return Recipe(**values)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Play; give what ``COLUMNS`` lists before the first pull and after every part of the rounds.

    A player whose weights are no longer finite has diverged.

    Raises:
        ValueError: an extra, data, or rounds that the epochs do not divide.
    """
    recipe, seeds, lrs = recipes[0], [replica.seed for replica in replicas], [replica.lr for replica in replicas]
    if budget.extras or budget.data:
        raise ValueError(f"bandits knows no extras and no data, got {[*budget.extras]} and {budget.data!r}")
    if recipe.rounds % budget.epochs:
        raise ValueError(f"rounds must be a multiple of the epochs, {budget.epochs}, got {recipe.rounds}")
    bandits = Bandits(seeds, recipe.rewards, recipe.bandits, recipe.arms, recipe.features, recipe.rounds)
    player = MAKE[recipe.player](bandits, recipes, lrs, [seed ^ STREAM for seed in seeds])
    blind, best = bandits.blind().double().sum(1), bandits.means.argmax(-1)
    length, sums, seconds = recipe.rounds // budget.epochs, torch.zeros(len(seeds), dtype=torch.float64), 0.0
    yield [{"rounds": 0, "seconds": 0.0} for _ in replicas]
    for epoch in range(1, budget.epochs + 1):
        begun, late, hits = time.perf_counter(), torch.zeros_like(sums), torch.zeros_like(sums)
        for _ in range(length):
            arm = bandits.utility(player.weights()).argmax(-1)
            arm = player.instead(arm)
            late += bandits.pull(arm).double().sum(1)
            hits += (arm == best).double().mean(1)
        sums, seconds = sums + late, seconds + (time.perf_counter() - begun) / len(replicas)
        values = {"regret": sums / (blind * length * epoch), "late": late / (blind * length), "best": hits / length}
        columns = {name: value.tolist() for name, value in values.items()}
        rest = {"rounds": length * epoch, "seconds": seconds}
        yield [
            {**{name: column[i] for name, column in columns.items()}, **rest} if alive else None
            for i, alive in enumerate(player.alive)
        ]


class _Player:
    """R groups of B players, each group with its own chance."""

    def __init__(self, bandits: Bandits, recipes: Sequence[Recipe], lrs: Sequence[float], seeds: Sequence[int]) -> None:
        self.bandits, self.chance = bandits, [torch.Generator().manual_seed(seed) for seed in seeds]
        self.lr, self.alive = torch.tensor(lrs).view(-1, 1, 1), [True] * len(seeds)
        self.theta = torch.zeros_like(bandits.weights)

    def weights(self) -> Tensor:
        """Return the weights that say which arm is best, of shape (R, B, d)."""
        raise NotImplementedError

    def instead(self, arm: Tensor) -> Tensor:
        """Return the arms that are pulled in place of those that look best, of shape (R, B)."""
        return arm

    def _draw(self, *shape: int) -> Tensor:
        return torch.stack([torch.randn(shape, generator=g) for g in self.chance])


class Gauss(_Player):
    """Draws weights from a normal law around the top of the posterior, its standard deviations times ``lr``."""

    def weights(self) -> Tensor:
        """Return drawn weights."""
        self.theta, precision = self.bandits.laplace(self.theta)
        eta = self._draw(*self.theta.shape[1:]).unsqueeze(-1)
        factor = torch.linalg.cholesky(precision)
        return self.theta + self.lr * torch.linalg.solve_triangular(factor.mT, eta, upper=True).squeeze(-1)


class Greedy(_Player):
    """Takes the top of the posterior, and with the chance ``lr`` any arm."""

    def weights(self) -> Tensor:
        """Return the top of the posterior."""
        self.theta, _ = self.bandits.laplace(self.theta)
        return self.theta

    def instead(self, arm: Tensor) -> Tensor:
        """Return blind arms now and then."""
        count, arms = self.bandits.means.shape[1:]
        drawn = torch.stack([torch.rand(2, count, generator=g) for g in self.chance])
        return torch.where(drawn[:, 0] < self.lr.squeeze(-1), (drawn[:, 1] * arms).long().clamp(max=arms - 1), arm)


class Moved(_Player):
    """Moves weights by the optimizer, from a draw from the prior on, after every reward."""

    def __init__(self, bandits: Bandits, recipes: Sequence[Recipe], lrs: Sequence[float], seeds: Sequence[int]) -> None:
        super().__init__(bandits, recipes, lrs, seeds)
        self.inner = recipes[0].inner
        values = [[recipe.damping, recipe.temperature] for recipe in recipes]
        self.damping, self.heat = torch.tensor(values).T.view(2, -1, 1, 1)
        self.theta = self._draw(*self.theta.shape[1:])
        self.velocity = torch.zeros_like(self.theta)

    def weights(self) -> Tensor:
        """Take the steps that follow the last reward; return where they lead."""
        if not self.bandits.taken:
            return self.theta
        share = 1 / self.bandits.taken
        std = noise_variance("post", self.lr, self.damping, self.heat * share).sqrt()
        eta = self._draw(self.inner, *self.theta.shape[1:]) if self.heat.any() else None
        for step in range(self.inner):
            slope = self.bandits.slope(self.theta).mul_(share)
            numbers = {"lr": self.lr, "momentum": 1 - self.damping, "noise_std": std, "weight_decay": 0.0}
            kick = None if eta is None else [eta[:, step]]
            single_tensor("post", [self.theta], [slope], [self.velocity], kick, **numbers)
        if not self.theta.sum().isfinite():
            for i in (~self.theta.flatten(1).sum(1).isfinite()).nonzero().flatten().tolist():
                self.alive[i] = False
                for tensor in (self.theta, self.velocity, self.lr, self.heat):
                    tensor[i] = 0.0
        return self.theta


MAKE = {"langevin": Moved, "gauss": Gauss, "greedy": Greedy}


def checksum(data: str) -> str:
    """Return a word in place of a checksum: there are no data, everything is drawn from seeds."""
    return "none"
