"""Many replicas at once: each is what it would be alone, and what the modules of its recipe would be one by one."""

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pandas as pd
import pytest
import torch

from physnn import GinzburgLandauLoss
from physnn.lab.data.corruptions import mislabel
from physnn.lab.data.images import Split, load
from physnn.lab.models.losses import CHOICES, stacked
from physnn.lab.models.recipe import Recipe
from physnn.lab.training import replicas
from physnn.lab.training.chunk import arrange, collect
from physnn.lab.training.loop import accuracy, fit
from physnn.lab.training.replicas import train
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import images

LINEAR = {"widths": [64, 10], "layer": "linear", "loss": "ginzburg-landau", "optimizer": "sgd", "momentum": 0.9}
MLP = {**LINEAR, "widths": [64, 32, 10]}
HOT = {"optimizer": "langevin", "damping": 0.1, "temperature": 1e-4, "weight_decay": 1e-3}
WARM = {"widths": [64, 32, 10], "layer": "linear", "loss": "ginzburg-landau", **HOT}
PROPOSAL = {**WARM, "layer": "experimental", "beta_init": 0.1}
DYNAMIC = {"layer": "dynamic", "beta_init": 0.1}
ADAM = {"widths": [64, 32, 10], "layer": "linear", "loss": "cross-entropy", "weight_decay": 0.01}
RECIPES = {
    "linear": LINEAR,
    "positive": {**LINEAR, "quartic": 5.0, "spatial": 0.0},
    "sample": {**LINEAR, "norm": "sample", "boundary": "one-sided", "outer": "elementwise"},
    "cross-entropy": {**LINEAR, "loss": "cross-entropy"},
    "softmax twice": {**MLP, "loss": "softmax-twice"},
    "squared error": {**MLP, "loss": "squared-error"},
    "mlp": {**MLP, "boundary": "zero", "outer": "none"},
    "proposal": PROPOSAL,
    "no bias": {**MLP, "bias": False},
    "dynamic": {**WARM, **DYNAMIC},
    "normalized": {**MLP, **DYNAMIC, "position": "normalized", "gate": 0.5, "bias": True},
    "permuted": {**MLP, **DYNAMIC, "position": "permuted", "frozen": ["beta"]},
    "reversed": {**MLP, **DYNAMIC, "position": "reversed", "frozen": ["beta", "t"]},
    "gate of the next": {**WARM, **DYNAMIC, "gate": "next", "bias": True},
    "sinh alone": {**MLP, **DYNAMIC, "position": "none"},
    "learned": {**WARM, **DYNAMIC, "position": "learned", "bias": True},
    "wide": {**LINEAR, **DYNAMIC, "widths": [64, 80, 10], "position": "ones"},
    "film": {**MLP, "layer": "film"},
    "squeeze-and-excitation": {**WARM, "layer": "squeeze-excitation"},
    "convolutional": {**ADAM, "widths": [64, 10], "layer": "convolutional", "optimizer": "adam"},
    "gjf": {**WARM, "scheme": "gjf"},
    "baoa": {**WARM, "scheme": "baoa", "damping": 0.5},
    "two-point": {**WARM, "noise": "two-point"},
    "byte-sum": {**WARM, "noise": "byte-sum"},
    "adam": {**ADAM, "optimizer": "adam"},
    "adamw": {**ADAM, "optimizer": "adamw"},
    "smooth": {**MLP, "smoothness": 0.3},
    "smooth by the printed difference": {**MLP, "smoothness": 0.3, "stencil": "central"},
    "rough": {**MLP, "smoothness": -0.01, "stencil": "central"},
    "wrong labels": {**MLP, "label_noise": 0.4},
    "fewer images": {**MLP, "images": 700},
}
MEASURED = ["loss", "validation_accuracy", "validation_nll", "validation_ece", "energy"]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def some(names, seeds, lr=0.03):
    return [Replica(name, RECIPES[name], lr, seed) for name in names for seed in seeds]


def agree(first: pd.DataFrame, second: pd.DataFrame):
    columns = [name for name in first if name != "seconds"]
    pd.testing.assert_frame_equal(
        first[columns].reset_index(drop=True), second[columns].reset_index(drop=True), rtol=2e-4, atol=2e-5
    )


@pytest.fixture(scope="module")
def together():
    return train(some(RECIPES, [4, 3, 5]), "digits", epochs=2, batch_size=256, test=True)


@pytest.mark.parametrize("name", RECIPES)
def test_a_replica_is_the_run_of_its_modules(name, together):
    """Start values, images, labels, batches, noise, loss and update: the stack is ``fit``, to rounding."""
    digits, recipe = load("digits"), Recipe.read(RECIPES[name])
    labels = mislabel(digits.train.labels, recipe.label_noise, 3)
    given = replace(digits, train=Split(digits.train.images[: recipe.images], labels[: recipe.images]))
    torch.manual_seed(3)
    model, loss, optimizer = recipe.modules(0.03)
    history = fit(model, loss, optimizer, given, epochs=2, batch_size=256, seed=3)
    mine = together[(together.arm == name) & (together.seed == 3)]
    assert mine.epoch.tolist() == [0, 1, 2]
    assert mine.loss.tolist() == pytest.approx(history.loss.tolist(), rel=1e-4, nan_ok=True)
    assert mine.validation_accuracy.tolist() == pytest.approx(history.validation_accuracy.tolist(), abs=2 / 300)
    assert mine.test_accuracy.iloc[-1] == pytest.approx(accuracy(model, digits, digits.test), abs=2 / 300)


