"""Damage: its variance and its share of lost pixels, each within what chance gives at one in a million."""

import math

import pytest
import torch

from physnn.lab.data.damage import binarize, damage

BEYOND = 4.9  # standard deviations of a normal variable, two-sided, one in a million


def clean():
    return torch.rand(20, 30, 30, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_noise_has_its_variance_and_the_lost_pixels_their_share(missing):
    noisy, mask = damage(clean(), 0.3, missing, torch.Generator().manual_seed(0))
    known = torch.ones_like(noisy) if mask is None else mask
    count = known.numel()
    assert (mask is None) == (not missing) and noisy[known == 0].abs().sum() == 0
    share = math.sqrt(missing * (1 - missing) / count)
    assert 1 - known.mean().item() == pytest.approx(missing, abs=BEYOND * share + 1e-12)
    eta = (noisy - clean())[known == 1] / 0.3
    assert abs(eta.mean().item()) < BEYOND / math.sqrt(len(eta))
    assert eta.square().mean().item() == pytest.approx(1, abs=BEYOND * math.sqrt(2 / len(eta)))


def test_the_noise_is_the_same_whether_pixels_are_lost_or_not():
    noisy, _ = damage(clean(), 0.3, 0.0, torch.Generator().manual_seed(0))
    some, mask = damage(clean(), 0.3, 0.5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(some, mask * noisy)


def test_binary_images_are_those_of_their_brighter_halves():
    assert binarize(torch.tensor([0.0, 0.49, 0.5, 1.0])).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("level", "missing"), [(-0.1, 0.0), (0.3, 1.0), (0.3, -0.1), (math.nan, 0.0)])
def test_what_is_no_damage_is_refused(level, missing):
    with pytest.raises(ValueError, match=r"noise_level must be at least 0, missing in \[0, 1\), got"):
        damage(clean(), level, missing, torch.Generator())
