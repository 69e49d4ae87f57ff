"""Policies: advantages and gradients by hand, the stacked form against the modules, and replicas that do not meet."""

import pandas as pd
import pytest
import torch

from physnn.lab.models.network import seeded
from physnn.lab.training import task as tasks
from physnn.lab.training.engine import Engine
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import cartpole
from physnn.lab.training.tasks.cartpole import DISCOUNT, Policy, advantages, play, surprise

PLAIN = {"widths": [4, 8, 2], "layer": "linear", "optimizer": "adam"}
POSTS = {"widths": [4, 8, 2], "layer": "experimental", "beta_init": 0.1, "optimizer": "langevin", "damping": 0.1,
         "temperature": 1e-4}  # fmt: skip
RECIPES = {"plain": PLAIN, "post": POSTS, "backwards": {**POSTS, "backwards": True}}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Two updates an epoch, and episodes of at most 60 steps."""
    monkeypatch.setattr(cartpole, "UPDATES", 2)
    monkeypatch.setattr(cartpole.cartpole, "LONGEST", 60)


def learn(replicas, epochs=2, **budget):
    given = Budget("", epochs, **{"batch_size": 4, "test": True, **budget})
    rows = [row for chunk in chunks(replicas, given, task="cartpole") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def policy(recipe, seeds=(0, 1)):
    read = cartpole.read(recipe)
    return Policy(Engine([seeded(read.make, seed)[0] for seed in seeds], surprise, lambda params: None), read)


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    alone = learn([Replica(name, RECIPES[name], 0.01, 3)])
    together = learn([Replica(name, RECIPES[name], lr, seed) for lr, seed in ((0.01, 1), (0.03, 3), (0.01, 3))])
    found = together[(together.seed == 3) & (together.lr == 0.01)].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", RECIPES)
def test_the_stacked_form_is_that_of_the_modules(name):
    acting = policy(RECIPES[name])
    x = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(acting(x), acting.engine.outputs(x), rtol=1e-4, atol=1e-5)
    order = [3, 2, 1, 0] if name == "backwards" else [0, 1, 2, 3]
    state = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    assert acting.shown(state).tolist() == [state[k].item() for k in order]


def test_advantages_by_hand():
    """Three episodes of 2, 3 and 1 steps of one replica, and the mean square that they are brought to."""
    alive = torch.tensor([[1, 1, 1], [1, 1, 0], [0, 1, 0]]).bool()[:, None]
    returns = [[1 + DISCOUNT, 1 + DISCOUNT + DISCOUNT**2, 1.0], [1.0, 1 + DISCOUNT, 0.0], [0.0, 1.0, 0.0]]
    expected = torch.zeros(3, 3)
    for t in range(3):
        for e in range(3):
            if alive[t, 0, e]:
                others = [returns[t][f] for f in range(3) if f != e]
                expected[t, e] = returns[t][e] - sum(others) / 2
    expected /= (expected.square().sum() / 6).sqrt()
    torch.testing.assert_close(advantages(alive)[:, 0], expected)
    assert advantages(torch.ones(500, 1, 8).bool()).abs().max() == 0  # all alike: nothing to learn


def test_an_episode_ends_where_it_is_said_to_and_the_policy_is_what_acts():
    """By chance, to 4 standard errors; and a replica's episodes do not depend on those beside it."""
    acting = policy(PLAIN)
    chance = lambda seeds: [torch.Generator().manual_seed(seed) for seed in seeds]  # noqa: E731
    played = play(acting, chance([5, 6]), 40)
    assert played.alive[0].all() and (played.alive[1:] <= played.alive[:-1]).all()
    logits = acting(played.states.flatten(0, 0).transpose(0, 1).flatten(1, 2)).detach()
    right = (logits[..., 1] - logits[..., 0]).sigmoid()
    taken = played.actions.transpose(0, 1).flatten(1).float()
    off = (taken - right).mean(1) / ((right * (1 - right)).sum(1).sqrt() / right.shape[1])
    assert off.abs().max() < 4
    swapped = play(policy(PLAIN, (1, 0)), chance([6, 5]), 40)
    for name in ("alive", "actions"):
        one, two = getattr(played, name)[:, 0], getattr(swapped, name)[:, 1]
        common = min(len(one), len(two))
        lives = played.alive[:common, 0]
        assert torch.equal(one[:common] & lives, two[:common] & lives)


def test_the_gradient_is_the_policy_gradient():
    """Of an engine, against the sum of each step's own: -A grad log pi over the number of steps."""
    acting = policy(PLAIN)
    x = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1))
    gain, right = (
        torch.randn(2, 5, generator=torch.Generator().manual_seed(2)),
        torch.tensor([True, False, True, True, False]),
    )
    weights = torch.stack([gain * ~right, gain * right], -1) / 5
    _, grads = acting.engine.gradients(x, weights)
    module = seeded(acting.recipe.make, 1)[0]
    logs = module(x[1]).log_softmax(-1)[torch.arange(5), right.long()]
    expected = torch.autograd.grad(-(gain[1] * logs).mean(), list(module.parameters()))
    for found, own in zip(grads, expected, strict=True):
        torch.testing.assert_close(found[1], own)


def test_every_column_is_explained_and_the_mean_of_training_is_one():
    table = learn([Replica(name, recipe, 0.01, 0) for name, recipe in RECIPES.items()])
    assert {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"} == {*cartpole.COLUMNS}
    for _, rows in table.groupby("arm"):
        assert rows.earned.iloc[-1] == pytest.approx(rows["return"].iloc[1:].mean(), rel=1e-5)
        assert 8 <= rows.test_return.iloc[-1] <= 60
    assert "test_return" not in learn([Replica("plain", PLAIN, 0.01, 0)], test=False)
    assert tasks.find("cartpole").checksum("") == "none"


def test_a_policy_that_diverges_disturbs_no_one():
    sgd = {**PLAIN, "optimizer": "sgd", "momentum": 0.9}
    wild, calm = Replica("wild", sgd, 1e38, 3), Replica("calm", sgd, 0.01, 3)
    table = learn([wild, calm])
    assert table[table.arm == "wild"].diverged.all()
    pd.testing.assert_frame_equal(
        table[table.arm == "calm"].reset_index(drop=True), learn([calm]), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({**PLAIN, "widths": [3, 2]}, r"widths must be whole numbers from 4, a state, to 2, the actions, got \[3, 2\]"),
        ({**PLAIN, "layer": "film"}, "layer must be one of linear, experimental, got 'film'"),
        ({**PLAIN, "beta_init": 0.1}, r"linear and adam know no \['beta_init'\]"),
        ({**PLAIN, "layer": "experimental"}, "beta_init must be a finite number, got None"),
        ({**PLAIN, "backwards": 1}, "backwards must be true or false, got 1"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, message):
    with pytest.raises(ValueError, match=message):
        cartpole.read(recipe)


def test_a_budget_that_does_not_fit():
    with pytest.raises(ValueError, match="the episodes of an update, must be at least 2, got 1"):
        learn([Replica("plain", PLAIN, 0.01, 0)], batch_size=1)
    with pytest.raises(ValueError, match=r"cartpole knows no extras and no data, got \['x'\]"):
        learn([Replica("plain", PLAIN, 0.01, 0)], extras=("x",))
    assert [cartpole.read(r).size for r in (PLAIN, POSTS)] == [4 * 8 + 8 + 8 * 2 + 2, 4 * 8 + 8 * 2 + 4]
