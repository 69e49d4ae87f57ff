"""The task that is no classification: what it measures, on the digits, and that replicas do not meet."""

import math

import pandas as pd
import pytest
import torch

from physnn.lab.training import task as tasks
from physnn.lab.training.chunk import arrange
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import denoising

MLP = {"network": "mlp", "widths": [64, 32, 64], "noise_level": 0.2, "optimizer": "adamw", "weight_decay": 0.01}
CONVOLUTIONAL = {"network": "convolutional", "channels": 4, "noise_level": 0.3, "optimizer": "sgd", "momentum": 0.9}
HOT = {
    "network": "mlp", "widths": [64, 64], "noise_level": 0.2, "optimizer": "langevin", "damping": 0.1,
    "temperature": 1e-3, "scheme": "gjf", "lr_schedule": "cosine",
}  # fmt: skip
RECIPES = {"mlp": (MLP, 1e-3), "convolutional": (CONVOLUTIONAL, 0.1), "hot": (HOT, 0.5)}
ONCE = ("test_mse", "test_psnr")  # in the last row


def replica(name, seed):
    recipe, lr = RECIPES[name]
    return Replica(name, recipe, lr, seed)


def train(replicas, epochs=2, **budget):
    given = Budget("digits", epochs, **{"batch_size": 256, "test": True, **budget})
    rows = [row for chunk in chunks(replicas, given, task="denoising") for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def of(table, member):
    return table[(table.arm == member.arm) & (table.seed == member.seed)].reset_index(drop=True)


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    """Of other seeds, of its own seed at other rates, and in another order; the tables are equal to rounding."""
    member = replica(name, 3)
    others = [replica(name, seed) for seed in (0, 1)]
    same_seed = [Replica(f"rate {i}", member.recipe, member.lr / i, 3) for i in (2, 3, 4, 5)]
    alone = train([member])
    for company in ([*others, member], [member, *same_seed], [*same_seed[:2], others[0], member]):
        together = train(company)
        assert len(together) == 3 * len(company)
        pd.testing.assert_frame_equal(of(together, member), alone, rtol=2e-4, atol=2e-5)


def test_replicas_of_one_architecture_are_computed_together():
    recipes = [denoising.read({**MLP, "weight_decay": decay}) for decay in (0.0, 0.1)]
    assert arrange(recipes, [0, 1]) == [[0, 1]]
    louder = denoising.read({**MLP, "noise_level": 0.3})
    assert sorted(arrange([*recipes, louder], [0, 1, 2])) == [[0, 1], [2]]


@pytest.mark.parametrize("level", [0.05, 0.3])
def test_the_error_of_doing_nothing_is_the_variance_of_the_noise(level, monkeypatch):
    """A network that gives back what it gets: mse = sigma², to four standard errors of a mean of N squares."""
    monkeypatch.setattr(denoising.Recipe, "make", lambda self: Nothing())
    table = train([Replica("nothing", {**MLP, "noise_level": level}, 1e-30, seed) for seed in (0, 1)], epochs=1)
    for name, count in (("validation_mse", 300 * 64), ("loss", 1197 * 64), ("test_mse", 300 * 64)):
        values = table[name].dropna()
        assert len(values) and values.to_list() == pytest.approx([level**2] * len(values), rel=4 * math.sqrt(2 / count))
    assert table.validation_psnr.to_list() == pytest.approx(table.noisy_psnr.to_list())
    assert table.validation_psnr.to_list() == pytest.approx((-10 * table.validation_mse.map(math.log10)).to_list())
    # Training noise is each replica's own, validation noise that of all.
    assert table.validation_mse.nunique() == 1 and table.loss.dropna().nunique() == 2


class Nothing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.scale * x


@pytest.mark.parametrize("name", ["mlp", "convolutional"])
def test_it_learns_to_denoise(name):
    """From the noisy image's own PSNR by two decibels and more, which no guess that ignores the image reaches."""
    recipe = {key: value for key, value in RECIPES[name][0].items() if key != "momentum"}
    adam = {**recipe, "noise_level": 0.3, "optimizer": "adamw"}
    table = train([Replica(name, adam, 4e-3, 0)], epochs=12, batch_size=64)
    assert (table.validation_psnr - table.noisy_psnr).iloc[-1] > 2
    assert table.test_psnr.iloc[-1] == pytest.approx(table.validation_psnr.iloc[-1], abs=0.5)


def test_a_diverged_replica_is_kept_and_disturbs_no_one():
    calm, wild = replica("convolutional", 0), Replica("wild", CONVOLUTIONAL, 1e30, 1)
    late = Replica("late", {**MLP, "optimizer": "sgd", "momentum": 0.9, "widths": [64, 64]}, 1e3, 2)
    together = train([wild, calm, late])
    assert together[together.arm == "wild"].epoch.tolist() == [0]
    assert together[together.arm == "late"].epoch.tolist() == [0, 1]
    assert together.groupby("arm").diverged.all().to_dict() == {"convolutional": False, "wild": True, "late": True}
    pd.testing.assert_frame_equal(of(together, calm), train([calm]), rtol=2e-4, atol=2e-5)


def test_every_column_is_explained():
    table = train([replica("hot", 0), replica("mlp", 0)])
    measured = [*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"]
    assert {*measured} == {*denoising.COLUMNS}
    assert table[list(ONCE)].notna().all(axis=1).tolist() == [False, False, True] * 2
    assert not {*ONCE} & {*train([replica("hot", 0)], epochs=1, test=False)}
    hot, cold = table[table.arm == "hot"], table[table.arm == "mlp"]
    assert hot.kinetic.iloc[1] > 0 and cold.kinetic.isna().all() and hot.distance.iloc[0] == 0


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({**MLP, "network": "transformer"}, "network must be one of mlp, convolutional, got 'transformer'"),
        ({**MLP, "widths": [64]}, "widths must be two or more whole numbers, the pixels of an image first and last"),
        ({**MLP, "widths": [64, 32]}, r"widths must begin and end with the pixels of an image, got \[64, 32\]"),
        ({**MLP, "widths": [784, 784]}, r"widths must begin and end with 64, the pixels of digits, got \[784, 784\]"),
        ({**MLP, "channels": 3}, r"mlp and adamw know no \['channels'\]"),
        ({**MLP, "noise_level": 0.0}, "noise_level must be above 0, got 0.0"),
        ({**MLP, "noise_level": None}, "noise_level must be a finite number, got None"),
        ({**MLP, "momentum": 0.9}, r"mlp and adamw know no \['momentum'\]"),
        ({**MLP, "optimizer": "lbfgs"}, "optimizer must be one of sgd, langevin, adam, adamw, got 'lbfgs'"),
        ({**CONVOLUTIONAL, "kernel": 4}, "kernel must be odd, so that images keep their size, got 4"),
        ({**CONVOLUTIONAL, "channels": 2.5}, "channels and kernel must be whole numbers, got 2.5 and 3"),
        ({**CONVOLUTIONAL, "widths": [64, 64]}, r"convolutional and sgd know no \['widths'\]"),
        ({**CONVOLUTIONAL, "momentum": 1.0}, "damping, or 1 - momentum, must lie between 0 and 2"),
    ],
)
def test_a_recipe_that_is_not_understood(recipe, message):
    with pytest.raises(ValueError, match=message):
        train([Replica("a", recipe, 0.1, 0)], epochs=1)


def test_the_size_is_that_of_the_network():
    for recipe, _ in RECIPES.values():
        read = tasks.find("denoising").read(recipe)
        assert read.size == sum(p.numel() for p in read.make().parameters())


def test_no_extras():
    with pytest.raises(ValueError, match=r"denoising knows no extras, got \['corruptions'\]"):
        train([replica("mlp", 0)], epochs=1, extras=("corruptions",))
