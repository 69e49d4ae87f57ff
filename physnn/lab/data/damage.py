"""Damaged images: Gaussian noise on the pixels that are left, and pixels that are lost."""

import torch
from torch import Tensor


def damage(
    clean: Tensor, noise_level: float, missing: float, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    r"""Return :math:`m\,(x + \sigma\eta)` and the mask m of what is left; None where nothing is lost.

    :math:`\eta \sim \mathcal N(0, 1)`, and each pixel is lost with the same chance, by itself.

    Args:
        noise_level: σ, at least 0.
        missing: the chance, at least 0 and below 1.

    Raises:
        ValueError: a number is outside its range.
    """
    if not (noise_level >= 0 and 0 <= missing < 1):
        raise ValueError(f"noise_level must be at least 0, missing in [0, 1), got {noise_level} and {missing}")
    noisy = clean + noise_level * torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
    if not missing:
        return noisy, None
    mask = (torch.rand(clean.shape, generator=generator) >= missing).to(clean.dtype)
    return mask * noisy, mask


def binarize(images: Tensor) -> Tensor:
    """Return images of gray values 0 and 1, by whether they are at least one half."""
    return (images >= 0.5).to(images.dtype)
