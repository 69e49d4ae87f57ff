"""Searches: the proposal's own steps, the same cost for all, and groups that do not meet."""

import math

import pandas as pd
import pytest
import torch

from physnn import Langevin
from physnn.lab.models.planted import Planted
from physnn.lab.physics import wells
from physnn.lab.training import task as tasks
from physnn.lab.training.chunk import arrange
from physnn.lab.training.replicas import chunks
from physnn.lab.training.search import Searches
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import search

WELLS = {
    "landscape": "wells", "dimension": 2, "start": "near", "steps": 60, "walkers": 40,
    "optimizer": "langevin", "damping": 0.1,
}  # fmt: skip
PLANTED = {
    "landscape": "planted", "units": 3, "inputs": 2, "samples": 30, "start": "far", "steps": 60, "walkers": 10,
    "optimizer": "langevin", "damping": 0.1,
}  # fmt: skip
RECIPES = {
    "constant": {**WELLS, "temperature": 0.1},
    "annealed": {**WELLS, "temperature": 0.3, "temperature_schedule": "cosine"},
    "restarts": {**WELLS, "length": 15.3},
    "gjf": {**WELLS, "temperature": 0.1, "scheme": "gjf"},
    "planted": {**PLANTED, "temperature": 0.01},
    "planted again": {**PLANTED, "length": 20},
}


def replica(name, seed, lr=0.1):
    return Replica(name, RECIPES[name], lr, seed)


def train(replicas, epochs=3, **budget):
    rows = [row for chunk in chunks(replicas, Budget("", epochs, **budget), task="search") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    """With other seeds, and with other ways of the same seed."""
    member = replica(name, 3)
    others = [replica(name, seed) for seed in (0, 1)]
    mates = [replica(other, 3, 0.05) for other in RECIPES]
    alone = train([member])
    for company in ([*others, member], [member, *mates], [mates[0], others[0], member]):
        together = train(company)
        found = together[(together.arm == name) & (together.seed == 3) & (together.lr == 0.1)]
        pd.testing.assert_frame_equal(found.reset_index(drop=True), alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_walkers_are_moved_as_the_optimizer_moves_them(scheme):
    """Step by step, with its noise, those of ``physnn.Langevin`` from the same start."""
    recipe = search.read({**WELLS, "temperature": 0.1, "scheme": scheme})
    searches = Searches([recipe], [0.05], [7], search.Wells(2), start="near", lengths=[0], walkers=40, steps=60)
    theta = torch.nn.Parameter(searches.theta.clone())
    generator = torch.Generator()
    generator.set_state(searches.update.noise[0].get_state())
    optimizer = Langevin([theta], 0.05, damping=0.1, temperature=0.1, scheme=scheme, generator=generator)
    searches.run(60)
    for _ in range(60):
        theta.grad = wells.slope(theta.detach())
        optimizer.step()
    torch.testing.assert_close(searches.theta, theta.detach())
    assert searches.taken == 60


def test_the_lowest_point_seen_is_kept():
    """Against the whole path of a group, followed one gradient at a time."""
    recipe = search.read({**WELLS, "dimension": 1, "temperature": 0.15})
    options = {"start": "near", "lengths": [0], "walkers": 30, "steps": 200}
    whole, single = (Searches([recipe], [0.1], [1], search.Wells(1), **options) for _ in range(2))
    whole.run(200)
    path = []
    for _ in range(200):
        path.append(single.theta.clone())
        single.run(1)
    path = torch.stack(path)[:, 0]
    losses = wells.energy(path) - single.landscape.floor
    torch.testing.assert_close(whole.lowest[0], losses.amin(0))
    at_lowest = path[losses.argmin(0), torch.arange(30), 0]
    assert whole.reported[0].tolist() == (at_lowest < wells.places().top).tolist()
    assert whole.visited[0].tolist() == (path[..., 0] < wells.places().top).any(0).tolist()
    assert whole.now[0].tolist() == (path[-1, :, 0] < wells.places().top).tolist()
    assert 0 < whole.reported.sum() < 30


def test_restarts_find_as_often_as_independent_starts_do():
    """Slow descents from afar, 4 of them by each of 2,000 searches: 1 - (1 - p)^4, to 4 standard errors of a share.

    A point is found on the way down only where it is lower than what was seen before, so the last word counts.
    """
    recipe = search.read({**WELLS, "start": "far", "damping": 0.99, "length": 60, "steps": 240, "walkers": 2000})
    options = {"start": "far", "lengths": [60], "walkers": 2000, "steps": 240}
    searches = Searches([recipe], [0.08], [5], search.Wells(2), **options)
    searches.run(240)
    expected = wells.restarts("far", 2, 4)
    share = searches.reported.float().mean().item()
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 2000))
    assert searches.lowest.min() >= -1e-6


