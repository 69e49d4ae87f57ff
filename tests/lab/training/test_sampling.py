"""Walkers as samples: the proposal's own steps, crowds that do not meet, and the law of those that walk long enough."""

import pandas as pd
import pytest
import torch

from physnn import Langevin
from physnn.lab.physics.densities import DENSITIES
from physnn.lab.training import task as tasks
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import sampling

RING = {"density": "ring", "start": "one", "walkers": 200, "steps": 40, "optimizer": "langevin", "damping": 0.3}
RECIPES = {
    "ring": {**RING, "temperature": 1.0},
    "cold": {**RING, "temperature": 0.0},
    "overdamped": {**RING, "damping": 1.0, "temperature": 1.0},
    "gjf": {**RING, "temperature": 1.0, "scheme": "gjf"},
    "rugged": {**RING, "density": "rugged", "start": "wide", "temperature": 1.0},
}


def replica(name, seed, lr=0.1):
    return Replica(name, RECIPES[name], lr, seed)


def train(replicas, epochs=2, **budget):
    rows = [row for chunk in chunks(replicas, Budget("", epochs, **budget), task="sampling") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    alone = train([replica(name, 3)])
    company = [replica(other, 3, 0.05) for other in RECIPES]
    for several in ([replica(name, 1), replica(name, 3)], [*company, replica(name, 3)]):
        together = train(several)
        found = together[(together.arm == name) & (together.seed == 3) & (together.lr == 0.1)]
        pd.testing.assert_frame_equal(found.reset_index(drop=True), alone, rtol=1e-4, atol=0.011)  # two walkers


@pytest.mark.parametrize("scheme", ["post", "gjf"])
def test_walkers_are_moved_as_the_optimizer_moves_them(scheme):
    recipe = sampling.read({**RECIPES["ring"], "scheme": scheme})
    crowd, density = sampling.Crowd([recipe], [0.05], [7]), DENSITIES["ring"]()
    theta, generator = torch.nn.Parameter(crowd.theta.clone()), torch.Generator()
    generator.set_state(crowd.update.noise[0].get_state())
    optimizer = Langevin([theta], 0.05, damping=0.3, temperature=1.0, scheme=scheme, generator=generator)
    crowd.walk(40)
    for _ in range(40):
        theta.grad = density.slope(theta.detach())
        optimizer.step()
    torch.testing.assert_close(crowd.theta, theta.detach(), rtol=1e-4, atol=1e-4)


def test_small_steps_from_wide_starts_come_to_the_floor():
    """And descent does not: its walkers stand on the modes."""
    warm = {**RING, "start": "wide", "walkers": 1000, "steps": 400, "temperature": 1.0}
    table = train([Replica("warm", warm, 0.05, 5), Replica("cold", {**warm, "temperature": 0.0}, 0.05, 5)], 1)
    end = table[table.epoch == 1].set_index("arm")
    assert end.excess.warm < 0.06 and end.covered.warm == 1 and abs(end.energy.warm) < 0.15
    assert end.tv.cold > 0.7 and end.covered.cold == 1 and end.energy.cold == pytest.approx(-1, abs=0.1)
    assert 0.05 < end.floor.warm == end.floor.cold < 0.25


def test_walkers_that_leave_are_outside():
    wild = train([Replica("wild", {**RECIPES["ring"], "damping": 0.1}, 1.5, 0)]).iloc[-1]
    assert wild.lost == 1 and wild.tv == 1 and wild.covered == 0 and pd.isna(wild.energy)


def test_every_column_is_explained_and_the_start_is_measured():
    table = train([replica(name, 0) for name in RECIPES])
    assert {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"} == {*sampling.COLUMNS}
    start = table[table.epoch == 0].set_index("arm")
    assert start.covered.ring == 1 / 8 and start.tv.ring > 0.85 and start.gradients.eq(0).all()
    assert table.gradients.max() == 40 and tasks.find("sampling").checksum("") == "none"
    assert sampling.read(RECIPES["ring"]).architecture == sampling.read(RECIPES["cold"]).architecture


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({**RING, "density": "flat"}, "density must be one of ring, rugged, got 'flat'"),
        ({**RING, "start": "far"}, "start must be one of one, wide, got 'far'"),
        ({**RING, "walkers": 0}, "walkers must be a whole number of at least 1, got 0"),
        ({**RING, "steps": 1.5}, "steps must be a whole number of at least 1, got 1.5"),
        ({**RING, "momentum": 0.5}, r"ring and langevin know no \['momentum'\]"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, message):
    with pytest.raises(ValueError, match=message):
        sampling.read(recipe)


def test_other_optimizers_and_budgets_are_refused():
    adam = {name: value for name, value in RING.items() if name != "damping"} | {"optimizer": "adam"}
    with pytest.raises(ValueError, match="walkers are moved by langevin or sgd, got 'adam'"):
        sampling.read(adam)
    with pytest.raises(ValueError, match="steps must be a multiple of the epochs, 7, got 40"):
        train([replica("ring", 0)], 7)
    with pytest.raises(ValueError, match=r"sampling knows no extras and no data, got \['x'\]"):
        train([replica("ring", 0)], extras=("x",))
