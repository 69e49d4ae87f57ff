"""Players of bandits: each alone as in company, the law of what Langevin draws, and the ends of what can be chosen."""

import pandas as pd
import pytest
import torch

from physnn.lab.models.bandits import Bandits
from physnn.lab.training import task as tasks
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import bandits

SHARED = {"rewards": "linear", "bandits": 20, "arms": 6, "features": 3, "rounds": 40}
MOVED = {**SHARED, "player": "langevin", "inner": 5, "damping": 0.3}
RECIPES = {
    "langevin": {**MOVED, "temperature": 1.0},
    "cold": MOVED,
    "gauss": {**SHARED, "player": "gauss"},
    "greedy": {**SHARED, "player": "greedy"},
    "logistic": {**MOVED, "rewards": "logistic", "temperature": 1.0},
    "laplace": {**SHARED, "rewards": "logistic", "player": "gauss"},
}


def replica(name, seed, lr=0.2):
    return Replica(name, RECIPES[name], lr, seed)


def play(replicas, epochs=2, **budget):
    rows = [row for chunk in chunks(replicas, Budget("", epochs, **budget), task="bandits") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    alone = play([replica(name, 3)])
    together = play([replica(name, 1), *(replica(other, 3, 0.1) for other in RECIPES), replica(name, 3)])
    found = together[(together.arm == name) & (together.seed == 3) & (together.lr == 0.2)]
    pd.testing.assert_frame_equal(found.reset_index(drop=True), alone, rtol=1e-3, atol=2e-3)


def moved(temperature, count, inner, lr=0.1, damping=0.3):
    """Return many bandits after one pull each, and a player that has taken steps since."""
    several = Bandits([5], "linear", count, 3, 2, 2)
    recipe = bandits.read({**MOVED, "bandits": count, "arms": 3, "features": 2, "rounds": 2, "inner": inner,
                           "damping": damping, "temperature": temperature})  # fmt: skip
    player = bandits.Moved(several, [recipe], [lr], [6])
    several.pull(several.utility(player.weights()).argmax(-1))
    return several, player.weights()


def test_without_noise_the_top_of_the_posterior_is_reached():
    several, weights = moved(0.0, 20, 400)
    torch.testing.assert_close(weights, several.laplace(torch.zeros_like(weights))[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_with_noise_the_posterior_is_sampled(temperature):
    """Whitened, 8,000 numbers have mean 0 and variance tau, to 4 standard errors and the known error of the step."""
    several, weights = moved(temperature, 4000, 300, lr=0.02)
    top, precision = several.laplace(torch.zeros_like(weights))
    white = (torch.linalg.cholesky(precision).mT @ (weights - top).unsqueeze(-1)).flatten()
    assert white.mean().abs() < 4 * (temperature / 8000) ** 0.5
    largest = 0.02 * torch.linalg.eigvalsh(precision).max().item()
    above = 1 / (1 - largest / (2 * (2 - 0.3)))
    assert 1 - 4 * (2 / 8000) ** 0.5 < white.var().item() / temperature < above + 4 * (2 / 8000) ** 0.5


def test_the_ends_of_what_can_be_chosen():
    """Blind pulls have the regret of blind pulls, greed is behind, and who knows the posterior is far ahead."""
    longer = {"bandits": 60, "rounds": 200}
    recipes = {name: {**RECIPES[name], **longer} for name in ("gauss", "greedy")}
    rows = play([Replica(name, recipes[name], lr, 3) for name in recipes for lr in (1e-9, 1.0)], 1)
    end = rows[rows.epoch == 1].set_index(["arm", "lr"]).regret
    assert end["greedy", 1.0] == pytest.approx(1, abs=0.03)
    assert end["gauss", 1.0] < 0.15
    assert end["greedy", 1e-9] > 1.5 * end["gauss", 1.0] and end["gauss", 1e-9] > 1.5 * end["gauss", 1.0]


def test_a_player_that_diverges_disturbs_no_one():
    wild, calm = Replica("wild", RECIPES["langevin"], 50.0, 3), replica("langevin", 3)
    table = play([wild, calm])
    assert (table[table.arm == "wild"].epoch < 2).all() and table[table.arm == "wild"].diverged.all()
    pd.testing.assert_frame_equal(
        table[table.arm == "langevin"].reset_index(drop=True), play([calm]), rtol=1e-3, atol=2e-3
    )


def test_every_column_is_explained():
    table = play([replica(name, 0) for name in RECIPES])
    assert {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"} == {*bandits.COLUMNS}
    assert tasks.find("bandits").checksum("") == "none" and bandits.read(MOVED).size == 360


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({**MOVED, "player": "oracle"}, "player must be one of langevin, gauss, greedy, got 'oracle'"),
        ({**MOVED, "rewards": "cubic"}, "rewards must be one of linear, logistic, got 'cubic'"),
        ({**MOVED, "inner": 0}, "inner must be a whole number of at least 1, got 0"),
        ({**MOVED, "damping": 2.0}, "damping must lie between 0 and 2, both excluded, .* got 2.0 and 0.0"),
        ({**RECIPES["gauss"], "damping": 0.1}, r"gauss knows no \['damping'\]"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, message):
    with pytest.raises(ValueError, match=message):
        bandits.read(recipe)


def test_a_budget_that_does_not_fit():
    with pytest.raises(ValueError, match="rounds must be a multiple of the epochs, 7, got 40"):
        play([replica("gauss", 0)], 7)
    with pytest.raises(ValueError, match=r"bandits knows no extras and no data, got \['x'\]"):
        play([replica("gauss", 0)], extras=("x",))
