r"""Denoising: a small network learns to take Gaussian noise away from the images of MNIST or of the digits.

.. math::
    L = \operatorname{mean}\bigl(f(x + \sigma\eta) - x\bigr)^2, \qquad \mathrm{PSNR} = -10 \log_{10} L

with :math:`\eta \sim \mathcal N(0, 1)` drawn anew for every image of every epoch, and gray values x from 0 to 1.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from physnn.lab.data.images import Dataset, Split, load
from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.network import seeded
from physnn.lab.models.plain import choice, number, widths
from physnn.lab.training.chance import Chance
from physnn.lab.training.engine import Engine
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.updates import Update

COLUMNS: Mapping[str, Column] = {
    "test_psnr": Column(
        "peak signal-to-noise ratio on the test images, after the last epoch: -10 log10(test_mse), in decibels",
        "test PSNR, dB",
        decimals=2,
        larger=True,
    ),
    "test_mse": Column("mean squared error per pixel on the test images, after the last epoch", larger=False),
    "validation_psnr": Column(
        "peak signal-to-noise ratio on the validation images, with noise that is always the same",
        "validation PSNR, dB",
        decimals=2,
        larger=True,
        guess=0.0,  # an error as large as the brightest pixel
    ),
    "validation_mse": Column("mean squared error per pixel, likewise", larger=False),
    "noisy_psnr": Column("peak signal-to-noise ratio of the noisy validation images themselves, in decibels"),
    "loss": Column("mean squared error per pixel, a mean over the epoch's steps", "training loss, last epoch"),
    "kinetic": Column("kinetic temperature, a mean over every tenth step of the epoch; not for Adam"),
    "configurational": Column("configurational temperature, likewise"),
    "norm": Column("norm of the parameters"),
    "distance": Column("distance of the parameters from their start", "distance from the start"),
    "seconds": Column("of training, cumulative, shared among those trained together"),
}
SCORE, RESULT = "validation_psnr", "test_psnr"
NETWORKS = ("mlp", "convolutional")
PIECE = 500  # images that are evaluated at a time
STREAM = 0x5EED  # keeps the noise of the images apart from the start values, which the bare seed gives
FIXED = {"validation": 1, "test": 2}  # seeds of noise that is the same for all


@dataclass(frozen=True, kw_only=True)
class Recipe(Dynamics):
    """An arm: ``{network: mlp, widths: [64, 128, 64], noise_level: 0.2, optimizer: adamw}``.

    The network ``mlp`` needs ``widths``, the first and last of them the pixels of an image, with rectifiers between
    its linear layers; ``convolutional`` takes ``channels`` (16) and ``kernel`` (3, odd), for two convolutions with a
    rectifier between. ``noise_level`` is the noise's standard deviation σ, above 0. The optimizer's entries are those
    of :class:`physnn.lab.models.dynamics.Dynamics`; its ``noise`` is that of the parameters.
    """

    network: str
    noise_level: float
    widths: tuple[int, ...] = ()
    channels: int = 0
    kernel: int = 0

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together: the noise too, so that they can share images."""
        shape = self.network, self.widths, self.channels, self.kernel
        return *shape, self.noise_level, self.optimizer, self.scheme

    @property
    def size(self) -> int:
        """Number of trainable scalars."""
        if self.network == "mlp":
            return sum((n + 1) * m for n, m in pairwise(self.widths))
        return 2 * self.channels * self.kernel**2 + self.channels + 1

    def make(self) -> nn.Module:
        """Make the network, from torch's global seed."""
        if self.network == "mlp":
            parts = [part for n, m in pairwise(self.widths) for part in (nn.Linear(n, m), nn.ReLU())]
            return Flat(*parts[:-1])
        around = self.kernel // 2
        first = nn.Conv2d(1, self.channels, self.kernel, padding=around)
        return nn.Sequential(first, nn.ReLU(), nn.Conv2d(self.channels, 1, self.kernel, padding=around))


