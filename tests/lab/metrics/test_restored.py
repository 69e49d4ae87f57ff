"""PSNR and SSIM against their formulas and scikit-image's, and what the roughnesses of known images are."""

import math

import numpy as np
import pytest
import torch

from physnn.lab.metrics.restored import pixel_error, psnr, roughness, ssim


def pair(noise=0.2):
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(3, 10, 12, generator=generator, dtype=torch.float64)
    return (clean + noise * torch.randn(clean.shape, generator=generator, dtype=torch.float64)).clamp(0, 1), clean


def test_psnr_is_that_of_scikit_image_over_all_pixels():
    from skimage.metrics import peak_signal_noise_ratio

    restored, clean = pair()
    theirs = peak_signal_noise_ratio(clean.numpy(), restored.numpy(), data_range=1.0)
    assert psnr(restored, clean) == pytest.approx(theirs)
    assert psnr(clean + 0.1, clean) == pytest.approx(20) and psnr(clean, clean) == math.inf


def test_ssim_is_its_formula_over_windows_of_seven():
    """By hand, of the windows that lie inside, with sample variances."""
    restored, clean = pair()
    values = []
    for x, y in zip(restored.numpy(), clean.numpy(), strict=True):
        local = []
        for i in range(10 - 6):
            for j in range(12 - 6):
                a, b = x[i : i + 7, j : j + 7].ravel(), y[i : i + 7, j : j + 7].ravel()
                cov = np.cov(a, b)
                light = (2 * a.mean() * b.mean() + 1e-4) / (a.mean() ** 2 + b.mean() ** 2 + 1e-4)
                local.append(light * (2 * cov[0, 1] + 9e-4) / (cov[0, 0] + cov[1, 1] + 9e-4))
        values.append(np.mean(local))
    assert ssim(restored, clean) == pytest.approx(np.mean(values))
    assert ssim(clean, clean) == pytest.approx(1)


def test_pixels_are_wrong_by_their_side_of_one_half():
    clean = torch.tensor([[[0.0, 1.0], [0.4, 0.6]]])
    assert pixel_error(torch.tensor([[[0.49, 0.5], [0.9, 0.7]]]), clean) == 0.25


def test_roughness_of_a_chessboard_of_a_wave_and_of_noise():
    i = torch.arange(16, dtype=torch.float64)
    board = ((i[:, None] + i) % 2)[None]
    assert roughness(board) == pytest.approx({"spatial": 0, "neighbours": 2})
    wave = (2 * math.pi * i / 8).sin().expand(1, 16, 16)
    assert roughness(wave) == pytest.approx(
        {"spatial": math.sin(math.pi / 4) ** 2 / 2, "neighbours": 1 - math.cos(math.pi / 4)}
    )
    noise = torch.randn(50, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert roughness(noise) == pytest.approx({"spatial": 1, "neighbours": 4}, rel=0.04)
