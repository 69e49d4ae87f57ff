"""The images: MNIST, and scikit-learn's embedded digits, which need no network."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from physnn.lab.data import mnist

NAMES = ("mnist", "digits")
VALIDATION = 10_000  # the last of MNIST's 60,000 training images


@dataclass(frozen=True)
class Split:
    """Images of shape (n, 1, h, w), uint8, and their labels of shape (n,), int64, on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A data set held in memory.

    Attributes:
        name: ``"mnist"`` or ``"digits"``.
        train, validation, test: the three splits.
        levels: the largest gray value, 255 or 16; ``as_input`` divides by it.
        checksum: SHA-256 over all images and labels, for provenance.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    levels: int
    checksum: str

    @property
    def pixels(self) -> int:
        """The number of pixels of an image, 784 or 64."""
        return self.train.images[0].numel()

    def as_input(self, images: Tensor) -> Tensor:
        """Turn gray values into floats in [0, 1], as torchvision's ``ToTensor`` does."""
        return images.to(torch.float32, copy=True).div_(self.levels)

    def describe(self) -> str:
        """Say what the data are, in a sentence's part."""
        sizes = f"{len(self.train):,} training, {len(self.validation):,} validation and {len(self.test):,} test images"
        title = {"mnist": "MNIST", "digits": "scikit-learn's digits (8×8, not MNIST)"}[self.name]
        return f"{title}, {sizes}"


def load(name: str = "mnist", *, root: str | Path | None = None, device: torch.device | str = "cpu") -> Dataset:
    """Load a data set into memory.

    Args:
        name: ``"mnist"`` (28×28; 50,000 training, 10,000 validation, 10,000 test images; downloaded where it is
            missing) or ``"digits"`` (8×8; 1,197, 300 and 300; comes with scikit-learn).
        root: folder that holds or gets ``MNIST/raw``; None for ``PHYSNN_DATA``, or ``~/.cache/physnn``.
        device: where the tensors live.

    Raises:
        ValueError: ``name`` is unknown.
        DataError: a file is missing and cannot be downloaded, lies elsewhere, is truncated, or not the published one.
    """
    if name not in NAMES:
        raise ValueError(f"data must be one of {', '.join(NAMES)}, got {name!r}")
    if name == "digits":
        parts, levels = _digits(), 16
    else:
        parts, levels = _mnist(root), 255
    digest = hashlib.sha256()
    for images, labels in parts:
        digest.update(images.numpy().tobytes())
        digest.update(labels.numpy().tobytes())
    splits = [Split(images.unsqueeze(1).to(device), labels.to(device)) for images, labels in parts]
    return Dataset(name, *splits, levels, digest.hexdigest())


def available() -> str:
    """Return ``"mnist"`` where it is there or can be downloaded, else ``"digits"``, and print which and why.

    Raises:
        DataError: MNIST is there, but a file of it is truncated, foreign or in the wrong place; or ``PHYSNN_DATA`` is
            set, and it is not there: better said than papered over.
    """
    try:
        mnist.read()
    except mnist.AbsentError as error:
        print(f"data: digits (8×8, embedded), because {error}")
        return "digits"
    print(f"data: mnist, from {mnist.folder()}")
    return "mnist"


def _mnist(root: str | Path | None) -> list[tuple[Tensor, Tensor]]:
    contents = [bytearray(content) for content in mnist.read(root)]
    # What stands before the numbers says their shape: 16 bytes for images, 8 for labels.
    images = [torch.frombuffer(each, dtype=torch.uint8, offset=16).view(-1, 28, 28) for each in contents[::2]]
    labels = [torch.frombuffer(each, dtype=torch.uint8, offset=8).long() for each in contents[1::2]]
    head = len(labels[0]) - VALIDATION
    return [(images[0][:head], labels[0][:head]), (images[0][head:], labels[0][head:]), (images[1], labels[1])]


def _digits() -> list[tuple[Tensor, Tensor]]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # The file is ordered by writer; a fixed permutation mixes them.
    order = torch.randperm(len(bunch.target), generator=torch.Generator().manual_seed(0))
    images = torch.from_numpy(bunch.images).to(torch.uint8)[order]
    labels = torch.from_numpy(bunch.target).long()[order]
    bounds = (0, 1197, 1497, 1797)
    return [(images[a:b], labels[a:b]) for a, b in pairwise(bounds)]
