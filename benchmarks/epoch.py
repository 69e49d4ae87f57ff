"""One epoch on MNIST: the full proposal, its pieces as printed, and a DataLoader, against a plain network in memory."""

import os
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from benchmarks import printed
from benchmarks.harness import Bench, Row
from benchmarks.optimizer import COMPILED, DAMPING, LANGEVIN, LR, TEMPERATURE, plain_loop
from physnn import ExperimentalLayer, GinzburgLandauLoss, Langevin
from physnn.lab.data import images as data
from physnn.lab.models.network import network

WIDTHS, BATCH, STEPS = (784, 1024, 256, 10), 128, 4


def rows(bench: Bench) -> Iterator[Row]:
    *tensors, note = load()
    images, labels = (tensor.to(bench.device) for tensor in tensors)
    must = {"the proposal": "<= 1.9", "the proposal, compiled": "<= 1.55", "plain MLP, DataLoader": ">= 1.6"}
    aim = {"the proposal, compiled": "1.45"}
    wanted = {} if bench.gpu else {"must": must, "aim": aim}
    plain = network(WIDTHS, lambda i, o: nn.Linear(i, o, bias=False)).to(bench.device)
    runs = {"plain MLP": trainer(plain, F.cross_entropy, sgd(plain), memory(images, labels))}
    for name, options in (("the proposal", {}), ("the proposal, compiled", LANGEVIN[COMPILED])):
        model = network(WIDTHS, lambda i, o: ExperimentalLayer(i, o, 0.1)).to(bench.device)
        langevin = Langevin(model.parameters(), LR, damping=DAMPING, temperature=TEMPERATURE, **options)
        runs[name] = trainer(model, GinzburgLandauLoss(), langevin.step, memory(images, labels))
    if not bench.gpu:
        loaded = network(WIDTHS, lambda i, o: nn.Linear(i, o, bias=False))
        runs["plain MLP, DataLoader"] = trainer(loaded, F.cross_entropy, sgd(loaded), loader(images, labels))
    title = "MNIST epoch: "
    for row in bench.compare(runs, "plain MLP", seconds=4 if bench.gpu else 40, title=title, **wanted):
        row.note = "; ".join(filter(None, (row.note, note)))
        yield row

    model = network(WIDTHS, lambda i, o: printed.ExperimentalLayer(i, o, 0.1)).to(bench.device)
    params = list(model.parameters())
    for p in params:
        p.grad = torch.zeros_like(p)
    batches = memory(images, labels)
    pair = {
        "the proposal": runs["the proposal"],
        "as printed": trainer(model, printed.loss, plain_loop(params), batches, steps=1),
    }
    wanted = {} if bench.gpu else {"must": {"as printed": ">= 150"}, "aim": {"as printed": "200"}}
    for row in bench.compare(pair, "the proposal", seconds=1, title=title, **wanted):
        if row.ratio is not None:
            row.ratio, row.low, row.high = (STEPS * value for value in (row.ratio, row.low, row.high))
        row.note = "; ".join(filter(None, (row.note, note, f"one step of it, times {STEPS}")))
        yield row


def load() -> tuple[Tensor, Tensor, str]:
    """Return MNIST's training images and labels where they lie, and else random ones of the same shape."""
    if os.environ.get("PHYSNN_DATA"):
        split = data.load("mnist").train
        return split.images, split.labels, "MNIST"
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (50_000, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return images, torch.randint(10, (50_000,), generator=generator), "random images (PHYSNN_DATA names no MNIST)"


def memory(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Give batches of gray values from memory, in a new order every epoch."""
    while True:
        for index in torch.randperm(len(images), device=images.device).split(BATCH):
            yield images.index_select(0, index).float().div_(255), labels[index]


def loader(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Give batches as torchvision's examples do: image by image, through PIL, ToTensor and Normalize."""
    from torchvision.datasets import MNIST
    from torchvision.transforms import Compose, Normalize, ToTensor

    mnist = MNIST.__new__(MNIST)  # the images at hand, in its class: it reads and transforms them one by one
    mnist.data, mnist.targets = images.squeeze(1), labels
    mnist.transform, mnist.target_transform = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))]), None
    while True:
        yield from DataLoader(mnist, BATCH, shuffle=True)


def sgd(model: nn.Module) -> Callable[[], object]:
    return torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9, fused=True).step


def trainer(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    update: Callable[[], object],
    batches: Iterator[tuple[Tensor, Tensor]],
    steps: int = STEPS,
) -> Callable[[], None]:
    """Return a function that takes ``steps`` steps: an epoch is 391 of them, and its ratio the same."""

    def run() -> None:
        for _ in range(steps):
            x, y = next(batches)
            for p in model.parameters():
                p.grad = None
            loss(model(x), y).backward()
            update()

    return run
