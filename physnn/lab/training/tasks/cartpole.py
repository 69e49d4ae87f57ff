r"""CartPole: a small network learns to balance a pole by policy gradients, REINFORCE with a baseline (Williams 1992).

An update plays ``batch_size`` episodes with the network's own chances :math:`\pi(a|s)` and takes one step on

.. math::
    L = -\operatorname{mean}_{e,t}\; A_{e,t} \log \pi(a_{e,t} | s_{e,t}), \qquad
    A_{e,t} = \frac{1}{\hat\sigma}\Bigl(G_{e,t} - \operatorname*{mean}_{f \ne e} G_{f,t}\Bigr), \qquad
    G_{e,t} = \sum_{k \ge t} 0.99^{k-t}\, r_{e,k}

with the mean over all steps that were played. The baseline of an episode is the mean return of the others at that step,
0 where they are over, and :math:`\hat\sigma` makes the root mean square of A one. An epoch is ``UPDATES`` updates.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.layers import Layer, apply
from physnn.lab.models.network import network, seeded
from physnn.lab.models.plain import choice, number, switch
from physnn.lab.physics import cartpole
from physnn.lab.training.engine import Engine
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.updates import Update

COLUMNS: Mapping[str, Column] = {
    "test_return": Column(
        "steps of an episode, mean over 20 new ones after the last update, at most 500",
        "steps at the end",
        decimals=1,
        larger=True,
        tolerance=10.0,
    ),
    "earned": Column(
        "steps of an episode, mean over all of training so far",
        "steps, mean of all training",
        decimals=1,
        larger=True,
        guess=9.0,  # what falling at once takes
        tolerance=5.0,
    ),
    "return": Column("steps of an episode, mean over the epoch", "steps, last epoch", decimals=1, larger=True),
    "entropy": Column("of the policy at the states of the epoch, in nats"),
    "kinetic": Column("kinetic temperature, a mean over every tenth step of the epoch; not for Adam"),
    "norm": Column("norm of the parameters"),
    "distance": Column("distance of the parameters from their start"),
    "seconds": Column("of training, cumulative, shared among those trained together"),
}
SCORE, RESULT = "earned", "test_return"
KINDS = ("linear", "experimental")
UPDATES = 10  # of an epoch
TESTED = 20  # episodes after the last epoch
DISCOUNT = 0.99
ALIKE = 1e-6  # below it a difference of returns is rounding
STREAM = 0xCA27  # keeps starts and actions apart from the network's start values, which the bare seed gives


@dataclass(frozen=True, kw_only=True)
class Recipe(Dynamics):
    """An arm: ``{widths: [4, 32, 2], layer: linear, optimizer: adam}``.

    ``layer`` is linear, or experimental, the post's, which needs ``beta_init``. ``widths`` begin with the four numbers
    of a state and end with the two actions, with rectifiers between. Where ``backwards`` is true (false), it is shown
    the four numbers in the reverse order: angular speed, angle, speed, place. The other entries are those of
    :class:`physnn.lab.models.dynamics.Dynamics`.
    """

    widths: tuple[int, ...]
    layer: Layer
    backwards: bool = False

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return self.widths, self.layer, self.backwards, self.optimizer, self.scheme

    @property
    def size(self) -> int:
        """Number of trainable scalars."""
        return sum(self.layer.size(n, m) for n, m in pairwise(self.widths))

    def make(self) -> nn.Module:
        """Make the network, from torch's global seed."""
        return network(self.widths, self.layer.make)


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    sizes = rest.pop("widths", None)
    good = isinstance(sizes, (list, tuple)) and all(type(size) is int and size > 0 for size in sizes)
    if not good or len(sizes) < 2 or sizes[0] != 4 or sizes[-1] != 2:
        raise ValueError(f"widths must be whole numbers from 4, a state, to 2, the actions, got {sizes!r}")
    kind = choice(rest, "layer", KINDS)
    options = {"beta_init": number(rest, "beta_init"), "bias": False} if kind == "experimental" else {}
    values = {"backwards": switch(rest, "backwards", False), **take_dynamics(rest)}
    if rest:
        raise ValueError(f"{kind} and {given['optimizer']} know no {sorted(rest)}")
    return Recipe(widths=tuple(sizes), layer=Layer(kind, **options), **values)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, ``test_return`` last if the budget has a test.

    Raises:
        ValueError: an extra, data, or fewer than two episodes of an update.
    """
    if budget.extras or budget.data:
        raise ValueError(f"cartpole knows no extras and no data, got {[*budget.extras]} and {budget.data!r}")
    if budget.batch_size < 2:
        raise ValueError(f"batch_size, the episodes of an update, must be at least 2, got {budget.batch_size}")
    seeds = [replica.seed for replica in replicas]
    networks, noise = zip(*(seeded(r.make, seed) for r, seed in zip(recipes, seeds, strict=True)), strict=True)
    update = partial(Update, recipes, [replica.lr for replica in replicas], noise, steps=budget.epochs * UPDATES)
    engine = Engine(networks, surprise, update)
    policy = Policy(engine, recipes[0])
    chance, seconds = [torch.Generator().manual_seed(seed ^ STREAM) for seed in seeds], 0.0
    earned, (got, entropy, kinetic) = torch.zeros(len(seeds)), torch.full((3, len(seeds)), torch.nan)
    for epoch in range(budget.epochs + 1):
        if epoch:
            begun = time.perf_counter()
            got, entropy = _epoch(policy, chance, budget.batch_size)
            earned = earned + (got - earned) / epoch
            kinetic, _ = engine.update.temperatures()
            seconds += (time.perf_counter() - begun) / len(replicas)
        measured = {"return": got, "entropy": entropy, "kinetic": kinetic} | engine.lengths()
        measured["earned"] = earned if epoch else torch.full_like(earned, torch.nan)
        if epoch == budget.epochs and budget.test:
            measured["test_return"] = play(policy, chance, TESTED).alive.double().sum((0, 2)) / TESTED
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(engine.alive)
        ]


class Policy:
    """The networks of an engine as they act: the stacked form of their layers, which costs a fifth of the engine's."""

    def __init__(self, engine: Engine, recipe: Recipe) -> None:
        self.engine, self.recipe = engine, recipe
        count, each = len(engine.alive), recipe.layer.tensors
        parts = [engine.params[k : k + each] for k in range(0, len(engine.params), each)]
        index = [torch.arange(n, dtype=torch.float32).expand(count, n) for n in recipe.widths[:-1]]
        self._parts = list(zip(parts, index, strict=True))
        self._gate = torch.tensor([[1.0], [0.0]]).expand(2, count)

    def shown(self, state: Tensor) -> Tensor:
        """Return what the networks see of states of shape (..., 4)."""
        return (state.flip(-1) if self.recipe.backwards else state).float()

    def __call__(self, x: Tensor) -> Tensor:
        """Return the logits of both actions for what is seen, (R, E, 4), of shape (R, E, 2)."""
        layer = self.recipe.layer
        for k, (params, index) in enumerate(self._parts):
            x = apply(layer.kind, layer.bias, x.relu() if k else x, params, index, self._gate)
        return x


