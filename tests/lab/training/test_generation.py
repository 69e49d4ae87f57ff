"""Small pictures made from noise: the study's task, and the heat of machines at work."""

import pandas as pd
import pytest
import torch

from physnn.lab.data.small import draw, small
from physnn.lab.models.maker import DT, STEPS, read
from physnn.lab.training import making
from physnn.lab.training import task as tasks
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import generation

FEW = {"images": 3, "levels": "two", "against": "own", "made": 100}
MANY = {"images": 300, "levels": "gray", "made": 100}
MACHINE = {"model": "machine", "amplitude": 4.0, "hold": 0.3, "quartic": 0.08}
RECIPES = {
    "machine": {**MANY, **MACHINE},
    "hidden": {**MANY, **MACHINE, "hidden": 8},
    "stages": {**MANY, **MACHINE, "stages": 4},
    "few": {**FEW, **MACHINE},
    "normal": {**MANY, "model": "normal"},
    "copula": {**MANY, "model": "copula"},
    "boltzmann": {**MANY, "model": "boltzmann", "hidden": 8, "steps": 20},
    "diffusion": {**MANY, "model": "diffusion", "hidden": 8, "steps": 20, "amplitude": 4.0, "hold": 0.1},
}


def train(replicas, **budget):
    rows = [
        row for chunk in chunks(replicas, Budget("digits", 1, 32, **budget), task="generation") for row in chunk.rows
    ]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"], errors="ignore")


def replica(name, seed=3, lr=0.01):
    return Replica(name, RECIPES[name], lr, seed)


