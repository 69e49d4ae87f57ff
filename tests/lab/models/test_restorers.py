"""Every method keeps images of one gray value, gives gray values from 0 to 1, and the median is scipy's."""

import pytest
import scipy.ndimage
import torch

from physnn.lab.models import restorers
from physnn.lab.physics import variation

SMOOTHING = [name for name in restorers.METHODS if name not in ("nothing", "spatial-turned")]


def noisy(missing=0.0, n=4):
    generator = torch.Generator().manual_seed(0)
    clean = torch.zeros(n, 14, 14, dtype=torch.float64)
    clean[:, 4:11, 5:9] = 1
    image = clean + 0.3 * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    if not missing:
        return clean, image, None
    mask = (torch.rand(clean.shape, generator=generator) >= missing).double()
    return clean, mask * image, mask


@pytest.mark.parametrize("missing", [0.0, 0.5])
@pytest.mark.parametrize("name", restorers.METHODS)
def test_gray_values_lie_between_0_and_1_and_an_even_image_stays(name, missing):
    _, image, mask = noisy(missing)
    found = restorers.restore(name, image, mask, 0.3, 1.0)
    assert found.shape == image.shape and 0 <= found.min() and found.max() <= 1
    known = torch.ones_like(image) if mask is None else mask
    even = restorers.restore(name, 0.0 * known, mask, 0.3, 1.0)
    assert even.abs().max() < 1e-12


@pytest.mark.parametrize("missing", [0.0, 0.5])
@pytest.mark.parametrize("name", SMOOTHING)
def test_each_is_better_than_nothing_at_some_strength(name, missing):
    clean, image, mask = noisy(missing)

    def error(method, strength):
        return (restorers.restore(method, image, mask, strength, 1.0) - clean).square().mean()

    assert min(error(name, strength) for strength in (0.1, 0.3, 1.0, 2.0)) < error("nothing", 1.0)


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0, 5.0])
def test_the_median_is_that_of_scipy_on_a_disc(strength):
    _, image, _ = noisy()
    reach = int(strength**0.5)
    at = torch.arange(-reach, reach + 1)
    disc = (at[:, None] ** 2 + at**2 <= strength).numpy()
    theirs = scipy.ndimage.median_filter(image.numpy(), footprint=disc[None], mode="nearest")
    torch.testing.assert_close(restorers.median(image, None, strength), torch.from_numpy(theirs))


def test_the_median_of_known_pixels_leaves_out_what_is_missing():
    image = torch.tensor([[[9.0, 1.0, 0.0], [0.0, 2.0, 3.0], [0.0, 0.0, 0.0]]])
    mask = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]]])
    found = restorers.median(mask * image, mask, 1.0)
    assert found[0, 1, 1] == 2 and found[0, 0, 0] == 1 and found[0, 0, 2] == 1  # 1, 2, 3; 1; the lower one of 1 and 3
    assert found[0, 2, 0] == 2  # nothing known around: the mean


def test_total_variation_without_missing_pixels_is_scikit_images():
    _, image, _ = noisy(n=2)
    theirs, ours = restorers.total_variation(image, None, 0.2), variation.denoise(image, None, 0.2, 1500)
    assert (theirs - ours).abs().max() < 0.03


def test_the_turned_printed_loss_has_its_spatial_sign_turned():
    assert restorers.TURNED == {"quadratic": 0.0035, "quartic": -5.0, "spatial": -0.5}
