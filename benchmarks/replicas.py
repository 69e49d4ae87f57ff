"""Training many replicas together, as the studies do: against one after the other, and stacked against vmap."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.epoch import load
from benchmarks.harness import Bench, Row
from physnn.lab.models.losses import make
from physnn.lab.models.network import seeded
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.chunk import arrange
from physnn.lab.training.engine import Engine
from physnn.lab.training.stack import Stack
from physnn.lab.training.updates import Update

SHARED = {"layer": "linear", "loss": "ginzburg-landau", "optimizer": "sgd", "momentum": 0.9}
MODELS = {"linear": [784, 10], "MLP-256": [784, 256, 10]}
POST = {"layer": "experimental", "beta_init": 0.1}
FORMS = {  # what there is a stacked form of
    "linear": {"widths": [784, 10]},
    "MLP-256": {"widths": [784, 256, 10]},
    "the post's layer": {"widths": [784, 10], **POST},
    "MLP-256 of the post's layers": {"widths": [784, 256, 10], **POST},
    "FiLM": {"widths": [784, 10], "layer": "film"},
    "squeeze-and-excitation": {"widths": [784, 10], "layer": "squeeze-excitation"},
    "CNN": {"widths": [784, 10], "layer": "convolutional"},
}
BATCH, LR = 128, 0.01
MUST = {"cpu": {"linear": ">= 2", "MLP-256": ">= 0.95"}, "cuda": {"linear": ">= 15"}}


def rows(bench: Bench) -> Iterator[Row]:
    images, labels, _ = load()
    data = images.flatten(1).to(bench.device), labels.to(bench.device)
    count, must = (64, MUST["cuda"]) if bench.gpu else (32, MUST["cpu"])
    for name, widths in MODELS.items():
        recipe = Recipe.read({**SHARED, "widths": widths})
        for seeds, kind in ((list(range(count)), f"{count} seeds"), ([0] * count, f"{count} arms of one seed")):
            runs = {"together": together(recipe, seeds, *data), "one by one": one_by_one(recipe, seeds, *data)}
            for row in bench.compare(
                runs, "together", seconds=3 if bench.gpu else 6, must={"one by one": must.get(name, "")}
            ):
                row.name = f"replicas, {name}, {kind}: {row.name}"
                yield row
    for name, options in FORMS.items():
        recipe, count = Recipe.read({**SHARED, **options}), 4 if name == "CNN" and not bench.gpu else count
        for seeds, kind in ((list(range(count)), f"{count} seeds"), ([0] * count, f"{count} arms of one seed")):
            runs = {"stacked": together(recipe, seeds, *data), "vmap": together(recipe, seeds, *data, form=engine)}
            yield from bench.compare(runs, "stacked", seconds=3, title=f"replicas, {name}, {kind}: ")


def stack(recipe: Recipe, seeds: list[int], device: torch.device) -> Stack:
    """Return the replicas in their stacked form."""
    return Stack([recipe] * len(seeds), [LR] * len(seeds), seeds, 1, device)


def engine(recipe: Recipe, seeds: list[int], device: torch.device) -> Engine:
    """Return the same replicas by vmap."""
    networks, noise = zip(*(seeded(recipe.network, seed) for seed in seeds), strict=True)
    update = partial(Update, [recipe] * len(seeds), [LR] * len(seeds), noise, steps=1)
    return Engine(networks, make(recipe.loss, recipe.choices, recipe.coefficients), update, device=device)


def together(
    recipe: Recipe, seeds: list[int], images: Tensor, labels: Tensor, form: Callable[..., Stack | Engine] = stack
) -> Callable[[], None]:
    """Return a step of all replicas, in the computations that ``train`` would make of them."""
    plan = arrange([recipe] * len(seeds), seeds)
    forms = [(form(recipe, [seeds[i] for i in m], images.device), len({seeds[i] for i in m})) for m in plan]

    def run() -> None:
        for replicas, distinct in forms:
            index = torch.randint(len(images), (distinct, BATCH), device=images.device)
            x = images.index_select(0, index.flatten()).float().div_(255).view(*index.shape, -1)
            replicas.step(x, labels[index])

    return run


def one_by_one(recipe: Recipe, seeds: list[int], images: Tensor, labels: Tensor) -> Callable[[], None]:
    """Return a step of each replica, as ``fit`` takes it."""
    replicas = []
    for seed in seeds:
        torch.manual_seed(seed)
        model, loss, _ = recipe.modules(LR)
        model.to(images.device)
        replicas.append((model, loss, torch.optim.SGD(model.parameters(), LR, momentum=0.9, fused=True)))

    def run() -> None:
        for model, loss, optimizer in replicas:
            index = torch.randint(len(images), (BATCH,), device=images.device)
            optimizer.zero_grad()
            value = loss(model(images.index_select(0, index).float().div_(255)), labels[index])
            value.item()  # as fit does, to see a loss that is not finite
            value.backward()
            optimizer.step()

    return run
