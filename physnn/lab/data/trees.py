"""Data with a hierarchy: noisy trees from a fixed generator, and a tree over the labels of images.

The height of two classes' lowest common ancestor is given as a share of the root's: 0 for a class and itself, 1 where
only the root is above both.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from physnn.lab.data.images import Dataset

FEATURES = 32
SIZES = {"train": 1280, "validation": 3200, "test": 3200}  # samples, whatever the tree
LEAVES = 256  # at most


@dataclass(frozen=True)
class Samples:
    """Inputs of shape (N, 32), float32, in random order, and the leaf of each, of shape (N,), int64."""

    inputs: Tensor
    labels: Tensor


@dataclass(frozen=True)
class NoisyTree:
    """A tree whose leaves are points of a space, and noisy samples of them.

    Attributes:
        centres: the leaves' points, of shape (L, 32).
        heights: those of the lowest common ancestors, of shape (L, L).
        train, validation, test: the samples.
    """

    centres: Tensor
    heights: Tensor
    train: Samples
    validation: Samples
    test: Samples


def noisy_tree(branching: int, depth: int, noise: float, seed: int) -> NoisyTree:
    r"""Draw a tree with b branches at every node, of D levels below its root, and samples of its leaves.

    Every edge is a step, and a leaf's point is the sum of the steps on its way from the root, in 32 dimensions:

    .. math::
        c_\ell = \sum_{e \in \text{path}(\ell)} s_e, \quad s_e \sim \mathcal N(0, I/D), \qquad
        x = c_\ell + \sigma\eta, \quad \eta \sim \mathcal N(0, I),

    so that the mean squared distance of two leaves is their ancestor's height, in units of twice the dimension:
    :math:`\mathbb E\,|c_i - c_j|^2 = 2 \cdot 32\, h_{ij}`. The leaves are as frequent as can be. With equal spheres of
    noise the best answer is the nearest leaf (:func:`nearest`).

    Args:
        branching: b, at least 2, and ``depth``, D, at least 1, with at most 256 leaves.
        noise: σ, above 0.
        seed: of steps, noise and order: what is drawn depends on nothing else.

    Raises:
        ValueError: there is no such tree.
    """
    check(branching, depth, noise)
    generator = torch.Generator().manual_seed(seed)
    centres = torch.zeros(1, FEATURES)
    for level in range(1, depth + 1):
        steps = torch.randn(branching**level, FEATURES, generator=generator) / depth**0.5
        centres = centres.repeat_interleave(branching, 0) + steps
    parts = {}
    for name, size in SIZES.items():
        labels = torch.arange(size) % len(centres)
        labels = labels[torch.randperm(size, generator=generator)]
        parts[name] = Samples(centres[labels] + noise * torch.randn(size, FEATURES, generator=generator), labels)
    return NoisyTree(centres, regular_heights(branching, depth), **parts)


def check(branching: int, depth: int, noise: float) -> None:
    """Raise ValueError if there is no such noisy tree."""
    if type(branching) is not int or type(depth) is not int or branching < 2 or depth < 1:
        raise ValueError(
            f"a tree needs whole numbers, at least 2 branches and a depth of at least 1, "
            f"got {branching!r} and {depth!r}"
        )
    if branching**depth > LEAVES:
        raise ValueError(f"a tree has at most {LEAVES} leaves, got {branching} to the power of {depth}")
    if not 0 < noise < float("inf"):
        raise ValueError(f"noise must be a number above 0, got {noise}")


def regular_heights(branching: int, depth: int) -> Tensor:
    """Return the heights of the leaves' lowest common ancestors, of shape (L, L): the first level of equal prefixes."""
    leaves = torch.arange(branching**depth)
    apart = torch.stack([leaves // branching**level for level in range(depth)])
    return (apart.unsqueeze(2) != apart.unsqueeze(1)).sum(0) / depth


def tree_distances(branching: int, depth: int) -> np.ndarray:
    """Return the numbers of edges between all nodes of a regular tree, shape (N, N), int.

    Node 0 is the root, and node k has the children bk+1, ..., bk+b.
    """
    count = (branching ** (depth + 1) - 1) // (branching - 1)
    parents = (np.arange(count) - 1) // branching
    distances = np.zeros((count, count), dtype=int)
    for node in range(1, count):  # after its parent, and after all that come before it
        distances[node, :node] = distances[:node, node] = distances[parents[node], :node] + 1
    return distances


def nearest(inputs: Tensor, centres: Tensor) -> Tensor:
    """Return the leaf that is nearest to each input, (N,): the best answer there is, if the leaves are known."""
    return torch.cdist(inputs, centres).argmin(-1)


def label_tree(images: Dataset) -> np.ndarray:
    """Return the tree over the labels as scipy's linkage matrix: average linkage of the class means of training images.

    The distance is Euclid's, of gray values from 0 to 1. No validation or test image is looked at.
    """
    from scipy.cluster.hierarchy import linkage

    labels = images.train.labels
    means = [images.as_input(images.train.images[labels == k]).double().mean(0).flatten() for k in labels.unique()]
    return linkage(torch.stack(means).cpu().numpy(), "average")


def linkage_heights(tree: np.ndarray) -> Tensor:
    """Return the heights at which two labels are joined, of shape (C, C): cophenetic distances over the root's."""
    from scipy.cluster.hierarchy import cophenet
    from scipy.spatial.distance import squareform

    return torch.from_numpy(squareform(cophenet(tree)) / tree[-1, 2]).float()


def checksum() -> str:
    """Return the SHA-256 of one tree's centres and samples, rounded to what is the same on all machines."""
    tree = noisy_tree(2, 3, 1.0, 0)
    parts = [tree.centres, *(part.inputs for part in (tree.train, tree.validation, tree.test))]
    return hashlib.sha256(torch.cat(parts).mul(1e3).round().int().numpy().tobytes()).hexdigest()
