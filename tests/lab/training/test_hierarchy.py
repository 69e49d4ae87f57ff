"""The task with a tree over its classes: replicas do not meet, measures are right, and bad recipes are refused."""

import pandas as pd
import pytest
import torch

from physnn.lab.data import trees
from physnn.lab.data.images import load
from physnn.lab.models.network import seeded
from physnn.lab.records.studies import Study
from physnn.lab.training import task as tasks
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import hierarchy

TREE = {"branching": 2, "depth": 3, "noise_level": 1.0}
ENTROPY = {"loss": "cross-entropy", "optimizer": "adam"}
GINZBURG_LANDAU = {
    "loss": "ginzburg-landau", "quadratic": 0.0035, "quartic": -5.0, "spatial": 0.5, "norm": "batch",
    "boundary": "periodic", "outer": "abs", "optimizer": "langevin", "damping": 0.1, "temperature": 1e-4,
}  # fmt: skip
DYNAMIC = {"layer": "dynamic", "beta_init": 0.1, "widths": [32, 4, 8], **ENTROPY}
RECIPES = {
    "linear": {"layer": "linear", "widths": [32, 4, 8], **ENTROPY},
    "proposal": {"layer": "experimental", "beta_init": 0.1, "widths": [32, 4, 8], **GINZBURG_LANDAU},
    "constant": DYNAMIC | {"gate": 0.5},
    "next": DYNAMIC | {"gate": "next"},
    "without": DYNAMIC | {"gate": 0.5, "beta_init": 0.0, "frozen": ["beta", "t"]},
    "film": {"layer": "film", "widths": [32, 4, 8], **ENTROPY},
    "lorentz": {"layer": "lorentz", "widths": [32, 4, 8], **ENTROPY},
    "poincare": {"layer": "poincare", "widths": [32, 4, 8], **ENTROPY},
    "hyperplanes": {"layer": "hyperplanes", "widths": [32, 5, 4, 8], **ENTROPY},
    "flat": {"layer": "flat", "widths": [32, 4, 8], **ENTROPY},
}