def test_a_search_does_not_start_from_the_numbers_of_its_problem():
    """One seed gives both. Of the bare seed the starts would be the inputs, number by number, but for their scale."""
    recipe = search.read(PLANTED | {"samples": 200})
    landscape = search.landscape_of(recipe, [3])
    starts = landscape.draw(torch.Generator().manual_seed(3), 100, "far")[..., None] / landscape.scale
    own, bare = landscape.x, Planted([3], *recipe.shape).x
    assert torch.isclose(starts, bare.flatten(), rtol=1e-5).any(-1).double().mean() > 0.5
    assert torch.isclose(starts, own.flatten(), rtol=1e-5).any(-1).double().mean() < 0.05


def test_without_noise_and_restarts_a_search_is_plain_descent():
    recipe = search.read({**WELLS, "start": "far", "damping": 0.99, "steps": 100, "walkers": 50})
    options = {"start": "far", "lengths": [0], "walkers": 50, "steps": 100}
    searches = Searches([recipe], [0.05], [5], search.Wells(2), **options)
    start = searches.theta.clone()
    searches.run(100)
    assert searches.now.tolist() == wells.found(start).tolist()


def test_lost_walkers_are_counted_and_disturb_no_one():
    wild = Replica("wild", {**WELLS, "start": "far", "temperature": 0.1}, 0.9, 3)
    again = Replica("again", {**WELLS, "start": "far", "length": 10}, 0.9, 3)
    calm = Replica("calm", {**WELLS, "start": "far", "temperature": 0.1}, 0.1, 3)
    table = train([wild, again, calm]).groupby("arm").last()
    assert table.lost["wild"] > 0.3 and table.lost["calm"] == 0
    assert table.lost["again"] < table.lost["wild"]  # they were drawn anew
    assert table.lowest.notna().all() and table.gradients.eq(60).all()
    pd.testing.assert_frame_equal(train([calm]).groupby("arm").last(), table.loc[["calm"]], rtol=1e-4)


def test_every_column_is_explained_and_the_cost_is_the_same():
    table = train([replica(name, 0) for name in RECIPES])
    assert {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"} == {*search.COLUMNS}
    assert table.groupby("epoch").gradients.unique().map(list).to_dict() == {0: [0], 1: [20], 2: [40], 3: [60]}
    assert (table.found <= table.visited).all() and (table.settled <= table.visited).all()


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({**WELLS, "landscape": "hills"}, "landscape must be one of wells, planted, got 'hills'"),
        ({**WELLS, "dimension": 0}, "dimension must be a whole number of at least 1, got 0"),
        ({**WELLS, "start": "here"}, "start must be one of near, far, got 'here'"),
        ({**WELLS, "steps": 1.5}, "steps must be a whole number of at least 1, got 1.5"),
        ({**WELLS, "units": 3}, r"wells and langevin know no \['units'\]"),
        ({**PLANTED, "samples": None}, "samples must be a whole number of at least 1, got None"),
        ({**WELLS, "length": 0.2}, "length must be at least 1 step, or 0 for no restarts"),
        ({**WELLS, "length": 10, "temperature": 0.1}, "is for temperature 0, got 10.0 at temperature 0.1"),
        ({**WELLS, "optimizer": "adam"}, r"know|searches are moved by langevin or sgd, got 'adam'"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, message):
    recipe = dict(recipe)
    if recipe["optimizer"] == "adam":
        del recipe["damping"]
    with pytest.raises(ValueError, match=message):
        search.read(recipe)


def test_a_budget_that_does_not_fit():
    with pytest.raises(ValueError, match="steps must be a multiple of the epochs, 7, got 60"):
        train([replica("constant", 0)], epochs=7)
    with pytest.raises(ValueError, match=r"search knows no extras and no data, got \['x'\]"):
        train([replica("constant", 0)], extras=("x",))
    assert tasks.find("search").checksum("") == "none"


def test_searches_of_one_landscape_are_computed_together():
    ways = [search.read(RECIPES[name]) for name in ("constant", "annealed", "restarts")]
    assert arrange(ways, [0, 1, 2]) == [[0, 1, 2]]
    other = search.read({**RECIPES["constant"], "dimension": 3})
    assert sorted(arrange([*ways, other], [0, 1, 2, 3])) == [[0, 1, 2], [3]]
    assert other.size == 120 and search.read(PLANTED).size == 60