class Flat(nn.Sequential):
    """Layers on the pixels of images in a row: shape (B, 1, h, w) to (B, 1, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map images to images."""
        return super().forward(x.flatten(1)).view_as(x)


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    values: dict[str, Any] = {"network": choice(rest, "network", NETWORKS)}
    if values["network"] == "mlp":
        values["widths"] = sizes = widths(rest, "the pixels of an image first and last")
        if sizes[0] != sizes[-1]:
            raise ValueError(f"widths must begin and end with the pixels of an image, got {list(sizes)}")
    else:
        values |= {"channels": rest.pop("channels", 16), "kernel": rest.pop("kernel", 3)}
        if not all(type(values[name]) is int and values[name] > 0 for name in ("channels", "kernel")):
            raise ValueError(
                f"channels and kernel must be whole numbers, got {values['channels']!r} and {values['kernel']!r}"
            )
        if values["kernel"] % 2 == 0:
            raise ValueError(f"kernel must be odd, so that images keep their size, got {values['kernel']}")
    values["noise_level"] = number(rest, "noise_level")
    if values["noise_level"] <= 0:
        raise ValueError(f"noise_level must be above 0, got {values['noise_level']}")
    values |= take_dynamics(rest)
    if rest:
        raise ValueError(f"{values['network']} and {given['optimizer']} know no {sorted(rest)}")
    return Recipe(**values)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Train replicas of one architecture; give what ``COLUMNS`` lists, with ``test_...`` last if the budget has a test.

    Raises:
        ValueError: an extra, or widths that do not fit the images.
    """
    if budget.extras:
        raise ValueError(f"denoising knows no extras, got {sorted(budget.extras)}")
    images, recipe = _load(budget.data, budget.device), recipes[0]
    if recipe.widths and recipe.widths[0] != images.pixels:
        raise ValueError(
            f"widths must begin and end with {images.pixels}, the pixels of {budget.data}, got {list(recipe.widths)}"
        )
    seeds = [replica.seed for replica in replicas]
    networks, noise = zip(*(seeded(r.make, seed) for r, seed in zip(recipes, seeds, strict=True)), strict=True)
    steps = budget.epochs * math.ceil(len(images.train) / budget.batch_size)
    update = partial(Update, recipes, [replica.lr for replica in replicas], noise, steps=steps)
    engine = Engine(networks, F.mse_loss, update, device=budget.device)
    chance, seconds = Chance([seed ^ STREAM for seed in seeds], budget.device), 0.0
    loss, *temperatures = torch.full((3, len(replicas)), torch.nan)
    for epoch in range(budget.epochs + 1):
        if epoch:
            start = time.perf_counter()
            loss = _epoch(engine, images, chance, recipe.noise_level, budget.batch_size)
            temperatures = engine.update.temperatures()
            seconds += (time.perf_counter() - start) / len(replicas)
        mse, untouched = _errors(engine, images, "validation", recipe.noise_level)
        measured = {"loss": loss, "validation_mse": mse, "validation_psnr": psnr(mse), "noisy_psnr": psnr(untouched)}
        measured |= dict(zip(("kinetic", "configurational"), temperatures, strict=True)) | engine.lengths()
        if epoch == budget.epochs and budget.test:
            mse, _ = _errors(engine, images, "test", recipe.noise_level)
            measured |= {"test_mse": mse, "test_psnr": psnr(mse)}
        columns = {name: value.tolist() for name, value in measured.items()}
        yield [
            {**{name: column[i] for name, column in columns.items()}, "seconds": seconds} if alive else None
            for i, alive in enumerate(engine.alive)
        ]


def psnr(mse: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of images whose largest value is 1, in decibels: -10 log10(mse)."""
    return -10 * mse.log10()


def _epoch(engine: Engine, images: Dataset, chance: Chance, level: float, batch_size: int) -> Tensor:
    """Visit the training images once, with noise of each replica's own; return means of the losses, of shape (R,)."""
    train, losses = images.train, []
    for index in chance.batches(len(images.train), batch_size):
        clean = images.as_input(train.images.index_select(0, index.flatten())).unflatten(0, index.shape)
        clean = chance.share(clean)
        eta = chance.draw(lambda generator, shape=clean.shape[1:]: torch.randn(shape, generator=generator))
        losses.append(engine.step(clean + level * eta, clean))
    engine.settle()
    return torch.stack(losses).double().mean(0)


def _errors(engine: Engine, images: Dataset, name: str, level: float) -> tuple[Tensor, Tensor]:
    """Return mean squared errors per pixel on a split with noise, (R,) each: of outputs, and of the noisy images."""
    split: Split = getattr(images, name)
    noise = torch.Generator().manual_seed(FIXED[name])
    sums = torch.zeros(2, len(engine.alive), dtype=torch.float64, device=split.images.device)
    for part in split.images.split(PIECE):
        clean = images.as_input(part)
        noisy = clean + level * torch.randn(clean.shape, generator=noise).to(clean.device)
        outputs = engine.outputs(noisy.unsqueeze(0))
        sums[0] += (outputs - clean).square().flatten(1).sum(1)
        sums[1] += (noisy - clean).square().sum()
    return tuple(sums / split.images.numel())


def checksum(data: str) -> str:
    """Return the checksum of a data set."""
    return load(data).checksum


_load = cache(lambda dataset, device: load(dataset, device=device))