def test_alone_is_as_in_company():
    names = ("machine", "normal", "boltzmann", "diffusion")
    together = train([replica(name, seed) for name in names for seed in (1, 3)])
    for name in names:
        alone = train([replica(name)])
        found = together[(together.arm == name) & (together.seed == 3)][alone.columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(found.dropna(axis=1, how="all"), alone, rtol=1e-4)


def test_every_column_is_explained_and_the_copyist_is_the_floor():
    table = train([replica(name) for name in RECIPES], test=True)
    measured = {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"}
    assert measured == {*generation.COLUMNS}
    floor, end = (table[table.epoch == epoch].set_index("arm") for epoch in (0, 1))
    assert not table.diverged.any() and len(end) == len(RECIPES)
    assert (floor.near.drop("few") < 1e-6).all() and floor.near.few < 1e-6
    assert (end.near > 0.1).all() and (end.seen_apart > 0).all() and (end.apart > -0.05).all()
    assert end.seen_apart.boltzmann > 5 * floor.seen_apart.boltzmann  # after twenty steps
    assert end[["heat", "irreversible", "half_heats", "double"]].notna().all(axis=1).sum() == 4
    assert floor.between.few == 0 and floor.seen_apart.few < 0.5
    for column in (generation.SCORE, generation.RESULT):
        assert generation.COLUMNS[column].larger is False
    assert tasks.find("generation").checksum("digits") == generation.load("digits").checksum


def test_three_pictures_are_kept_by_wells_and_blurred_without():
    """Of ten draws in a row: no chance is left that a test would have to allow for."""
    table = train([replica("few", seed) for seed in range(10)] + [_flat(seed) for seed in range(10)])
    end = table[table.epoch == 1].pivot(index="seed", columns="arm", values="validation_apart")
    assert (end.few < end.flat).sum() >= 9


def _flat(seed):
    return Replica("flat", {**RECIPES["few"], "quartic": 0.0}, 0.01, seed)


def test_the_heat_is_what_the_energy_falls_by():
    """To a twentieth in steps of 0.05."""
    recipe = read(RECIPES["machine"])
    pictures = draw("digits", "gray", 300, torch.Generator().manual_seed(0))
    working = making.fitted(recipe, pictures)
    made, emitted, fallen = making.made_by(working, recipe, torch.Generator().manual_seed(1))
    assert made.shape == (100, 64) and emitted.mean() > 20
    assert (emitted.mean() - fallen.mean()).abs() < 0.05 * fallen.mean()


@pytest.mark.parametrize("stages", [1, 4])
def test_irreversibility_is_half_of_the_heats_and_the_rest_of_the_action(stages):
    """The rest by slopes and curvatures along the same paths; to a tenth in steps of 0.05."""
    recipe = read({**RECIPES["machine"], "stages": stages})
    pictures = draw("digits", "gray", 300, torch.Generator().manual_seed(0))
    working = making.fitted(recipe, pictures)
    ratio, heats = making.reversed_paths(working, recipe, pictures, torch.Generator().manual_seed(2))
    p = recipe.amplitude * pictures.double()
    path, rest = recipe.fade.paths(p, torch.Generator().manual_seed(2)), 0.0
    for k, centre in enumerate(recipe.fade.centres.tolist()):
        own, x = working[stages - 1 - k // (STEPS // stages)], path[k]
        slopes = own.slope(x).square().sum(1) - (x - centre * p).square().sum(1)
        curvature = (2 * own.quadratic + 12 * own.quartic * x.square() - 1).sum(1)
        rest += DT * (slopes / 4 - curvature / 2).mean().item()
    assert abs(rest) > 10
    assert ratio - heats == pytest.approx(rest, rel=0.1)


def test_the_quartic_makes_the_reverse_more_probable():
    """Of held-out pictures, on the same noising paths."""
    pictures = draw("digits", "two", 1000, torch.Generator().manual_seed(0))
    held, _ = small("digits", "validation", "two")
    costs = []
    for quartic in (0.0, 0.08):
        recipe = read({**RECIPES["machine"], "levels": "two", "quartic": quartic})
        working = making.fitted(recipe, pictures)
        costs.append(making.reversed_paths(working, recipe, held, torch.Generator().manual_seed(3))[0])
    assert costs[1] < costs[0] - 5


def test_sizes_are_those_of_what_is_fitted():
    sizes = {name: read(RECIPES[name]).size for name in RECIPES}
    assert sizes["machine"] == sizes["normal"] == 64 * 65 // 2 + 64 and sizes["stages"] == 4 * sizes["machine"]
    assert sizes["hidden"] == 72 * 73 // 2 + 72 and sizes["boltzmann"] == 64 * 8 + 64 + 8
    assert sizes["diffusion"] == 66 * 8 + 9 * 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "oracle"}, "model must be one of machine, normal, copula, boltzmann, diffusion, got 'oracle'"),
        ({"levels": "four"}, "levels must be one of gray, two, got 'four'"),
        ({"against": "all"}, "against must be one of held, own, got 'all'"),
        ({"images": 1}, r"images must be whole numbers, at least \[2\], got {'images': 1}"),
        ({"made": 2.5}, "made must be whole numbers"),
        ({"amplitude": 0}, "amplitude must be above 0, and quartic at least 0, got 0.0, 0.08"),
        ({"quartic": -1}, "amplitude must be above 0, and quartic at least 0, got 4.0, -1.0"),
        ({"hold": 0.95}, "together below 1, got Fade"),
        ({"gone": 0.7}, "together below 1, got Fade"),
        ({"hidden": 65}, "hidden must be at most 64, and stages divide 200"),
        ({"stages": 3}, "hidden must be at most 64, and stages divide 200"),
        ({"clock": True}, r"machine knows no \['clock'\]"),
        ({"bounded": True}, r"machine knows no \['bounded'\]"),
    ],
)
def test_a_recipe_that_is_not_understood(change, message):
    with pytest.raises(ValueError, match=message):
        read({**RECIPES["machine"], **change})


def test_other_budgets_are_refused():
    with pytest.raises(ValueError, match=r"generation knows no extras, got \['x'\]"):
        train([replica("normal")], extras=("x",))
    with pytest.raises(ValueError, match="epochs must be 1, as steps are the recipe's, got 2"):
        list(chunks([replica("normal")], Budget("digits", 2), task="generation"))
    with pytest.raises(ValueError, match="images must be from 1 to 1197, got 2000"):
        train([Replica("normal", {**RECIPES["normal"], "images": 2000}, 0.1, 0)])
