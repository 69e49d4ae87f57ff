"""Draw the book's first image: a field that falls into domains, and the post's network while it trains.

``python -m book.figures.opening`` writes ``book/static/opening.svg``, which the introduction and the README show.
It belongs to ``make results``: it is kept, like a recorded table, and made again with them.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from physnn.lab.data.images import load
from physnn.lab.figures import plots
from physnn.lab.figures.style import svg
from physnn.lab.models.recipe import Recipe
from physnn.lab.records.studies import Study
from physnn.lab.running import command, files
from physnn.lab.training.loop import fit

TARGET = Path(__file__).parents[1] / "static" / "opening.svg"
TIMES = (2, 12, 60)
EPOCHS = (0, 1, 5)
ARM = "one-layer proposal"


def allen_cahn(size: int = 160, kappa: float = 4.0, dt: float = 0.05) -> list[Tensor]:
    """Return the field of du/dt = kappa * Laplacian(u) + u - u^3 at ``TIMES``, from small noise, periodic."""
    u = 0.1 * torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    snapshots = []
    for step in range(1, round(TIMES[-1] / dt) + 1):
        neighbours = sum(u.roll(shift, axis) for shift in (-1, 1) for axis in (0, 1))
        u = u + dt * (kappa * (neighbours - 4 * u) + u - u**3)
        if any(step == round(time / dt) for time in TIMES):
            snapshots.append(u)
    return snapshots


def outputs() -> list[Tensor]:
    """Return the normalized outputs for ten test images of each digit, classes by images, after each of ``EPOCHS``."""
    dataset, study = load("mnist"), Study("as-printed")
    shown = torch.cat([(dataset.test.labels == digit).nonzero()[:10, 0] for digit in range(10)])
    snapshots = []
    for epochs in EPOCHS:
        torch.manual_seed(0)
        model, loss, optimizer = Recipe.read(study.arms[ARM]).modules(study.tuned(study.table()).lr[ARM])
        if epochs:
            fit(model, loss, optimizer, dataset, epochs=epochs, batch_size=study.design["batch_size"], seed=0)
        with torch.no_grad():
            phi = model(dataset.as_input(dataset.test.images[shown]))
        snapshots.append(phi.T / phi.abs().max())
    return snapshots


def main() -> int:
    return command.run("make results", _main, f"{TARGET.name} stays as it is")


def _main() -> int:
    try:
        Study("as-printed").table()
    except (FileNotFoundError, ValueError) as reason:  # its run was stopped
        print(f"{TARGET.name} stays as it is: {reason}")
        return 0
    plots.style()
    fig, axes = plt.subplots(2, 3, figsize=(plots.WIDTH, 0.74 * plots.WIDTH))
    look = {"cmap": plots.DIVERGING, "vmin": -1, "vmax": 1}
    for ax, time, field in zip(axes[0], TIMES, allen_cahn(), strict=True):
        ax.imshow(field.numpy(), **look)
        ax.set_title(f"time {time}")
    for ax, epoch, phi in zip(axes[1], EPOCHS, outputs(), strict=True):
        ax.imshow(phi.numpy(), aspect=10, **look)
        ax.set_title({0: "untrained", 1: "1 epoch"}.get(epoch, f"{epoch} epochs"))
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    axes[0, 0].set_ylabel("a field")
    axes[1, 0].set_ylabel("the network")
    files.write(TARGET, "\n".join(line.rstrip() for line in svg(fig).splitlines()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
