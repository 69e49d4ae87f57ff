"""Networks of one architecture, stacked along a first axis, and trained together without touching each other."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from physnn.field import difference, normalize
from physnn.lab.data import Dataset, Split
from physnn.lab.recipe import Recipe, seeded

EVALUATED = 2000  # images at a time


class Stack:
    r"""R networks with parameters of shape (R, ...), each with its loss, its optimizer, its batches and its noise.

    The update is that of :class:`physnn.Langevin` with numbers of each replica's own,
    :math:`v \leftarrow (1-\gamma)v - \alpha(g + \lambda\theta) + \sqrt{2\gamma\alpha T}\,\eta`,
    :math:`\theta \leftarrow \theta + v`; at T = 0 it is SGD with momentum :math:`1-\gamma`.

    Args:
        recipes: one for each replica, all of one architecture.
        lrs: their learning rates.
        seeds: of their start values, the order of their images, and their noise.
        device: where they live.

    Attributes:
        alive: whether each replica's loss and parameters have been finite so far.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        lrs: Sequence[float],
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        self.recipes, self.layer, self.device = recipes, recipes[0].layer, torch.device(device)
        self.alive = [True] * len(recipes)
        starts, self.noise = zip(*(seeded(*each) for each in zip(recipes, seeds, strict=True)), strict=True)
        self.params = [torch.stack(same).to(device).requires_grad_() for same in zip(*starts, strict=True)]
        self.velocities = [torch.zeros_like(p) for p in self.params]
        self.sizes = [p[0].numel() for p in self.params]
        columns = [(r.damping, lr, r.weight_decay, r.temperature) for r, lr in zip(recipes, lrs, strict=True)]
        damping, lr, decay, temperature = torch.tensor(columns, dtype=torch.float64).T
        numbers = 1 - damping, lr, decay, (2 * damping * lr * temperature).sqrt()
        self.keep, self.lr, self.decay, self.std = (number.float().to(device) for number in numbers)
        self.decays, self.hot = bool(decay.any()), [i for i, r in enumerate(recipes) if r.temperature > 0]
        distinct = list(dict.fromkeys(seeds))
        self.order = [torch.Generator().manual_seed(seed) for seed in distinct]
        some = 1 < len(distinct) < len(seeds)  # share their images: not all, and not none
        self.which = torch.tensor([distinct.index(seed) for seed in seeds], device=self.device) if some else None
        self.losses = _grouped_losses(recipes, self.device)

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs of shape (R, B, n), or (1, B, n) for all, to outputs of shape (R, B, classes)."""
        per_layer = 2 if self.layer == "linear" else 3
        for start in range(0, len(self.params), per_layer):
            if start:
                x = x.relu()
            if self.layer == "linear":
                weight, bias = self.params[start : start + 2]
                if len(x) == 1 and len(weight) > 1:  # one product for all
                    phi = F.linear(x[0], weight.flatten(0, 1), bias.flatten())
                    x = phi.view(len(x[0]), *bias.shape).transpose(0, 1)
                else:
                    x = torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
            else:
                weight, beta, t = self.params[start : start + 3]
                eta = 5 * beta[:, None, None]
                position = torch.arange(x.shape[-1], dtype=x.dtype, device=x.device)
                gate = t[:, None] * x.mean(-1, keepdim=True).sigmoid()
                x = torch.bmm(x * (position * eta.cosh() + gate * eta.sinh()), weight.mT)
        return x

    def epoch(self, images: Dataset, batch_size: int) -> dict[str, Tensor]:
        """Visit the training images once; return means over the steps, of shape (R,): loss, energy, and the share
        of steps with a negative energy."""
        train = images.train
        orders = [torch.randperm(len(train), generator=g).to(self.device).split(batch_size) for g in self.order]
        sums = torch.zeros(3, len(self.recipes), dtype=torch.float64, device=self.device)
        for batches in zip(*orders, strict=True):
            index = torch.stack(batches)
            # Not by [...], which goes value by value where this copies whole images.
            x = images.as_input(train.images.index_select(0, index.flatten())).view(*index.shape, -1)
            y = train.labels[index]
            if self.which is not None:
                x, y = x.index_select(0, self.which), y.index_select(0, self.which)
            sums += self.step(x, y)
        for i in self._not_finite(sum(p.detach().view(len(p), -1).sum(1) for p in self.params)):
            self._freeze(i)
        return dict(zip(("loss", "energy", "negative"), sums / len(orders[0]), strict=True))

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """Take one step; return losses, mean energies, and whether these are negative, of shape (3, R)."""
        losses, energies = self.losses(self.forward(x), y)
        grads = torch.autograd.grad(losses.sum(), self.params)
        with torch.no_grad():
            if not math.isfinite(losses.sum().item()):
                for i in self._not_finite(losses):
                    self._freeze(i)
                    for g in grads:
                        g[i] = 0
            self._update(grads)
        return torch.stack([losses, energies, (energies < 0).to(losses.dtype).where(energies.isfinite(), energies)])

    @torch.no_grad()
    def outputs(self, images: Dataset, split: Split) -> Tensor:
        """Return the outputs on a split, of shape (R, N, classes)."""
        parts = split.images.split(EVALUATED)
        return torch.cat([self.forward(images.as_input(part).view(1, len(part), -1)) for part in parts], 1)

    def _update(self, grads: Sequence[Tensor]) -> None:
        eta = self._eta()
        for k, (p, v, g) in enumerate(zip(self.params, self.velocities, grads, strict=True)):
            shape = (-1, *(1 for _ in p.shape[1:]))
            if self.decays:
                g = g + self.decay.view(shape) * p
            v.mul_(self.keep.view(shape)).addcmul_(g, self.lr.view(shape), value=-1)
            if eta is not None:
                v.addcmul_(eta[k].view_as(v), self.std.view(shape))
            p.add_(v)

    def _eta(self) -> list[Tensor] | None:
        """Draw every warm replica's noise from its own generator."""
        if not self.hot:
            return None
        flat = torch.zeros(len(self.recipes), sum(self.sizes))
        for i in self.hot:
            flat[i].normal_(generator=self.noise[i])
        return list(flat.to(self.device).split(self.sizes, 1))

    def _not_finite(self, values: Tensor) -> list[int]:
        return (~values.isfinite()).nonzero().flatten().tolist()

    def _freeze(self, i: int) -> None:
        """Put a replica that diverged at rest, at zero, where it disturbs no one."""
        self.alive[i] = False
        self.lr[i] = self.std[i] = self.decay[i] = 0.0
        for p, v in zip(self.params, self.velocities, strict=True):
            p.detach()[i], v[i] = 0.0, 0.0


