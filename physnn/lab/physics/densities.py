r"""Two densities in the plane, :math:`p \propto e^{-U}`, that can be drawn from exactly: what a sampler has to match.

``ring`` are eight Gaussians on a circle, ``rugged`` is an egg-box on a bowl:

.. math::
    p = \tfrac18 \sum_{k=1}^{8} \mathcal N(\theta;\, c_k,\, s^2 I), \qquad
    U = \frac{|\theta|^2}{2 S^2} + a\,(1 - \cos\theta_1 \cos\theta_2)

with :math:`|c_k| = 4` and :math:`s = 1/2`, and :math:`S = 5` and :math:`a = 3`. Between neighbouring modes of the ring
the energy rises by about 4 above the bottom of a mode, between those of the egg-box by about 3.
"""

import math
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

STARTS = ("one", "wide")
AROUND = 0.3  # standard deviation of starts around one mode
CELLS = 16  # of a side of the square on which samples are counted
FEW = 0.01  # modes with a smaller share are not asked for


class Density(Protocol):
    """A density in the plane.

    Attributes:
        half: half the side of the square on which samples are counted.
        centres: of its modes, of shape (M, 2); the first is where walkers start that begin in one mode.
    """

    half: float
    centres: Tensor

    def energy(self, theta: Tensor) -> Tensor:
        """Return U of positions (..., 2), of shape (...), up to a constant."""
        ...

    def slope(self, theta: Tensor) -> Tensor:
        """Return the gradient of U, of the shape of the positions."""
        ...

    def draw(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw exactly, of shape (count, 2)."""
        ...


class Ring:
    """Eight Gaussians of equal weight on a circle."""

    radius, spread, half = 4.0, 0.5, 6.0

    def __init__(self) -> None:
        angles = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
        self.centres = (self.radius * torch.stack([angles.cos(), angles.sin()], -1)).float()

    def energy(self, theta: Tensor) -> Tensor:
        """Return U of positions (..., 2), of shape (...); close to 0 at a mode."""
        apart = (theta.square().sum(-1) + self.radius**2) / (2 * self.spread**2)
        return apart - self._near(theta).logsumexp(-1)

    def slope(self, theta: Tensor) -> Tensor:
        """Return the gradient of U: the offset from the mean of the centres by how near each is, over s squared."""
        return (theta - self._near(theta).softmax(-1) @ self.centres.to(theta.dtype)) / self.spread**2

    def draw(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw exactly, of shape (count, 2): a mode, and an offset."""
        which = torch.randint(8, (count,), generator=generator)
        return self.centres[which] + self.spread * torch.randn(count, 2, generator=generator)

    def _near(self, theta: Tensor) -> Tensor:
        return theta @ self.centres.to(theta.dtype).T / self.spread**2


class Rugged:
    """An egg-box on a bowl: wells at the places of a checkerboard, of unequal depth."""

    bowl, height, half = 5.0, 3.0, 15.0

    def __init__(self) -> None:
        place = torch.cartesian_prod(torch.arange(-4, 5), torch.arange(-4, 5))
        place = place[place.sum(1) % 2 == 0]
        first = (place == torch.tensor([2, 0])).all(1)
        # The bowl pulls each bottom a little inwards of the place.
        self.centres = torch.cat([place[first], place[~first]]) * math.pi / (1 + 1 / (self.height * self.bowl**2))

    def energy(self, theta: Tensor) -> Tensor:
        """Return U of positions (..., 2), of shape (...); 0 at the centre."""
        bowl = theta.square().sum(-1) / (2 * self.bowl**2)
        return bowl + self.height * (1 - theta.cos().prod(-1))

    def slope(self, theta: Tensor) -> Tensor:
        """Return the gradient of U, of the shape of the positions."""
        return theta / self.bowl**2 + self.height * theta.sin() * theta.cos().flip(-1)

    def draw(self, generator: torch.Generator, count: int) -> Tensor:
        """Draw exactly, of shape (count, 2): from the bowl, and keep with the chance that the egg-box leaves."""
        kept, found = torch.empty(0, 2), 0
        while found < count:
            tried = self.bowl * torch.randn(8 * count, 2, generator=generator)
            chance = torch.rand(8 * count, generator=generator)
            kept = torch.cat([kept, tried[chance.log() < -self.height * (1 - tried.cos().prod(-1))]])
            found = len(kept)
        return kept[:count]


DENSITIES = {"ring": Ring, "rugged": Rugged}


def start(density: Density, generator: torch.Generator, count: int, kind: str) -> Tensor:
    """Draw starts of shape (count, 2): around ``one`` mode (normal, standard deviation 0.3), or uniform in the square.

    Raises:
        ValueError: there are no such starts.
    """
    if kind not in STARTS:
        raise ValueError(f"start must be one of {', '.join(STARTS)}, got {kind!r}")
    if kind == "one":
        return density.centres[0] + AROUND * torch.randn(count, 2, generator=generator)
    return density.half * (2 * torch.rand(count, 2, generator=generator) - 1)


def cells(density: Density, theta: Tensor) -> Tensor:
    """Return the cell of positions (..., 2), of shape (...): 16 by 16 of them, and a last one for all that is outside.

    What is not finite is outside.
    """
    index = ((theta + density.half) * (CELLS / (2 * density.half))).floor()
    inside = ((index >= 0) & (index < CELLS)).all(-1)
    number = torch.where(inside, index[..., 0] * CELLS + index[..., 1], CELLS * CELLS)
    return number.long()


def modes(density: Density, theta: Tensor) -> Tensor:
    """Return the nearest centre of positions (..., 2), of shape (...)."""
    away = theta.unsqueeze(-2) - density.centres.to(theta.dtype)
    return away.square().sum(-1).argmin(-1)


@cache
def shares(name: str, fine: int = 400) -> Tensor:
    """Return the share of each mode of a density of :data:`DENSITIES`, of shape (M,): sums over a fine grid.

    Raises:
        ValueError: there is no such density.
    """
    if name not in DENSITIES:
        raise ValueError(f"density must be one of {', '.join(DENSITIES)}, got {name!r}")
    density = DENSITIES[name]()
    side = (torch.arange(fine, dtype=torch.float64) + 0.5) / fine * 2 - 1
    grid = 1.3 * density.half * torch.cartesian_prod(side, side)
    weight = (-density.energy(grid)).exp()
    which = torch.cat([modes(density, part) for part in grid.split(20_000)])
    sums = torch.zeros(len(density.centres), dtype=torch.float64).index_add_(0, which, weight)
    return sums / sums.sum()
