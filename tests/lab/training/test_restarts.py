"""The best of several short trainings: equal cost, the best one kept, and one run as the task of images has it."""

import pandas as pd
import pytest
import torch

from physnn.lab.data.images import load
from physnn.lab.metrics.outputs import accuracy, nll
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.loop import fit
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import restarts

PLAIN = {"widths": [64, 8, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "langevin", "damping": 0.1}
RECIPES = {
    "one": PLAIN,
    "hot": {**PLAIN, "temperature": 1e-3, "temperature_schedule": "cosine"},
    "two": {**PLAIN, "runs": 2},
    "four, printed": {**PLAIN, "loss": "ginzburg-landau", "runs": 4, "images": 300},
}


def replica(name, seed, lr=0.05):
    return Replica(name, RECIPES[name], lr, seed)


def train(replicas, epochs=4, task="restarts", **budget):
    given = Budget("digits", epochs, **{"batch_size": 64, "test": True, **budget})
    rows = [row for chunk in chunks(replicas, given, task=task) for row in chunk.rows]
    return pd.DataFrame(rows).drop(columns=["replica", "seconds"])


def test_one_run_is_the_task_of_images():
    ours, theirs = (train([replica("one", 3), replica("hot", 3)], task=task) for task in ("restarts", "images"))
    shared = ["arm", "epoch", "validation_accuracy", "loss", "kinetic", "test_accuracy", "test_nll"]
    pd.testing.assert_frame_equal(ours[shared], theirs[shared], rtol=1e-5)
    last, theirs_last = ours[ours.epoch == 4], theirs[theirs.epoch == 4]
    assert last.fit_nll.to_list() == pytest.approx(theirs_last.train_nll.to_list(), rel=1e-5)
    assert last.fit_accuracy.to_list() == pytest.approx(theirs_last.train_accuracy.to_list())


def test_the_best_run_is_kept_by_the_validation_images():
    """Each run once more by the readable loop, from its own seed; the kept one has the highest validation accuracy."""
    digits, table = load("digits"), train([replica("two", 5)])
    ends = []
    for index in range(2):
        seed = restarts.seed_of(5, index)
        torch.manual_seed(seed)
        net, loss, optimizer = Recipe.read(PLAIN).modules(0.05)
        fit(net, loss, optimizer, digits, epochs=2, seed=seed, batch_size=64)
        with torch.no_grad():
            outputs = {
                name: net(digits.as_input(getattr(digits, name).images)) for name in ("validation", "test", "train")
            }
        found = {name: accuracy(out, getattr(digits, name).labels).item() for name, out in outputs.items()}
        ends.append(found | {"nll": nll(outputs["train"], digits.train.labels).item()})
    best = max(range(2), key=lambda i: ends[i]["validation"])
    last = table.iloc[-1]
    assert last.kept == best and ends[0]["validation"] != ends[1]["validation"]
    assert last.validation_accuracy == pytest.approx(ends[best]["validation"])
    assert last.test_accuracy == pytest.approx(ends[best]["test"])
    assert last.fit_accuracy == pytest.approx(ends[best]["train"])
    assert last.fit_loss == pytest.approx(last.fit_nll, rel=1e-5)
    assert last.fit_nll == pytest.approx(ends[best]["nll"], rel=1e-4)


@pytest.mark.parametrize("name", RECIPES)
def test_alone_is_as_in_company(name):
    member = replica(name, 3)
    alone = train([member])
    together = train([Replica("other", RECIPES[name], 0.05, 0), member, Replica("slow", RECIPES[name], 0.02, 3)])
    found = together[together.arm == name].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, alone, rtol=2e-4, check_like=True)


def test_all_evaluate_the_same_number_of_gradients():
    table = train([replica(name, 0) for name in ("one", "hot", "two")])
    ends = table.groupby("arm").gradients.max()
    assert ends.nunique() == 1 and ends.iloc[0] == 4 * 19  # ceil(1197 / 64)
    assert train([replica("four, printed", 0)]).gradients.max() == 4 * 5


def test_what_is_shown_never_gets_worse_between_runs():
    table = train([replica("four, printed", seed) for seed in range(3)], epochs=8)
    ends = table[table.epoch.isin([2, 4, 6, 8])]
    assert ends.groupby("seed").validation_accuracy.apply(lambda each: each.is_monotonic_increasing).all()
    assert ends.kept.between(0, 3).all() and (ends.groupby("seed").kept.nunique() > 1).any()


def test_a_run_that_diverges_is_not_kept():
    table = train([replica("two", 0, 1e30), replica("two", 0)])
    assert table.groupby("lr").diverged.all().to_dict() == {1e30: True, 0.05: False}
    pd.testing.assert_frame_equal(
        table[table.lr == 0.05].reset_index(drop=True), train([replica("two", 0)]), rtol=2e-4, check_like=True
    )


def test_the_test_images_are_read_at_the_end_alone():
    table = train([replica("two", 0)])
    assert table.test_accuracy.notna().tolist() == [False] * 4 + [True]
    assert "test_accuracy" not in train([replica("two", 0)], test=False)
    assert {*table.columns.drop(["arm", "lr", "seed", "epoch", "diverged"]), "seconds"} == {*restarts.COLUMNS}


def test_seeds_of_runs():
    seeds = [restarts.seed_of(7, index) for index in range(5)]
    assert seeds[0] == 7 and len({*seeds}) == 5
    assert restarts.seed_of(7, 2) == seeds[2] != restarts.seed_of(8, 2)


def test_what_is_not_understood():
    for runs in (0, 1.5, True):
        with pytest.raises(ValueError, match=f"runs must be a whole number of at least 1, got {runs}"):
            restarts.read({**PLAIN, "runs": runs})
    with pytest.raises(ValueError, match="epochs must be a multiple of the runs, 2, got 3"):
        train([replica("two", 0)], epochs=3)
    with pytest.raises(ValueError, match=r"restarts knows no extras, got \['coherence'\]"):
        train([replica("one", 0)], extras=("coherence",))
