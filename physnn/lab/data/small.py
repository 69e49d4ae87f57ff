"""Pictures of 8 by 8 pixels from -1 to 1: scikit-learn's digits as they are, and MNIST's images made as small."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from physnn.lab.data.images import load

SIDE = 8
PIXELS = SIDE**2
LEVELS = ("gray", "two")
MARGIN = 2  # of MNIST's 28 pixels, left out on each side: what is left is three times as large


@cache
def small(name: str, split: str, levels: str = LEVELS[0]) -> tuple[Tensor, Tensor]:
    """Return pictures of shape (n, 64), float32, and their labels of shape (n,).

    Of MNIST the middle 24 by 24 pixels are averaged in squares of 3 by 3. With two levels a pixel is -1 or 1,
    whichever is nearer.

    Args:
        name: ``"mnist"`` or ``"digits"``.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        levels: ``"gray"`` or ``"two"``.

    Raises:
        ValueError: one of the three is unknown.
    """
    if split not in ("train", "validation", "test"):
        raise ValueError(f"split must be one of train, validation, test, got {split!r}")
    if levels not in LEVELS:
        raise ValueError(f"levels must be one of {', '.join(LEVELS)}, got {levels!r}")
    images = load(name)
    part = getattr(images, split)
    gray = images.as_input(part.images)
    if name == "mnist":
        gray = F.avg_pool2d(gray[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN], 3)
    pictures = 2 * gray.flatten(1) - 1
    if levels == "two":
        pictures = torch.where(pictures > 0, 1.0, -1.0)
    return pictures, part.labels


def draw(name: str, levels: str, count: int, generator: torch.Generator) -> Tensor:
    """Return ``count`` of the training pictures, each at most once, of shape (count, 64).

    Raises:
        ValueError: there are not so many, or as :func:`small`.
    """
    pictures, _ = small(name, "train", levels)
    if not 1 <= count <= len(pictures):
        raise ValueError(f"images must be from 1 to {len(pictures)}, got {count}")
    return pictures[torch.randperm(len(pictures), generator=generator)[:count]]
