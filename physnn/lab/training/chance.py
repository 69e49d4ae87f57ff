"""Chance of replicas that are trained together: each one's from its own seed, whoever is beside it."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Chance:
    """Random numbers for R replicas: those of one seed share what is drawn.

    Args:
        seeds: one for each replica.
        device: where the numbers go; they are drawn on the processor.

    Attributes:
        generators: one for each distinct seed, in the order in which these come.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        distinct = list(dict.fromkeys(seeds))
        self.device = torch.device(device)
        self.generators = [torch.Generator().manual_seed(seed) for seed in distinct]
        some = 1 < len(distinct) < len(seeds)  # share: not all, and not none
        self._which = torch.tensor([distinct.index(seed) for seed in seeds], device=self.device) if some else None

    def draw(self, make: Callable[[torch.Generator], Tensor]) -> Tensor:
        """Return what ``make`` draws with each generator, of shape (R, ...), or (1, ...) where all have one seed."""
        return self.share(torch.stack([make(generator) for generator in self.generators]).to(self.device))

    def share(self, drawn: Tensor) -> Tensor:
        """Give what has one row for each generator to the replicas: shape (R, ...), or (1, ...) for all."""
        return drawn if self._which is None else drawn.index_select(0, self._which)

    def batches(self, count: int, size: int) -> list[Tensor]:
        """Return an epoch's batches, each the indices of at most ``size`` of ``count`` samples for each generator."""
        orders = [torch.randperm(count, generator=generator) for generator in self.generators]
        return list(torch.stack(orders).to(self.device).split(size, 1))
