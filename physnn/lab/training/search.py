r"""Searches for the lowest point of a landscape at equal cost: walkers with noise, with less and less of it, or anew.

A search is one walker: it may evaluate so many gradients, keeps the lowest point that it has seen, and knows no more.
It is moved by the proposal's own update, :class:`physnn.Langevin` in the form of
:class:`physnn.lab.training.updates.Update`. Restarts are that at T = 0, from a new start after every ``length`` steps.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from physnn.lab.models.dynamics import Dynamics
from physnn.lab.training.updates import Update


class Landscape(Protocol):
    """R landscapes of one dimension D, on which W walkers each are evaluated at once."""

    def draw(self, generator: torch.Generator, count: int, start: str) -> Tensor:
        """Draw starts of shape (count, D)."""
        ...

    def evaluate(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses (R, W), at least 0 and 0 at the best minimum, and gradients (R, W, D) of walkers (R, W, D)."""
        ...

    def found(self, theta: Tensor, losses: Tensor) -> Tensor:
        """Tell which walkers are in the best well, of shape (R, W)."""
        ...


class Searches:
    """R groups of W searches, each group with its recipe, its learning rate, its landscape and its seed.

    A walker whose loss is not finite is lost: it rests at zero and finds nothing there, until a restart draws it anew.
    What a group does depends on its own seed alone.

    Args:
        recipes: how the walkers of each group move.
        lrs: their learning rates.
        seeds: of starts and of noise. Groups of one seed have the same first starts.
        landscape: where they are; it has R problems.
        start: what starts are drawn from, as the landscape calls it.
        lengths: steps after which each group draws new starts; 0 for never.
        walkers: W.
        steps: gradients of each search: the length of its schedules.

    Attributes:
        theta: where the walkers are, of shape (R, W, D).
        taken: gradients evaluated so far, by each search.
        lowest: the lowest loss that each search has seen, of shape (R, W).
        reported: whether the point of the lowest loss lies in the best well.
        visited: whether any point evaluated so far did.
        now: whether the point evaluated last did.
        lost: whether the walker is.
    """

    def __init__(
        self,
        recipes: Sequence[Dynamics],
        lrs: Sequence[float],
        seeds: Sequence[int],
        landscape: Landscape,
        *,
        start: str,
        lengths: Sequence[int],
        walkers: int,
        steps: int,
    ) -> None:
        self.landscape, self.start, self.lengths, self.walkers = landscape, start, lengths, walkers
        self.places = [torch.Generator().manual_seed(seed) for seed in seeds]
        noise = [torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=g))) for g in self.places]
        self.theta = torch.stack([landscape.draw(g, walkers, start) for g in self.places])
        self.update = Update(recipes, lrs, noise, [self.theta], steps)
        shape = self.theta.shape[:2]
        self.taken, self.lowest = 0, torch.full(shape, torch.inf)
        self.reported, self.visited, self.now, self.lost = (torch.zeros(shape, dtype=torch.bool) for _ in range(4))

    @torch.no_grad()
    def run(self, steps: int) -> None:
        """Take steps, each after one gradient of every search."""
        for _ in range(steps):
            losses, grads = self.landscape.evaluate(self.theta)
            self._lose(losses, grads)
            self.now = self.landscape.found(self.theta, losses) & ~self.lost
            lower = (losses < self.lowest) & ~self.lost
            self.lowest = torch.where(lower, losses, self.lowest)
            self.reported = torch.where(lower, self.now, self.reported)
            self.visited |= self.now
            self.update.step([grads])
            self.taken += 1
            for i, length in enumerate(self.lengths):
                if length and self.taken % length == 0:
                    self.theta[i] = self.landscape.draw(self.places[i], self.walkers, self.start)
                    self.update.velocities[0][i] = 0.0
                    self.lost[i] = False

    def _lose(self, losses: Tensor, grads: Tensor) -> None:
        self.lost |= ~losses.isfinite()
        if self.lost.any():
            for tensor in (self.theta, grads, self.update.velocities[0]):
                tensor[self.lost] = 0.0
