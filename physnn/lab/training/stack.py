"""Networks of one architecture, stacked along a first axis, and trained together without touching each other."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from physnn.lab.data.corruptions import mislabel
from physnn.lab.data.images import Dataset, Split
from physnn.lab.models.layers import apply, positions
from physnn.lab.models.losses import smoothness_gradient, stacked
from physnn.lab.models.network import seeded
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.chance import Chance
from physnn.lab.training.engine import lengths
from physnn.lab.training.updates import Update

EVALUATED = 500  # images at a time: what convolutions make of more leaves the cache


class Stack:
    """R networks with parameters of shape (R, ...), each with its loss, its optimizer, its batches and its noise.

    Args:
        recipes: one for each replica, all of one architecture.
        lrs: their learning rates.
        seeds: of their start values, the order of their images, their noise, and which of their labels are wrong.
        steps: how many each will take: the length of its schedules.
        device: where they live.

    Attributes:
        alive: whether each replica's loss and parameters have been finite so far.
        start: the parameters before training.
    """

    AVERAGES = ("loss", "energy", "negative", "kinetic", "configurational")  # of an epoch

    def __init__(
        self,
        recipes: Sequence[Recipe],
        lrs: Sequence[float],
        seeds: Sequence[int],
        steps: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.recipes, self.layer, self.device = recipes, recipes[0].layer, torch.device(device)
        self.alive = [True] * len(recipes)
        networks, noise = zip(*(seeded(r.network, seed) for r, seed in zip(recipes, seeds, strict=True)), strict=True)
        same = zip(*([p.detach() for p in network.parameters()] for network in networks), strict=True)
        self.params = [torch.stack(several).to(device).requires_grad_() for several in same]
        self.start = [p.detach().clone() for p in self.params]
        self._dynamics(networks)
        self.update = Update(recipes, lrs, noise, self.params, steps, _learned(networks, self.device))
        self.penalties: dict[str, Tensor] = {}
        for stencil in dict.fromkeys(recipe.stencil for recipe in recipes if recipe.smoothness):
            strengths = [recipe.smoothness if recipe.stencil == stencil else 0.0 for recipe in recipes]
            self.penalties[stencil] = torch.tensor(strengths, device=self.device)[:, None, None]
        self.order = Chance(seeds, self.device)
        kinds = [(recipe.loss, recipe.choices, recipe.coefficients) for recipe in recipes]
        self.losses = stacked(kinds, self.device)
        self.seeds, self.labels = seeds, None

    def _dynamics(self, networks: Sequence[nn.Module]) -> None:
        """Take the factors a of every layer, and the gates, where there are any."""
        self.factors: list[Tensor | None] = [None] * (len(self.recipes[0].widths) - 1)
        kinds = {"input": (1.0, 0.0, 0.0), "next": (0.0, 0.0, 1.0)}
        gates = torch.tensor([kinds.get(r.layer.gate) or (0.0, r.layer.gate, 0.0) for r in self.recipes]).T
        self.gates = (gates if gates[2].any() else gates[:2]).to(self.device)
        if self.layer.kind in ("experimental", "dynamic") and self.layer.position != "learned":
            for k, n in enumerate(self.recipes[0].widths[:-1]):
                several = [positions(network[1 + 2 * k], n) for network in networks]  # behind Flatten, between ReLUs
                self.factors[k] = torch.stack(several).to(self.device)

    def forward(self, x: Tensor, layers: int | None = None) -> Tensor:
        """Map inputs of shape (R, B, n), or (1, B, n) for all, to outputs of shape (R, B, classes), or of a layer."""
        per_layer = self.layer.tensors
        for k, a in enumerate(self.factors[:layers]):
            params = self.params[k * per_layer : (k + 1) * per_layer]
            x = apply(self.layer.kind, self.layer.bias, x.relu() if k else x, params, a, self.gates)
        return x

    def epoch(self, images: Dataset, batch_size: int) -> dict[str, Tensor]:
        """Visit the training images once; return means over the steps, of shape (R,): loss, energy, the share of
        steps with a negative energy, and the temperatures read."""
        train, labels = images.train, self._wrong_labels(images)
        count = self.count(images)
        batches = self.order.batches(count, batch_size)
        sums = torch.zeros(3, len(self.recipes), dtype=torch.float64, device=self.device)
        for index in batches:
            # Not by [...], which goes value by value where this copies whole images.
            x = images.as_input(train.images.index_select(0, index.flatten())).view(*index.shape, -1)
            x, y, index = (self.order.share(part) for part in (x, train.labels[index], index))
            if labels is not None:
                y = labels.gather(1, index.expand(len(labels), -1))
            sums += self.step(x, y)
        self.settle()
        return dict(zip(self.AVERAGES, [*(sums / len(batches)), *self.update.temperatures()], strict=True))

    def count(self, images: Dataset) -> int:
        """Return how many training images an epoch visits.

        Raises:
            ValueError: the recipe asks for more than there are.
        """
        count = self.recipes[0].images or len(images.train)
        if count > len(images.train):
            raise ValueError(
                f"images must be at most {len(images.train)}, the training images of {images.name}, got {count}"
            )
        return count

    def _wrong_labels(self, images: Dataset) -> Tensor | None:
        """Return each replica's training labels, of shape (R, N), or None where all have the true ones."""
        shares = [recipe.label_noise for recipe in self.recipes]
        if self.labels is None and any(shares):
            several = zip(shares, self.seeds, strict=True)
            self.labels = torch.stack([mislabel(images.train.labels, share, seed) for share, seed in several])
        return self.labels

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """Take one step; return losses, mean energies, and whether these are negative, of shape (3, R)."""
        losses, energies = self.losses(self.forward(x), y)
        grads = torch.autograd.grad(losses.sum(), self.params, materialize_grads=True)
        if not math.isfinite(losses.sum().item()):
            for i in self._not_finite(losses):
                self._freeze(i)
                for g in grads:
                    g[i] = 0
        for stencil, strengths in self.penalties.items():
            grads[0].addcmul_(smoothness_gradient(self.params[0].detach(), stencil), strengths)
        self.update.step(grads)
        return torch.stack(
            [losses, energies, (energies < 0).to(losses.dtype).where(energies.isfinite(), energies)]
        ).detach()

    def settle(self) -> None:
        """Freeze the replicas whose parameters are not finite: after an epoch, before anything is measured."""
        for i in self._not_finite(sum(p.detach().view(len(p), -1).sum(1) for p in self.params)):
            self._freeze(i)

    @torch.no_grad()
    def outputs(self, images: Dataset, split: Split) -> Tensor:
        """Return the outputs on a split, of shape (R, N, classes)."""
        parts = split.images.split(EVALUATED)
        return torch.cat([self.forward(images.as_input(part).view(1, len(part), -1)) for part in parts], 1)

    def lengths(self) -> dict[str, Tensor]:
        """Return the norm of each replica's parameters, and their distance from the start, of shape (R,)."""
        return lengths(self.params, self.start)

    def _not_finite(self, values: Tensor) -> list[int]:
        return (~values.isfinite()).nonzero().flatten().tolist()

    def _freeze(self, i: int) -> None:
        """Put a replica that diverged at rest, at zero, where it disturbs no one."""
        self.alive[i] = False
        self.update.freeze(i)


def _learned(networks: Sequence[nn.Module], device: torch.device) -> list[Tensor | None]:
    """Return for each parameter whether each network trains it, None where all do."""
    flags = torch.tensor([[p.requires_grad for p in network.parameters()] for network in networks]).T
    return [None if row.all() else row.float().to(device) for row in flags]