@pytest.mark.parametrize("name", ["linear", "mlp", "proposal"])
def test_alone_is_as_in_a_batch_of_32_and_the_order_does_not_matter(name):
    """Also with seeds of its own, and beside the others of its seed; the tables are equal to rounding."""
    batch = [*some([name], range(24)), *[Replica("other", RECIPES[name], 10 ** -(i / 4), 7) for i in range(8)]]
    together = train(batch, "digits", epochs=1, batch_size=256)
    assert len(together) == 2 * 32
    for i in (0, 7, 23, 30):
        alone = train([batch[i]], "digits", epochs=1, batch_size=256)
        agree(together.iloc[2 * i : 2 * i + 2], alone)
    backwards = train(batch[::-1], "digits", epochs=1, batch_size=256)
    restored = pd.concat([backwards.iloc[2 * i : 2 * i + 2] for i in reversed(range(32))])
    agree(together, restored)


def test_processes_give_the_same_table():
    batch = some(["linear", "mlp", "proposal"], range(3))
    here = train(batch, "digits", epochs=1, batch_size=256, test=True)
    agree(here, train(batch, "digits", epochs=1, batch_size=256, test=True, workers=2))


def test_the_loss_of_the_stack_is_that_of_the_package():
    """Every combination of norm, boundary and outer function, on random outputs, with its gradient."""
    generator = torch.Generator().manual_seed(0)
    phi = torch.randn(3, 16, 10, generator=generator, requires_grad=True)
    y = torch.randint(10, (3, 16), generator=generator)
    coefficients = [(0.0035, -5.0, 0.5), (1.0, 0.3, -0.5), (0.2, 2.0, 0.0)]
    for norm in CHOICES["norm"]:
        for boundary in CHOICES["boundary"]:
            for outer in CHOICES["outer"]:
                choices = {"norm": norm, "boundary": boundary, "outer": outer}
                names = ("quadratic", "quartic", "spatial")
                recipes = [Recipe.read({**LINEAR, **choices, **dict(zip(names, c, strict=True))}) for c in coefficients]

                values, energies = stacked([(r.loss, r.choices, r.coefficients) for r in recipes], torch.device("cpu"))(
                    phi, y
                )
                expected = torch.stack(
                    [GinzburgLandauLoss(*c, **choices)(phi[i], y[i]) for i, c in enumerate(coefficients)]
                )
                signed = [
                    GinzburgLandauLoss(*c, **{**choices, "outer": "none"})(phi[i], y[i])
                    for i, c in enumerate(coefficients)
                ]
                torch.testing.assert_close(values, expected, rtol=1e-5, atol=1e-6)
                torch.testing.assert_close(energies, torch.stack(signed).detach(), rtol=1e-5, atol=1e-6)
                mine, theirs = (torch.autograd.grad(v.sum(), phi, retain_graph=True)[0] for v in (values, expected))
                torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_a_diverged_replica_is_kept_and_disturbs_no_one():
    calm = Replica("calm", RECIPES["cross-entropy"], 0.03, 0)
    wild = Replica("wild", {**RECIPES["cross-entropy"], "loss": "squared-error"}, 1e30, 0)
    later = Replica("later", {**RECIPES["cross-entropy"], "loss": "squared-error"}, 1e3, 0)
    together = train([wild, calm, later], "digits", epochs=2, batch_size=256, test=True)
    assert together[together.arm == "wild"].epoch.tolist() == [0]
    assert together[together.arm == "later"].epoch.tolist() == [0, 1]
    assert together.groupby("arm").diverged.all().to_dict() == {"calm": False, "wild": True, "later": True}
    agree(together[together.arm == "calm"], train([calm], "digits", epochs=2, batch_size=256, test=True).reindex(
        columns=together.columns))  # fmt: skip


def test_the_columns_mean_what_they_say():
    table = train(some(["linear", "cross-entropy"], [0]), "digits", epochs=2, batch_size=256, test=True)
    landau, entropy = table[table.arm == "linear"], table[table.arm == "cross-entropy"]
    assert landau.energy.iloc[0] != landau.energy.iloc[0] and (landau.energy.iloc[1:] < 0).all()
    assert landau.loss.iloc[1:].tolist() == pytest.approx((-landau.energy.iloc[1:]).tolist(), rel=1e-5)
    assert (landau.negative.iloc[1:] == 1).all() and entropy.energy.isna().all() and entropy.negative.isna().all()
    assert table.test_accuracy.notna().tolist() == [False, False, True] * 2
    assert (table.scale.dropna() > 0).all() and table.test_spatial.dropna().between(0, 1).all()
    assert table.test_roughness.dropna().between(0, 4).all()


