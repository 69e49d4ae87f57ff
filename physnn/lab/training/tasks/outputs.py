r"""Outputs: where the gradient flow of the post's loss ends in the outputs themselves, with no network between.

.. math::
    \dot\varphi = -B\,\frac{\partial}{\partial\varphi}\sum_b L(\varphi_b, y_b)

with a batch :math:`\varphi_b` of B outputs for each b; the factor B gives an output the same clock in all batches. The
flow is taken in small steps of the proposal's optimizer at T = 0 (:class:`physnn.lab.training.updates.Update`), and
where it ends is counted and judged. Starts are normal; the label of start i is i modulo the classes.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from physnn import ginzburg_landau_density
from physnn.lab.models.dynamics import Dynamics, take_dynamics
from physnn.lab.models.losses import COEFFICIENTS
from physnn.lab.models.plain import choice, number
from physnn.lab.training.task import Budget, Column, Replica
from physnn.lab.training.updates import Update
from physnn.loss import BOUNDARIES

CLASSES = 10
ALIKE = 20  # ends that are the same to within 1/20 in every output are one
BARS = ("abs", "none")
COLUMNS: Mapping[str, Column] = {
    "right": Column(
        "share of the starts whose largest output is the label's",
        "starts that end right, %",
        scale=100,
        decimals=1,
        larger=True,
        guess=0.1,
        tolerance=0.01,
    ),
    "states": Column(
        "different ends: normalized outputs, from the label's class on, that differ by 1/20 or more in one of them",
        "different ends",
        decimals=0,
        tolerance=5.0,
    ),
    "walled": Column("share of the normalized outputs that end at the walls, -1 or 1", tolerance=0.01),
    "energy": Column("mean of the energy, without its bars, over the starts"),
    "zero": Column("share of the batches whose energy has become zero, to a thousandth", tolerance=0.02),
    "margin": Column("normalized output of the label less the largest of the others, mean over starts"),
    "moved": Column("mean change of the normalized outputs since the last row"),
    "seconds": Column("so far, shared among those computed together"),
}
SCORE = RESULT = "right"


@dataclass(frozen=True, kw_only=True)
class Recipe(Dynamics):
    """An arm: ``{starts: 1000, batch: 1, quartic: -5.0, outer: abs, steps: 500, optimizer: sgd, momentum: 0.0}``.

    ``quadratic``, ``quartic`` and ``spatial`` are the coefficients of :class:`physnn.GinzburgLandauLoss`, as printed
    where they are absent, and ``boundary`` its rule. ``outer`` (abs or none) says whether the mean has bars. ``batch``
    outputs share a maximum, a mean and its bars: 1 for outputs by themselves, a divisor of ``starts``. ``steps`` is how
    many there are, and the other entries are those of :class:`physnn.lab.models.dynamics.Dynamics`, without noise.
    """

    starts: int
    batch: int
    steps: int
    coefficients: tuple[float, float, float]
    boundary: str
    outer: str

    @property
    def architecture(self) -> tuple:
        """What replicas must share to be computed together."""
        return self.starts, self.batch, self.steps, self.boundary

    @property
    def size(self) -> int:
        """Number of scalars that move."""
        return self.starts * CLASSES


def read(given: Mapping[str, Any]) -> Recipe:
    """Return the recipe that plain data describe.

    Raises:
        ValueError: something is missing, unknown, or outside its range; it says what, and what there is.
    """
    rest = dict(given)
    values: dict[str, Any] = {name: rest.pop(name, None) for name in ("starts", "batch", "steps")}
    if not all(type(value) is int and value > 0 for value in values.values()) or values["starts"] % values["batch"]:
        raise ValueError(f"starts, batch and steps must be whole numbers, batch a divisor of starts, got {values}")
    values["coefficients"] = tuple(number(rest, name, default) for name, default in COEFFICIENTS.items())
    values["boundary"] = choice(rest, "boundary", BOUNDARIES, BOUNDARIES[0])
    values["outer"] = choice(rest, "outer", BARS, BARS[0])
    values |= take_dynamics(rest)
    if values["optimizer"] != "langevin" or values.get("temperature"):
        raise ValueError(f"a gradient flow is taken by sgd, or langevin at temperature 0, got {given['optimizer']!r}")
    if rest:
        raise ValueError(f"outputs and {given['optimizer']} know no {sorted(rest)}")
    return Recipe(**values)


def run(
    replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
) -> Iterator[list[dict[str, Any] | None]]:
    """Follow the flow; give what ``COLUMNS`` lists at the start and after every part of the steps.

    Raises:
        ValueError: an extra, data, or steps that the epochs do not divide.
    """
    recipe = recipes[0]
    if budget.extras or budget.data:
        raise ValueError(f"outputs knows no extras and no data, got {[*budget.extras]} and {budget.data!r}")
    if recipe.steps % budget.epochs:
        raise ValueError(f"steps must be a multiple of the epochs, {budget.epochs}, got {recipe.steps}")
    shape = recipe.starts // recipe.batch, recipe.batch, CLASSES
    drawn = [torch.Generator().manual_seed(replica.seed) for replica in replicas]
    phi = torch.stack([torch.randn(shape, generator=generator) for generator in drawn])
    labels = torch.arange(recipe.starts) % CLASSES
    target = F.one_hot(labels, CLASSES).to(phi.dtype).view(shape)
    update = Update(recipes, [replica.lr for replica in replicas], drawn, [phi], recipe.steps)
    groups = _groups(recipes)
    last, seconds = normalized(phi), 0.0
    for epoch in range(budget.epochs + 1):
        begun = time.perf_counter()
        for _ in range(recipe.steps // budget.epochs if epoch else 0):
            update.step([_slope(phi, target, groups)])
        update.temperatures()
        seconds += (time.perf_counter() - begun) / len(replicas) if epoch else 0.0
        u, energies = normalized(phi), torch.empty(phi.shape[:2])
        moved, last = (u - last).abs().mean((1, 2, 3)), u
        for each, members in groups.items():
            energies[members] = _energies(phi[members], target, each)
        yield [
            {**judged(u[i], labels), **_of(energies[i]), "moved": moved[i].item(), "seconds": seconds}
            if phi[i].isfinite().all()
            else None
            for i in range(len(replicas))
        ]


def judged(u: Tensor, labels: Tensor) -> dict[str, float]:
    """Judge normalized outputs (..., C) by their labels: ``right``, ``states``, ``walled`` and ``margin``."""
    u = u.reshape(len(labels), -1)
    own = u.gather(1, labels[:, None]).squeeze(1)
    others = u.scatter(1, labels[:, None], -torch.inf).amax(1)
    places = (torch.arange(u.shape[1]) + labels[:, None]) % u.shape[1]
    ends = (u.gather(1, places) * ALIKE).round().unique(dim=0)
    walled = (u.abs() > 1 - 1e-3).double().mean()
    shares = {"right": (own > others).double().mean(), "walled": walled, "margin": (own - others).double().mean()}
    return {name: value.item() for name, value in shares.items()} | {"states": float(len(ends))}


def normalized(phi: Tensor) -> Tensor:
    """Divide outputs (..., B, C) by the largest magnitude of their batch."""
    return phi / phi.abs().amax((-2, -1), keepdim=True)


def _of(energies: Tensor) -> dict[str, float]:
    return {"energy": energies.mean().item(), "zero": (energies.abs() < 1e-3).double().mean().item()}


def _groups(recipes: Sequence[Recipe]) -> dict[Recipe, Tensor]:
    """Put the replicas of one loss together, under the first of their recipes."""
    found: dict[tuple, list[int]] = {}
    for i, recipe in enumerate(recipes):
        found.setdefault((recipe.coefficients, recipe.outer), []).append(i)
    return {recipes[members[0]]: torch.tensor(members) for members in found.values()}


def _energies(phi: Tensor, target: Tensor, recipe: Recipe) -> Tensor:
    """Return the energies of the batches of outputs (R, batches, B, C), of shape (R, batches)."""
    several = phi.flatten(0, 1)  # norm="sample": each batch is one field
    fields = target.expand(phi.shape).flatten(0, 1)
    density = ginzburg_landau_density(several, fields, *recipe.coefficients, norm="sample", boundary=recipe.boundary)
    return density.mean((1, 2)).view(phi.shape[:2])


@torch.enable_grad()
def _slope(phi: Tensor, target: Tensor, groups: Mapping[Recipe, Tensor]) -> Tensor:
    """Return the gradient of B times the loss, of the shape of phi."""
    slope = torch.empty_like(phi)
    for recipe, members in groups.items():
        own = phi[members].detach().requires_grad_()
        energies = _energies(own, target, recipe)
        losses = energies.abs() if recipe.outer == "abs" else energies
        slope[members] = torch.autograd.grad(recipe.batch * losses.sum(), own)[0]
    return slope


def checksum(data: str) -> str:
    """Return a word in place of a checksum: there are no data, everything is drawn from seeds."""
    return "none"