@dataclass(frozen=True)
class Played:
    """Episodes: ``states`` of shape (L, R, E, 4), ``actions``, and whether each was ``alive``, of shape (L, R, E)."""

    states: Tensor
    actions: Tensor
    alive: Tensor


@torch.no_grad()
def play(policy: Policy, chance: Sequence[torch.Generator], episodes: int) -> Played:
    """Play episodes of each replica to their end; L is the length of the longest.

    All that is random is drawn before, so that a replica's draws do not depend on how long another's episodes are.
    """
    state = torch.stack([cartpole.start(g, episodes) for g in chance])
    drawn = torch.stack([torch.rand(cartpole.LONGEST, episodes, generator=g) for g in chance], 1)
    alive, states, actions, lives = torch.ones(state.shape[:2], dtype=torch.bool), [], [], []
    for n in range(cartpole.LONGEST):
        seen = policy.shown(state)
        logits = policy(seen)
        right = drawn[n] < (logits[..., 1] - logits[..., 0]).sigmoid()
        for kept, value in ((states, seen), (actions, right), (lives, alive)):
            kept.append(value)
        state = torch.where(alive.unsqueeze(-1), cartpole.step(state, right), state)
        alive = alive & ~cartpole.fallen(state)
        if not alive.any():
            break
    return Played(torch.stack(states), torch.stack(actions), torch.stack(lives))


def advantages(alive: Tensor) -> Tensor:
    """Return A of every step that was played, and 0 for the others: shapes (L, R, E).

    Where all episodes are alike there is nothing to learn: A is 0, and not the rounding of their differences.
    """
    reward, ahead, returns = alive.double(), torch.zeros(alive.shape[1:], dtype=torch.float64), []
    for now in reward.flip(0):
        ahead = now + DISCOUNT * ahead * now
        returns.append(ahead)
    returns = torch.stack(returns).flip(0)
    others = (returns.sum(-1, keepdim=True) - returns) / (returns.shape[-1] - 1)
    gain = (returns - others) * reward
    size = (gain.square().sum((0, 2)) / reward.sum((0, 2))).sqrt().unsqueeze(-1)
    return torch.where(size > ALIKE, gain / size, 0.0).float()


def surprise(logits: Tensor, weights: Tensor) -> Tensor:
    r"""Return :math:`-\sum w \log \pi` over states and actions, both of shape (n, 2)."""
    return -(weights * logits.log_softmax(-1)).sum()


def _epoch(policy: Policy, chance: Sequence[torch.Generator], episodes: int) -> tuple[Tensor, Tensor]:
    """Play and learn ``UPDATES`` times; return mean lengths of episodes, and mean entropies, of shape (R,)."""
    engine, sums = policy.engine, torch.zeros(2, len(policy.engine.alive))
    for _ in range(UPDATES):
        played = play(policy, chance, episodes)
        steps = played.alive.sum((0, 2)).float()
        weights = advantages(played.alive) / steps.unsqueeze(-1)
        sides = torch.stack([weights * ~played.actions, weights * played.actions], -1)
        x, y = (each.transpose(0, 1).flatten(1, 2) for each in (played.states, sides))
        with torch.no_grad():
            logs = policy(x).log_softmax(-1)
        shares = (played.alive / steps.unsqueeze(-1)).transpose(0, 1).flatten(1)
        sums += torch.stack([steps / episodes, -(shares * (logs.exp() * logs).sum(-1)).sum(1)])
        engine.step(x, y)
    engine.settle()
    return sums / UPDATES


def checksum(data: str) -> str:
    """Return a word in place of a checksum: there are no data, everything is drawn from seeds."""
    return "none"
