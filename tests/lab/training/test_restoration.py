"""The task of restoration, on the digits: replicas do not meet, splits are apart, and what it measures is explained."""

import pandas as pd
import pytest
import torch

from physnn.lab.data.images import load
from physnn.lab.models.restorers import METHODS, restore
from physnn.lab.training import task as tasks
from physnn.lab.training.chunk import arrange
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import restoration

NOISE = {"method": "tikhonov", "images": 12, "noise_level": 0.3}
GAPS = {**NOISE, "method": "spatial", "missing": 0.5, "binary": True}
WELL = {**NOISE, "method": "allen-cahn", "well": 2.0, "binary": True}
RECIPES = {"noise": NOISE, "gaps": GAPS, "well": WELL}


def train(replicas, epochs=1, test=True, **budget):
    given = Budget("digits", epochs, test=test, **budget)
    rows = [row for chunk in chunks(replicas, given, task="restoration") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    member = Replica(name, RECIPES[name], 0.4, 3)
    others = [Replica("other", RECIPES[name], 0.4 * i, seed) for i, seed in ((1, 0), (2, 3), (3, 1))]
    alone, together = train([member]), train([*others, member])
    mine = together[(together.arm == name)].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone, rtol=1e-9)


def test_replicas_of_one_seed_see_the_same_whatever_the_method():
    rows = train(
        [Replica(m, {**NOISE, "method": m} | ({"well": 1.0} if m == "allen-cahn" else {}), 0.2, 5) for m in METHODS]
    )
    before = rows[rows.epoch == 0]
    assert before.validation_psnr.nunique() == 1 and len(before) == len(METHODS)
    after = rows[(rows.epoch == 1) & (rows.arm == "nothing")]
    assert after.validation_psnr.item() == before.validation_psnr.iloc[0]
    assert not rows.diverged.any()


def test_the_rows_are_what_the_method_makes_of_the_images_of_the_split():
    recipe = restoration.read(WELL)
    row = train([Replica("well", WELL, 0.3, 8)]).iloc[-1]
    for split in ("validation", "test"):
        clean, image, mask = restoration.sample("digits", split, recipe, 8)
        restored = restore("allen-cahn", image, mask, 0.3, 2.0)
        assert row[f"{split}_psnr"] == pytest.approx(-10 * (restored - clean).square().mean().log10().item())
        wrong = ((restored >= 0.5) != (clean >= 0.5)).double().mean().item()
        assert row[f"{split}_pixel_error"] == pytest.approx(wrong)
        everything = load("digits").as_input(getattr(load("digits"), split).images).squeeze(1).double()
        known = {tuple((each >= 0.5).flatten().tolist()) for each in everything}
        assert all(tuple((each >= 0.5).flatten().tolist()) in known for each in clean)
        assert set(clean.unique().tolist()) == {0, 1} and mask is None
    assert row.test_excess_spatial == pytest.approx(row.test_spatial - restoration.roughness(clean)["spatial"])


def test_seeds_and_splits_have_images_and_damage_of_their_own():
    recipe, seen = restoration.read(GAPS), []
    for split in ("validation", "test"):
        for seed in (0, 1):
            clean, image, mask = restoration.sample("digits", split, recipe, seed)
            again = restoration.sample("digits", split, recipe, seed)
            assert all(torch.equal(a, b) for a, b in zip((clean, image, mask), again, strict=True))
            seen.append((clean, image))
    assert len({tuple(clean.flatten().tolist()) for clean, _ in seen}) == 4


def test_every_column_is_explained_and_the_test_is_read_only_where_it_is_asked_for():
    table = train([Replica("noise", NOISE, 0.4, 0)])
    measured = [*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"]
    assert {*measured} == {*restoration.COLUMNS}
    assert table.test_psnr.notna().tolist() == [False, True]
    without = train([Replica("noise", NOISE, 0.4, 0)], test=False)
    assert not [name for name in without if name.startswith("test")]
    assert without.validation_psnr.tolist() == table.validation_psnr.tolist()


def test_they_are_put_together_by_architecture():
    recipes = [restoration.read(r) for r in (WELL, {**WELL, "well": 0.3}, NOISE)]
    assert sorted(map(sorted, arrange(recipes, [0, 1, 2]))) == [[0, 1], [2]]
    assert tasks.find("restoration").read(NOISE).size == 12 * 784


def test_what_is_not_finite_has_diverged(monkeypatch):
    monkeypatch.setitem(METHODS, "tikhonov", lambda image, mask, strength, well: image / 0)
    table = train([Replica("noise", NOISE, 0.4, 0), Replica("gaps", GAPS, 0.4, 0)])
    assert table[table.arm == "noise"].epoch.tolist() == [0] and table[table.arm == "gaps"].epoch.tolist() == [0, 1]
    assert table.groupby("arm").diverged.all().to_dict() == {"noise": True, "gaps": False}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "wavelets"}, "method must be one of nothing, printed, .*, got 'wavelets'"),
        ({"images": 0}, "images must be a whole number of at least 1, got 0"),
        ({"images": 301}, "images must be at most 300, the validation images of digits, got 301"),
        ({"noise_level": None}, "noise_level must be a finite number, got None"),
        ({"noise_level": -0.1}, "noise_level must be at least 0"),
        ({"missing": 1.0}, r"missing in \[0, 1\)"),
        ({"binary": 1}, "binary must be true or false, got 1"),
        ({"well": 1.0}, r"tikhonov knows no \['well'\]"),
        ({"method": "allen-cahn"}, "well must be a finite number, got None"),
        ({"method": "allen-cahn", "well": 0.0}, "well must be above 0, got 0.0"),
    ],
)
def test_a_recipe_that_is_not_understood(change, message):
    with pytest.raises(ValueError, match=message):
        train([Replica("a", {**NOISE, **change}, 0.1, 0)])


def test_a_budget_or_a_strength_that_makes_no_sense():
    with pytest.raises(ValueError, match="epochs must be 1, as an image is restored once, got 2"):
        train([Replica("a", NOISE, 0.1, 0)], epochs=2)
    with pytest.raises(ValueError, match=r"lr is the strength, and must be above 0, got \[-1.0\]"):
        train([Replica("a", NOISE, -1.0, 0)])
    with pytest.raises(ValueError, match=r"restoration knows no extras, got \['coherence'\]"):
        train([Replica("a", NOISE, 0.1, 0)], extras=("coherence",))
