"""The task of many problems: replicas do not meet, networks and trees learn, and bad recipes are refused."""

import pandas as pd
import pytest

from physnn.lab.training import task as tasks
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import problems

TUMOURS = {"problem": "tumours", "samples": 284, "shape": [30, 2]}
IMAGES = {"problem": "images", "samples": 300, "shape": [64, 10], "label_noise": 0.2}
TREE = {"problem": "tree", "samples": 640, "shape": [32, 64]}
GINZBURG_LANDAU = {
    "loss": "ginzburg-landau", "quadratic": 0.0035, "quartic": -5.0, "spatial": 0.5, "norm": "batch",
    "boundary": "periodic", "outer": "abs", "optimizer": "langevin", "damping": 0.1, "temperature": 2e-5,
}  # fmt: skip
ADAMW = {
    "method": "network", "hidden": [8], "layer": "linear", "loss": "cross-entropy", "optimizer": "adamw",
    "weight_decay": 0.01, "lr_schedule": "cosine",
}  # fmt: skip
PROPOSAL = {"method": "network", "hidden": [8], "layer": "experimental", "beta_init": 0.1, **GINZBURG_LANDAU}
BOOSTED = {"method": "boosted trees", "leaves": 6.4, "leaf_samples": 4.0, "ridge": 0.1}
RECIPES = {
    "proposal": ({**TUMOURS, **PROPOSAL}, 0.01),
    "images": ({**IMAGES, **ADAMW}, 0.01),
    "tree": ({**TREE, **ADAMW}, 0.01),
    "boosted": ({**TUMOURS, **BOOSTED}, 0.2),
}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(problems, "STEPS", 40)


def replica(name, seed, **more):
    recipe, lr = RECIPES[name]
    return Replica(name, {**recipe, **more}, lr, seed)


def train(replicas, epochs=1, **budget):
    given = Budget("digits", epochs, **{"batch_size": 32, "test": True, **budget})
    rows = [row for chunk in chunks(replicas, given, task="problems") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def of(table, member):
    return table[(table.arm == member.arm) & (table.seed == member.seed)].reset_index(drop=True)


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    """Of another seed, whose samples are others, and of its own at other rates."""
    member = replica(name, 3)
    alone = train([member])
    company = [replica(name, 0), *(Replica(f"rate {i}", member.recipe, member.lr / i, 3) for i in (2, 3, 4)), member]
    together = of(train(company), member)
    pd.testing.assert_frame_equal(together[alone.columns], alone, rtol=2e-3, atol=2e-3)


def test_trials_of_one_network_are_computed_together():
    """Whatever a trial draws, start value and coefficients too, is no reason to compute it by itself."""
    read = tasks.find("problems").read
    one, other = (
        read({**TUMOURS, **PROPOSAL, "beta_init": beta, "spatial": beta, "temperature": beta, "damping": beta})
        for beta in (0.1, 0.2)
    )
    assert one.architecture == other.architecture != read({**TUMOURS, **ADAMW}).architecture
    assert not one.alone and read({**TUMOURS, **BOOSTED}).alone


@pytest.mark.parametrize(("name", "least"), [("proposal", 0.8), ("images", 0.6), ("tree", 0.1), ("boosted", 0.9)])
def test_it_learns(name, least):
    """From chance: of two classes the more frequent one, 63 %, of ten one in ten, of 64 leaves one in 64."""
    table = train([replica(name, 1)], epochs=4)
    assert table.validation_accuracy.iloc[-1] > least and table.test_accuracy.iloc[-1] > least
    assert table.validation_accuracy.iloc[0] < 0.75
    assert table.test_accuracy.isna().tolist() == [True] * 4 + [False]


def test_every_column_is_explained():
    table = train([replica("boosted", 0), replica("images", 0)])
    measured = [*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"]
    assert {*measured} == {*problems.COLUMNS}
    assert "test_accuracy" not in train([replica("boosted", 0)], test=False)


def test_a_diverged_replica_disturbs_no_one():
    calm, wild = (
        replica("images", 0),
        Replica("wild", RECIPES["images"][0] | {"optimizer": "sgd", "momentum": 0.9}, 1e30, 0),
    )
    calm = Replica("calm", wild.recipe, 0.1, 0)
    together = train([wild, calm])
    assert together[together.arm == "wild"].epoch.tolist() == [0]
    pd.testing.assert_frame_equal(of(together, calm), train([calm]), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({**TUMOURS, **ADAMW, "problem": "faces"}, "problem must be one of images, .*, got 'faces'"),
        ({**TUMOURS, **ADAMW, "samples": 2.5}, "samples must be a whole number of at least 1, got 2.5"),
        ({**TUMOURS, **ADAMW, "shape": [30]}, r"shape must be two whole numbers, features and classes, got \[30\]"),
        ({**TUMOURS, **ADAMW, "shape": [30, 3]}, r"shape must be \[30, 2\], the features and classes of tumours"),
        ({**TUMOURS, **ADAMW, "label_noise": 0.1}, "label_noise is of images, got 0.1 for tumours"),
        ({**TUMOURS, **ADAMW, "hidden": 8}, "hidden must be a list of widths, which may be empty, got 8"),
        ({**TUMOURS, **ADAMW, "widths": [3, 2]}, r"networks know no \['widths'\] here"),
        ({**TUMOURS, **ADAMW, "momentum": 0.9}, r"linear, cross-entropy and adamw know no \['momentum'\]"),
        ({**TUMOURS, **ADAMW, "method": "forest"}, "method must be one of network, boosted trees, got 'forest'"),
        ({**TUMOURS, **BOOSTED, "hidden": [8]}, r"boosted trees know no \['hidden'\]"),
        ({**TUMOURS, **BOOSTED, "leaves": 1.0}, "leaves must be at least 2"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, message):
    with pytest.raises(ValueError, match=message):
        train([Replica("a", recipe, 0.1, 0)])


def test_the_size_is_that_of_the_network():
    read = tasks.find("problems").read
    for name in ("proposal", "images"):
        recipe = read(RECIPES[name][0])
        assert recipe.size == sum(p.numel() for p in recipe.method.network().parameters())
    assert read(RECIPES["boosted"][0]).size == 6 * problems.ROUNDS * 2


def test_no_extras():
    with pytest.raises(ValueError, match=r"problems know no extras, got \['corruptions'\]"):
        train([replica("boosted", 0)], extras=("corruptions",))
