r"""Graphs of samples: each tied to its nearest ones, the more so the nearer they are.

.. math::
    w_{ij} = \exp\Bigl(-\frac{|x_i - x_j|^2}{\sigma_i\sigma_j}\Bigr)

where j is among the k nearest of i, or i among those of j, and :math:`\sigma_i` is the distance of i from the last of
its own: a scale that follows the density. Source: Zelnik-Manor & Perona (2004).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BLOCK = 1000  # samples whose distances from all are held at a time


@dataclass(frozen=True)
class Graph:
    """Nodes and what ties them.

    Attributes:
        neighbours: the k nearest of each node, the nearest first, of shape (n, k), int64.
        distances: theirs, of shape (n, k).
    """

    neighbours: Tensor
    distances: Tensor

    def __len__(self) -> int:
        return len(self.neighbours)

    @cached_property
    def ties(self) -> Tensor:
        """The weights of a node's own neighbours, of shape (n, k)."""
        scale = self.distances[:, -1].double()
        ties = (-self.distances.double().square() / (scale[:, None] * scale[self.neighbours])).exp()
        return torch.where(self.distances == 0, 1.0, ties)  # samples that are alike, whatever the scale

    @cached_property
    def weights(self) -> "csr_array":
        """All weights, as a symmetric sparse matrix of shape (n, n) without a diagonal."""
        from scipy.sparse import csr_array

        n, k = self.neighbours.shape
        rows = np.repeat(np.arange(n), k)
        one = csr_array((self.ties.numpy().ravel(), (rows, self.neighbours.numpy().ravel())), shape=(n, n))
        return csr_array(one.maximum(one.T))

    @cached_property
    def parts(self) -> Tensor:
        """The connected part that each node lies in, of shape (n,)."""
        from scipy.sparse.csgraph import connected_components

        return torch.from_numpy(connected_components(self.weights, directed=False)[1]).long()


def nearest(points: Tensor, count: int) -> Graph:
    """Tie each of n points, of shape (n, m), to the ``count`` nearest of the others: exactly, a block at a time.

    Raises:
        ValueError: there are not so many others, or a number is not finite.
    """
    n = len(points)
    if not 1 <= count < n:
        raise ValueError(f"count must be from 1 to {n - 1}, one less than the points, got {count}")
    if not points.isfinite().all():
        raise ValueError("points must be finite; some are not")
    squares, kept = points.square().sum(1), []
    room = points.new_empty(min(BLOCK, n), n)
    for start in range(0, n, BLOCK):
        block = points[start : start + BLOCK]
        # Without |x_i|², which is the same for a row.
        apart = torch.addmm(squares, block, points.T, alpha=-2, out=room[: len(block)])
        own = torch.arange(len(block), device=points.device)
        apart[own, own + start] = torch.inf
        kept.append(apart.topk(count, largest=False).indices)
    neighbours = torch.cat(kept)
    several = [(points[part] - points[start : start + BLOCK, None]).norm(dim=2) for start, part in _blocks(neighbours)]
    distances, order = torch.cat(several).sort(dim=1, stable=True)
    return Graph(neighbours.gather(1, order), distances)


def principal(inputs: Tensor, count: int, fitted: Tensor | None = None) -> Tensor:
    """Return the ``count`` leading principal components of inputs (n, m), scaled by one number to a mean square of 1.

    Args:
        fitted: inputs of shape (N, m) that decide mean, directions and scale; None for the inputs themselves.

    Raises:
        ValueError: there are not so many directions.
    """
    given = inputs if fitted is None else fitted
    if not 1 <= count <= given.shape[1]:
        raise ValueError(f"count must be from 1 to {given.shape[1]}, the size of an input, got {count}")
    mean = given.mean(0)
    centered = given - mean
    values, vectors = torch.linalg.eigh((centered.T @ centered).double() / len(given))
    vectors, values = vectors[:, -count:].flip(1), values[-count:]
    # Of the two signs of a direction, the one that makes its largest entry positive.
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    vectors = vectors * largest.sign() / values.mean().sqrt()
    return (inputs - mean) @ vectors.to(inputs)


def _blocks(neighbours: Tensor) -> list[tuple[int, Tensor]]:
    return [(start, neighbours[start : start + BLOCK]) for start in range(0, len(neighbours), BLOCK)]
