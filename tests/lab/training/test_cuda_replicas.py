"""The replicas of the lab on a GPU: what they are on the CPU, epoch by epoch, on digits."""

import pytest
import torch

from physnn.lab.data.images import load
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.loop import fit
from physnn.lab.training.measures import after_epoch, at_end
from physnn.lab.training.replicas import train
from physnn.lab.training.stack import Stack
from physnn.lab.training.task import Replica
from tests.core.gpu import DEVICE, MARKS

pytestmark = MARKS

LINEAR = {"widths": [64, 10], "layer": "linear", "loss": "ginzburg-landau", "optimizer": "sgd", "momentum": 0.9}
MLP = {**LINEAR, "widths": [64, 32, 10]}
WARM = {"widths": [64, 32, 10], "layer": "linear", "loss": "ginzburg-landau"}
WARM |= {"optimizer": "langevin", "damping": 0.1, "temperature": 1e-4, "weight_decay": 1e-3}
ADAM = {"widths": [64, 32, 10], "layer": "linear", "loss": "cross-entropy", "weight_decay": 0.01}
RECIPES = {
    "linear": LINEAR,
    "sample": {**LINEAR, "norm": "sample", "boundary": "one-sided", "outer": "elementwise"},
    "softmax twice": {**MLP, "loss": "softmax-twice"},
    "squared error": {**MLP, "loss": "squared-error"},
    "proposal": {**WARM, "layer": "experimental", "beta_init": 0.1},
    "permuted": {**MLP, "layer": "dynamic", "beta_init": 0.1, "position": "permuted", "frozen": ["beta"]},
    "learned": {**WARM, "layer": "dynamic", "beta_init": 0.1, "position": "learned", "bias": True},
    "film": {**MLP, "layer": "film"},
    "squeeze-and-excitation": {**WARM, "layer": "squeeze-excitation"},
    "convolutional": {**ADAM, "widths": [64, 10], "layer": "convolutional", "optimizer": "adam"},
    "gjf": {**WARM, "scheme": "gjf", "lr_schedule": "cosine", "temperature_schedule": "cosine"},
    "baoa": {**WARM, "scheme": "baoa", "damping": 0.5},
    "two-point": {**WARM, "noise": "two-point"},
    "byte-sum": {**WARM, "noise": "byte-sum"},
    "adamw": {**ADAM, "optimizer": "adamw"},
    "smooth": {**LINEAR, "smoothness": 0.3},
    "wrong labels": {**MLP, "label_noise": 0.4, "images": 700},
}
STEPS = 12


@pytest.fixture(scope="module")
def digits():
    pytest.importorskip("sklearn")
    return {device: load("digits", device=device) for device in ("cpu", DEVICE)}


def batches(images, members, seed=0):
    source = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        index = torch.randint(len(images.train), (members, 64), generator=source).to(images.train.labels.device)
        x = images.as_input(images.train.images[index.flatten()])
        yield x.view(*index.shape, -1), images.train.labels[index]


@pytest.mark.parametrize("name", RECIPES)
def test_a_dozen_steps_are_the_cpu(name, digits, monkeypatch):
    """Noise and start values come from the CPU, so the paths are the same until rounding has grown."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # 10 bits, the default for convolutions
    recipes = [Recipe.read(RECIPES[name])] * 3
    made = []
    for device, images in digits.items():
        stack = Stack(recipes, [0.01, 0.02, 0.03], [1, 2, 1], STEPS, device)
        sums = sum(stack.step(x, y) for x, y in batches(images, 3))
        readings = torch.stack(stack.update.readings)
        assert stack.alive == [True] * 3 and all(p.device.type == torch.device(device).type for p in stack.params)
        made.append([sums.cpu()[:2], readings.float(), *(p.detach().cpu() for p in stack.params)])
    torch.testing.assert_close(*made, rtol=2e-3, atol=2e-4, equal_nan=True)


def test_an_epoch_and_all_that_is_measured(digits):
    """Every column of the last row, with every extra: the CPU's up to what rounding makes of an epoch."""
    recipes = [Recipe.read(RECIPES[name]) for name in ("linear", "wrong labels")]
    for recipe in recipes:
        made = []
        for device, images in digits.items():
            stack = Stack([recipe] * 2, [0.01, 0.01], [1, 2], 19, device)
            values = stack.epoch(images, 64)
            values |= after_epoch(stack, images, ["corrupted-validation"])
            values |= at_end(stack, images, True, ["corruptions", "coherence"])
            made.append({name: value.cpu().double() for name, value in values.items()})
        assert made[0].keys() == made[1].keys() and len(made[0]) > 30
        for key in made[0]:
            torch.testing.assert_close(made[0][key], made[1][key], rtol=2e-2, atol=5e-3, equal_nan=True, msg=key)


def test_a_diverged_replica_rests_and_the_others_go_on(digits):
    recipes = [Recipe.read({**MLP, "loss": "squared-error"})] * 2
    stack = Stack(recipes, [1e30, 0.01], [1, 2], STEPS, DEVICE)
    for x, y in batches(digits[DEVICE], 2):
        stack.step(x, y)
    assert stack.alive == [False, True]
    assert all((p[0] == 0).all() and p[1].isfinite().all() for p in stack.params)


def test_train_says_the_same_on_both(digits):
    """The table that studies read: rows, columns, and the accuracy after two epochs."""
    replicas = [Replica(name, RECIPES[name], 0.02, seed) for name in ("linear", "proposal") for seed in range(3)]
    here, there = (
        train(replicas, "digits", epochs=2, test=True, progress=False, device=device) for device in ("cpu", DEVICE)
    )
    keys = ["arm", "lr", "seed", "epoch", "diverged"]
    assert here[keys].equals(there[keys]) and list(here) == list(there)
    assert (here.validation_accuracy - there.validation_accuracy).abs().max() <= 0.02
    assert ((here.loss - there.loss).abs() <= 0.01 * here.loss.abs() + 1e-4).loc[here.epoch > 0].all()


def test_fit_is_the_same_on_both(digits):
    histories = []
    for device, images in digits.items():
        torch.manual_seed(0)
        model, loss, optimizer = Recipe.read(LINEAR).modules(0.02)
        if device != "cpu":  # the optimizer holds the parameters, which move in place
            model.to(device)
        histories.append(fit(model, loss, optimizer, images, epochs=2))
    assert (histories[0].loss - histories[1].loss).abs().iloc[1:].max() < 1e-3
    assert (histories[0].validation_accuracy - histories[1].validation_accuracy).abs().max() <= 0.02
