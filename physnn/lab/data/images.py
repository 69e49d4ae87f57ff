"""The images: MNIST through torchvision, and scikit-learn's embedded digits, which need no network."""

import hashlib
import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

NAMES = ("mnist", "digits")
VALIDATION = 10_000  # the last of MNIST's 60,000 training images

# SHA-256 of the four files as published (LeCun, Cortes and Burges), unpacked.
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class DataError(RuntimeError):
    """A file of the data set is missing, truncated or foreign, or could not be downloaded."""


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
        DataError: a file is missing and cannot be downloaded, is truncated, or is not the published one.
    """
    if name not in NAMES:
        raise ValueError(f"data must be one of {', '.join(NAMES)}, got {name!r}")
    if name == "digits":
        parts, levels = _digits(), 16
    else:
        parts, levels = _mnist(_root(root)), 255
    digest = hashlib.sha256()
    for images, labels in parts:
        digest.update(images.numpy().tobytes())
        digest.update(labels.numpy().tobytes())
    splits = [Split(images.unsqueeze(1).to(device), labels.to(device)) for images, labels in parts]
    return Dataset(name, *splits, levels, digest.hexdigest())


def available(root: str | Path | None = None) -> str:
    """Return ``"mnist"`` where it is there or can be downloaded, else ``"digits"``, and print which and why.

    Raises:
        DataError: MNIST is there, but a file of it is truncated or foreign: better said than papered over.
    """
    folder = _root(root)
    try:
        _fetch(folder)
    except OSError as error:
        print(f"data: digits (8×8, embedded), because MNIST is not in {folder} and did not download: {error}")
        return "digits"
    print(f"data: mnist, from {folder}")
    return "mnist"


def _root(root: str | Path | None) -> Path:
    return Path(root or os.environ.get("PHYSNN_DATA") or Path.home() / ".cache" / "physnn").expanduser().absolute()


def _fetch(root: Path) -> None:
    """Download what is missing, and verify all of it. Raises OSError where the download fails."""
    raw = root / "MNIST" / "raw"
    if not all((raw / name).exists() for name in FILES):
        from torchvision.datasets import MNIST  # takes seconds to import

        try:
            MNIST(root, download=True)
        except RuntimeError as error:  # torchvision's word for "no mirror answered"
            raise OSError(str(error).splitlines()[0].rstrip(":")) from error
    for name, published in FILES.items():
        path = raw / name
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != published:
            raise DataError(
                f"{path} ({path.stat().st_size:,} bytes) is truncated or not the published file: its SHA-256 is "
                f"{found[:16]}…, expected {published[:16]}…. Delete it and run again to download it"
            )


def _mnist(root: Path) -> list[tuple[Tensor, Tensor]]:
    try:
        _fetch(root)
    except OSError as error:
        raise DataError(
            f"MNIST is not in {root} and did not download ({error}). Put its files into {root / 'MNIST' / 'raw'}, "
            "set PHYSNN_DATA to the folder that holds MNIST/raw, or use data='digits'"
        ) from error
    from torchvision.datasets import MNIST

    train, test = (MNIST(root, train=part) for part in (True, False))
    head = len(train.data) - VALIDATION
    return [
        (train.data[:head], train.targets[:head]),
        (train.data[head:], train.targets[head:]),
        (test.data, test.targets),
    ]


def _digits() -> list[tuple[Tensor, Tensor]]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # The file is ordered by writer; a fixed permutation mixes them.
    order = torch.randperm(len(bunch.target), generator=torch.Generator().manual_seed(0))
    images = torch.from_numpy(bunch.images).to(torch.uint8)[order]
    labels = torch.from_numpy(bunch.target).long()[order]
    bounds = (0, 1197, 1497, 1797)
    return [(images[a:b], labels[a:b]) for a, b in pairwise(bounds)]
