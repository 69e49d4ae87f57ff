"""The networks that the chapters compare."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn


def network(widths: Sequence[int], layer: Callable[[int, int], nn.Module]) -> nn.Sequential:
    """Stack ``layer(width, next_width)`` with rectifiers between, behind a flattening of the images.

    Args:
        widths: sizes from the pixels to the classes; two of them make a single layer.
        layer: makes one layer from its input and output size, e.g. ``torch.nn.Linear``.

    Raises:
        ValueError: fewer than two widths.
    """
    if len(widths) < 2:
        raise ValueError(f"a network needs at least an input and an output width, got {list(widths)}")
    modules: list[nn.Module] = [nn.Flatten()]
    for size, next_size in pairwise(widths):
        modules += [layer(size, next_size), nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def parameter_count(model: nn.Module) -> int:
    """Return the number of trainable scalars."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def seeded(make: Callable[[], nn.Module], seed: int) -> tuple[nn.Module, torch.Generator]:
    """Make a network from a seed, and the generator of the noise of a Langevin optimizer that is made after it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        start = make()
        # Langevin seeds its own generator when it is made, after the network.
        return start, torch.Generator().manual_seed(int(torch.randint(2**63 - 1, ())))