def _grouped_losses(
    recipes: Sequence[Recipe], device: torch.device
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the function that gives each replica its loss, and its mean energy (NaN where there is none)."""
    kinds: dict[tuple, list[int]] = {}
    for i, recipe in enumerate(recipes):
        kinds.setdefault((recipe.loss, recipe.choices), []).append(i)
    groups = []
    for (loss, choices), members in kinds.items():
        coefficients = torch.tensor([recipes[i].coefficients for i in members], device=device).T
        groups.append((loss, choices, torch.tensor(members, device=device), coefficients))
    order = torch.cat([members for _, _, members, _ in groups]).argsort()

    def losses(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if len(groups) == 1:
            (loss, choices, _, coefficients) = groups[0]
            return _losses(outputs, labels, loss, choices, coefficients)
        parts = [
            _losses(outputs[members], labels if len(labels) == 1 else labels[members], loss, choices, coefficients)
            for loss, choices, members, coefficients in groups
        ]
        first, second = zip(*parts, strict=True)
        return torch.cat(first)[order], torch.cat(second)[order]

    return losses


def _losses(
    outputs: Tensor, labels: Tensor, loss: str, choices: tuple[str, str, str], coefficients: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute one kind of loss of outputs (R, B, C) with labels (R, B) or (1, B), with coefficients (3, R)."""
    classes = outputs.shape[-1]
    if loss != "ginzburg-landau":
        none = torch.full((len(outputs),), torch.nan, device=outputs.device)
        if loss == "cross-entropy":
            index = labels.expand(outputs.shape[:2]).unsqueeze(-1)
            return -F.log_softmax(outputs, -1).gather(-1, index).mean((1, 2)), none
        return (outputs - F.one_hot(labels, classes)).square().mean((1, 2)), none
    norm, boundary, outer = choices
    quadratic, quartic, spatial = coefficients[:, :, None, None]
    # To normalize, a replica's batch is one sample of a batch of replicas.
    u = normalize(outputs, "sample") if norm == "batch" else normalize(outputs.flatten(0, 1), norm).view_as(outputs)
    d2 = (u - F.one_hot(labels, classes)).square()
    density = d2 * (quadratic + quartic * d2)
    if coefficients[2].any():
        density = density + spatial * difference(u, 2, boundary).square()
    energy = density.mean((1, 2))
    value = {"abs": energy.abs, "none": lambda: energy, "elementwise": lambda: density.abs().mean((1, 2))}[outer]()
    return value, energy.detach()