def train(replicas, epochs=1, data="trees", **budget):
    given = Budget(data, epochs, **{"batch_size": 640, "test": True, **budget})
    rows = [row for chunk in chunks(replicas, given, task="hierarchy") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def replica(name, seed, lr=0.01):
    return Replica(name, RECIPES[name] | TREE, lr, seed)


def of(table, member):
    return table[(table.arm == member.arm) & (table.seed == member.seed)].reset_index(drop=True)


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    """Of another seed, whose tree is another, and of its own at other rates."""
    member = replica(name, 3)
    alone = train([member])
    company = [replica(name, 0), *(Replica(f"rate {i}", member.recipe, member.lr / i, 3) for i in (2, 3, 4)), member]
    together = train(company)
    pd.testing.assert_frame_equal(of(together, member), alone, rtol=2e-4, atol=2e-3)
    assert alone.best_accuracy.iloc[-1] != of(together, company[0]).best_accuracy.iloc[-1]


@pytest.mark.parametrize("name", RECIPES)
def test_the_size_is_that_of_the_network(name):
    recipe = tasks.find("hierarchy").read(RECIPES[name] | TREE)
    assert recipe.size == sum(p.numel() for p in recipe.make().parameters() if p.requires_grad)


def test_it_learns_the_tree_and_the_nearest_leaf_is_better():
    """One leaf of eight by chance; errors are lower in the tree than chance's, whose mean height is 17/21."""
    table = train([replica("linear", 1, lr=0.03)], epochs=4, batch_size=64)
    last = table.iloc[-1]
    assert 0.5 < last.test_accuracy < last.best_accuracy and last.test_height < 0.7
    tree = trees.noisy_tree(2, 3, 1.0, 1 ^ hierarchy.DRAWN)
    answers = trees.nearest(tree.test.inputs, tree.centres)
    assert last.best_accuracy == (answers == tree.test.labels).double().mean().item()
    wrong = answers != tree.test.labels
    assert last.best_height == pytest.approx(tree.heights[answers, tree.test.labels][wrong].mean().item())
    assert table.validation_accuracy.iloc[0] == pytest.approx(1 / 8, abs=0.15)
    assert table.test_accuracy.isna().tolist() == [True] * 4 + [False]


def test_a_network_does_not_start_from_the_steps_of_its_tree():
    """One seed gives both. Steps are what a tree adds up to its centres; the weights agree with no stretch of them."""
    recipe = tasks.find("hierarchy").read(RECIPES["proposal"] | TREE | {"depth": 6, "widths": [32, 17, 64]})
    weights = seeded(recipe.make, 3)[0][1].w.detach().flatten()

    def agreement(seed):
        generator = torch.Generator().manual_seed(seed)
        steps = torch.cat([torch.randn(2**level * 32, generator=generator) for level in range(1, 7)])
        first = trees.noisy_tree(2, 6, 1.0, seed).centres[:, 0]
        assert first[0] - first[1] == pytest.approx((steps[-64 * 32] - steps[-63 * 32]).item() / 6**0.5, abs=1e-5)
        stretches = steps.unfold(0, len(weights), 16)
        return torch.corrcoef(torch.cat([weights[None], stretches]))[0, 1:].abs().max().item()

    problem = hierarchy.Problem.of(Budget("trees", 1, 64), recipe, [3])
    assert torch.equal(problem.centres[0], trees.noisy_tree(2, 6, 1.0, 3 ^ hierarchy.DRAWN).centres)
    assert agreement(3 ^ hierarchy.DRAWN) < 0.2 and agreement(3) > 0.99, "what the draw is kept apart from"


def test_of_images_the_tree_is_that_of_the_labels():
    recipe = {"layer": "linear", "widths": [64, 10], **ENTROPY}
    table = train([Replica("linear", recipe, 0.01, seed) for seed in (0, 1)], epochs=3, data="digits", batch_size=64)
    last = table[table.epoch == 3]
    assert (last.test_accuracy > 0.85).all() and "best_accuracy" not in table
    assert last.test_height.between(0, 1).all() and last.test_accuracy.nunique() == 2
    heights = trees.linkage_heights(trees.label_tree(load("digits")))
    assert last.chance_height.to_list() == pytest.approx([heights.sum().item() / 90] * 2)


def test_every_column_is_explained():
    table = train([replica("proposal", 0)])
    assert {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"} == {*hierarchy.COLUMNS}
    assert not {"test_accuracy", "best_height"} & {*train([replica("linear", 0)], test=False)}


def test_a_diverged_replica_is_kept_and_disturbs_no_one():
    wild = Replica("wild", RECIPES["poincare"] | TREE, 1e30, 1)
    together = train([wild, replica("poincare", 0)])
    assert together.groupby("arm").diverged.all().to_dict() == {"poincare": False, "wild": True}
    pd.testing.assert_frame_equal(of(together, replica("poincare", 0)), train([replica("poincare", 0)]), rtol=2e-4)


LINEAR = RECIPES["linear"]


@pytest.mark.parametrize(
    ("recipe", "data", "message"),
    [
        (
            LINEAR,
            "trees",
            "branching, depth and noise_level are for the data trees, and needed there, got data 'trees'",
        ),
        (LINEAR | TREE, "digits", "needed there, got data 'digits'"),
        (LINEAR | TREE | {"depth": 4}, "trees", r"widths must begin with 32 and end with 16 leaves, got \[32, 4, 8\]"),
        (LINEAR | TREE | {"noise_level": 0.0}, "trees", "noise must be a number above 0, got 0.0"),
        (LINEAR | TREE | {"branching": None}, "trees", "got None and 3"),
        (LINEAR, "digits", r"widths must begin with 64 and end with 10 for digits, got \[32, 4, 8\]"),
        (LINEAR | {"layer": "elliptic"}, "digits", "layer must be one of linear"),
        (LINEAR | {"label_noise": 0.1}, "digits", "hierarchy knows no images, label_noise and smoothness"),
        (RECIPES["lorentz"] | {"bias": False}, "digits", "no bias of layers that keep a geometry"),
        (RECIPES["lorentz"] | {"beta_init": 0.1}, "digits", "know no"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, data, message):
    with pytest.raises(ValueError, match=message):
        train([Replica("a", recipe, 0.1, 0)], data=data)


def test_no_extras():
    with pytest.raises(ValueError, match=r"hierarchy knows no extras, got \['corruptions'\]"):
        train([replica("linear", 0)], extras=("corruptions",))


def test_data_have_checksums():
    assert hierarchy.checksum("trees") == trees.checksum() != hierarchy.checksum("digits")
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("name", ["trees", "label-tree"])
def test_all_arms_of_the_studies_have_as_many_parameters(name):
    """As the plain network, to 2.5 %: what the designs and the chapter say."""
    study = Study(name)
    sizes = {arm: hierarchy.read(recipe).size for arm, recipe in study.arms.items()}
    plain = {size for arm, size in sizes.items() if arm.endswith("linear")}
    assert len(plain) == 1
    assert all(abs(size / plain.copy().pop() - 1) < 0.025 for size in sizes.values())


def test_the_trees_of_the_study_differ_in_their_levels_and_noise_alone():
    shapes = Study("trees").design["models"].values()
    assert {shape["branching"] ** shape["depth"] for shape in shapes} == {64}
