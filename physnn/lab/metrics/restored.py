r"""How good restored images are: noise that is left, structure, pixels on the wrong side, and how rough they are."""

import torch
from torch import Tensor


def psnr(restored: Tensor, clean: Tensor) -> float:
    r"""Return the peak signal-to-noise ratio of images whose largest value is 1, :math:`-10\log_{10}` of the mean
    squared error over the pixels of all of them, in decibels."""
    return -10 * (restored - clean).square().mean().log10().item()


def ssim(restored: Tensor, clean: Tensor) -> float:
    r"""Return the structural similarity of images of shape (n, h, w) and range 1, the mean over images; 1 where equal.

    .. math::
        \frac{(2\mu_x\mu_y + c_1)(2\sigma_{xy} + c_2)}{(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)},
        \qquad c_1 = 0.01^2,\ c_2 = 0.03^2

    over windows of 7×7 pixels, by scikit-image. Source: Wang, Bovik, Sheikh & Simoncelli (2004).

    Raises:
        ValueError: images are smaller than the window.
    """
    from skimage.metrics import structural_similarity

    several = zip(restored.numpy(), clean.numpy(), strict=True)
    return float(torch.tensor([structural_similarity(a, b, data_range=1.0) for a, b in several]).mean())


def pixel_error(restored: Tensor, clean: Tensor) -> float:
    """Return the share of pixels on the wrong side of one half."""
    return ((restored >= 0.5) != (clean >= 0.5)).double().mean().item()


def roughness(images: Tensor) -> dict[str, float]:
    r"""Return both squared differences along rows and columns, the mean over pixels of the sum over both axes.

    ``spatial`` is what the post's term is made of, :math:`((u_{i+1} - u_{i-1})/2)^2`, periodic; ``neighbours`` is
    :math:`(u_{i+1} - u_i)^2`, periodic as well, so that noise of variance s has s and 4s.
    """
    shifts = [(images.roll(-1, dim), images.roll(1, dim)) for dim in (-2, -1)]
    return {
        "spatial": sum(((after - before) / 2).square().mean() for after, before in shifts).item(),
        "neighbours": sum((after - images).square().mean() for after, _ in shifts).item(),
    }
