"""What restores images: the post's terms, and what is usual, each with one strength that a search can set.

Every method takes images of shape (n, h, w), the mask of what is known or None, a strength above 0 and, if it has one,
the coefficient of the double well. It returns images with gray values from 0 to 1. A strength is the square of a length
in pixels, but for the printed loss, where it is the learning rate, and total variation, where it is λ.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from physnn.lab.models.losses import COEFFICIENTS
from physnn.lab.physics import allen_cahn, descent, pixels, variation

TURNED = {**COEFFICIENTS, "spatial": -COEFFICIENTS["spatial"]}
METHODS: dict[str, Callable[[Tensor, Tensor | None, float, float], Tensor]] = {
    "nothing": lambda image, mask, strength, well: pixels.filled(image, mask),
    "printed": lambda image, mask, strength, well: descent.descend(image, mask, strength, **COEFFICIENTS),
    "printed-turned": lambda image, mask, strength, well: descent.descend(image, mask, strength, **TURNED),
    "spatial": lambda image, mask, strength, well: pixels.smooth(image, mask, strength, "central"),
    "spatial-turned": lambda image, mask, strength, well: descent.roughen(image, mask, strength),
    "tikhonov": lambda image, mask, strength, well: pixels.smooth(image, mask, strength, "neighbours"),
    "variation": lambda image, mask, strength, well: total_variation(image, mask, strength),
    "median": lambda image, mask, strength, well: median(image, mask, strength),
    "allen-cahn": allen_cahn.relax,
}
WELL = ("allen-cahn",)  # those that have one


def restore(method: str, image: Tensor, mask: Tensor | None, strength: float, well: float = 0.0) -> Tensor:
    """Return images that a method of ``METHODS`` restores, with gray values from 0 to 1; NaN where it has none."""
    restored = METHODS[method](image, mask, strength, well)
    return restored.where(restored.isfinite(), math.nan).clamp(0, 1)


def total_variation(image: Tensor, mask: Tensor | None, weight: float) -> Tensor:
    """Return the images of least total variation and misfit: scikit-image's where no pixel is missing.

    With a mask, which it does not take, :func:`physnn.lab.physics.variation.denoise`.
    """
    if mask is not None:
        return variation.denoise(image, mask, weight)
    from skimage.restoration import denoise_tv_chambolle

    several = [denoise_tv_chambolle(each, weight, eps=1e-5, max_num_iter=200) for each in image.numpy()]
    return torch.from_numpy(np.stack(several))


def median(image: Tensor, mask: Tensor | None, strength: float) -> Tensor:
    r"""Return the median of the known pixels around each, at distances of at most :math:`\sqrt{\text{strength}}`.

    The border's pixels stand again beyond it. Where none is known there is the mean of the known ones of the image;
    of an even number the median is the lower of the two in the middle.
    """
    reach = min(math.isqrt(int(strength)), min(image.shape[-2:]) - 1)
    around = range(-reach, reach + 1)
    places = [(a, b) for a in around for b in around if a * a + b * b <= strength]
    given = image if mask is None else image.masked_fill(mask == 0, math.nan)
    wide = F.pad(given.unsqueeze(1), [reach] * 4, mode="replicate").squeeze(1)
    h, w = image.shape[-2:]
    stack = torch.stack([wide[:, reach + a : reach + a + h, reach + b : reach + b + w] for a, b in places])
    middle = stack.nanmedian(0).values
    return torch.where(middle.isnan(), pixels.filled(image, mask), middle)