def test_replicas_of_a_seed_are_put_together_and_every_one_once():
    recipes = [Recipe.read(LINEAR)] * 40 + [Recipe.read(MLP)] * 6
    seeds = [0] * 10 + list(range(100, 130)) + [0] * 6
    plan = arrange(recipes, seeds, workers=2)
    assert sorted(i for members in plan for i in members) == list(range(46))
    assert list(range(10)) in plan and all(len({recipes[i].architecture for i in members}) == 1 for members in plan)
    big = Recipe.read({**LINEAR, "widths": [784, 1024, 256, 10]})
    assert arrange([big] * 3, [0, 0, 0]) == [[0], [1], [2]]


def test_an_interruption_keeps_the_finished_epochs(monkeypatch):
    seen = []
    original = images.Stack.epoch

    def epoch(self, *arguments):
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(images.Stack, "epoch", epoch)
    with pytest.warns(RuntimeWarning, match="interrupted: 4 of 4 replicas are incomplete"):
        table = train(some(["linear"], range(4)), "digits", epochs=9, batch_size=256)
    assert table.groupby("seed").epoch.max().tolist() == [2, 2, 2, 2]


def test_an_interruption_in_the_last_moment_ends_what_would_come_after(monkeypatch):
    """The first chunk has reached its end; the second, of another architecture, must not begin."""
    begun = []

    def late(job, tick):
        begun.append(job)

        def end(count):
            tick(count)
            raise KeyboardInterrupt

        return collect(job, end)

    monkeypatch.setattr(replicas, "collect", late)
    (first,) = replicas.chunks(some(["linear", "mlp"], range(1)), Budget("digits", 1, 256))
    assert first.complete and first.interrupted and len(begun) == 1


SCRIPT = """
import sys, warnings
from physnn.lab.training.replicas import train
from physnn.lab.training.task import Budget, Replica
from physnn.lab.training.tasks import images
warnings.simplefilter("always")
recipe = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}
print("started", flush=True)
table = train([Replica("a", recipe, 0.01, s) for s in range(2)], "digits", epochs=10**6, batch_size=64, workers=2,
              progress=True)
print(len(table), table.epoch.max(), flush=True)
"""


def test_ctrl_c_reaches_the_processes_and_keeps_their_epochs(tmp_path):
    """The real signal, to the parent alone: the workers stop after the epoch they are in, and nobody stays behind.

    The workers do not read the script, which trains without asking whether it is the first to do so.
    """
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        watchdog = threading.Timer(300, run.kill)
        watchdog.start()
        assert run.stdout.readline() == "started\n"
        for line in run.stderr:  # tqdm's: wait until epochs are finished
            if (seen := re.search(r" (\d+)/2000000 ", line)) and int(seen[1]) > 4:
                break
        run.send_signal(signal.SIGINT)
        out, err = run.communicate()
        watchdog.cancel()
    assert "interrupted: 2 of 2 replicas are incomplete" in err, err
    rows, last = map(int, out.split())
    assert rows > 4 and last > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": [64]}, "widths must be two or more"),
        ({"layer": "conv"}, "layer must be one of linear, experimental, dynamic, .*convolutional.*, got 'conv'"),
        ({"momentum": None}, "momentum must be a finite number, got None"),
        ({"momentum": 1.0}, "damping, or 1 - momentum, must lie between 0 and 2"),
        ({"quartic": "5"}, "quartic must be a finite number, got '5'"),
        ({"temperature": 0.1}, r"know no \['temperature'\]"),
        ({"outer": "square"}, "outer must be one of abs, none, elementwise"),
        ({"weight_decay": -1.0}, "must be at least 0"),
        ({"images": 1198}, "images must be at most 1197, the training images of digits, got 1198"),
        ({"images": 0.5}, "images must be a whole number"),
        ({"label_noise": 1.5}, "label_noise a share, got None and 1.5"),
        ({"smoothness": 1.0, "layer": "film"}, "is for linear layers, got 1.0 with layer film"),
        ({"smoothness": -1.0}, "smoothness must be at least 0 with neighbours, got -1.0"),
        ({"stencil": "forward"}, "stencil must be one of central, neighbours, got 'forward'"),
        ({"smoothness": 1.0, "widths": [60, 10]}, "smoothness needs square images, got 60 pixels"),
    ],
)
def test_a_recipe_that_is_not_understood(change, message):
    with pytest.raises(ValueError, match=message):
        train([Replica("a", {**LINEAR, **change}, 0.1, 0)], "digits", epochs=1)


def test_nothing_to_train():
    with pytest.raises(ValueError, match="got 0 replicas"):
        train([], "digits", epochs=1)
    with pytest.raises(ValueError, match="at least 1, got epochs=0, batch_size=128"):
        train(some(["linear"], [0]), "digits", epochs=0)
    with pytest.raises(ValueError, match="device mps:0 has no double precision"):
        train(some(["linear"], [0]), "digits", epochs=1, device="mps:0")
