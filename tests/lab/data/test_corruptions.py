"""The corruptions: exact where they are exact, right on average where they are random, and the same every time."""

import math

import pytest
import torch
import torch.nn.functional as F

from physnn.lab.data import corruptions
from physnn.lab.data.corruptions import FAMILIES, SEVERITIES, STRENGTHS, corrupt, mislabel
from physnn.lab.data.images import load


@pytest.fixture(scope="module")
def digits():
    dataset = load("digits")
    return dataset.as_input(dataset.test.images[:40])


def large(n=40, side=28):
    """Smooth blobs away from the edges, as handwritten digits are."""
    at = torch.arange(side) - (side - 1) / 2
    radius = torch.linspace(2, side / 8, n)[:, None, None]
    return torch.exp(-((at**2)[:, None] + at**2) / (2 * radius**2)).clamp(max=1)[:, None]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_result_is_an_image_and_the_input_is_untouched(digits, family, severity):
    for images in (digits, large(), large().double()):
        before = images.clone()
        result = corrupt(images, family, severity, seed=0)
        assert result.shape == images.shape and result.dtype == images.dtype
        assert ((result >= 0) & (result <= 1)).all() and not torch.equal(result, images)
        assert torch.equal(images, before)


@pytest.mark.parametrize("family", FAMILIES)
def test_splitting_into_batches_changes_nothing(digits, family):
    whole = corrupt(digits, family, 2, seed=3)
    parts = [corrupt(part, family, 2, seed=3, start=i * 7) for i, part in enumerate(digits.split(7))]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=1e-6)
    assert torch.equal(corrupt(digits, family, 2, seed=3), whole)


@pytest.mark.parametrize("family", [f for f in FAMILIES if f != "blur"])
def test_seeds_and_images_differ(family):
    same = large(1).expand(20, 1, 28, 28)
    result = corrupt(same, family, 2, seed=0)
    assert not torch.equal(result, corrupt(same, family, 2, seed=1))
    assert not torch.equal(result, corrupt(same, family, 2, seed=0, start=1))
    assert len({image.numpy().tobytes() for image in result}) > 5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_severity_is_worse_than_the_one_before(digits, family):
    for images in (digits, large(200)):
        damage = [(corrupt(images, family, s, seed=0) - images).square().mean().item() for s in SEVERITIES]
        assert damage[0] < 0.95 * damage[1] < 0.9 * damage[2]


def test_severities_share_what_is_drawn():
    """The noise of severity 3 is that of severity 1, louder."""
    gray = torch.full((5, 1, 28, 28), 0.5)
    mild, strong = (corrupt(gray, "gaussian", s, seed=0) - 0.5 for s in (1, 3))
    inside = strong.abs() < 0.5
    torch.testing.assert_close(strong[inside] / 0.7, mild[inside] / 0.2, rtol=1e-4, atol=1e-5)


def test_gaussian_noise_has_its_mean_and_variance():
    images = torch.full((100, 1, 28, 28), 0.5)
    noise = corrupt(images, "gaussian", 1, seed=0) - 0.5
    assert abs(noise.mean()) < 5 * 0.2 / math.sqrt(noise.numel())
    z = torch.distributions.Normal(0, 1)
    a = torch.tensor(0.5 / 0.2)  # clipped at 2.5 standard deviations: E min(z², a²)
    clipped = (1 - 2 * z.cdf(-a)) - 2 * a * z.log_prob(a).exp() + 2 * a**2 * z.cdf(-a)
    assert noise.var().item() / 0.04 == pytest.approx(clipped.item(), rel=0.02)


def test_impulses_hit_their_share_half_of_them_white():
    images = torch.full((100, 1, 28, 28), 0.5)
    for severity, share in zip(SEVERITIES, STRENGTHS["impulse"], strict=True):
        result = corrupt(images, "impulse", severity, seed=0)
        n = result.numel()
        for value in (0, 1):
            assert abs((result == value).float().mean() - share / 2) < 5 * math.sqrt(share / 2 / n)
        assert ((result == 0.5) | (result == 0) | (result == 1)).all()


def test_translation_by_whole_pixels_is_exact_in_all_directions():
    images = torch.zeros(200, 1, 28, 28)
    images[:, :, 14, 14] = 1
    for severity in SEVERITIES:  # and as many pixels
        result = corrupt(images, "translate", severity, seed=0)
        _, _, row, column = (result > 1e-3).nonzero(as_tuple=True)
        assert len(row) == 200
        torch.testing.assert_close(result.amax((1, 2, 3)), torch.ones(200), rtol=0, atol=1e-4)
        steps = {(i, j) for i in (-severity, 0, severity) for j in (-severity, 0, severity)} - {(0, 0)}
        assert set(zip((row - 14).tolist(), (column - 14).tolist(), strict=True)) == steps


def test_translation_by_a_part_of_a_pixel_moves_the_centre():
    images = F.pad(torch.ones(100, 1, 2, 2), [3] * 4)
    result = corrupt(images, "translate", 3, seed=0)[:, 0]
    at = torch.arange(8) - 3.5
    centres = torch.stack([(result.sum(2) * at).sum(1), (result.sum(1) * at).sum(1)], 1) / 4
    torch.testing.assert_close(centres.abs().amax(1), torch.full((100,), 3 / 28 * 8), rtol=1e-4, atol=0)


def test_what_is_shifted_out_is_lost_and_what_comes_in_is_black():
    result = corrupt(torch.ones(50, 1, 28, 28), "translate", 2, seed=0)
    expected = {28 * 26, 26 * 26}
    assert set(result.sum((1, 2, 3)).round().int().tolist()) == expected


def test_blur_keeps_the_sum_and_constant_images():
    images = F.pad(torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0)), [10] * 4)
    for severity in SEVERITIES:
        blurred = corrupt(images, "blur", severity, seed=0)
        torch.testing.assert_close(blurred.sum((1, 2, 3)), images.sum((1, 2, 3)), rtol=1e-5, atol=0)
        torch.testing.assert_close(corrupt(torch.ones(2, 1, 8, 8), "blur", severity, seed=0), torch.ones(2, 1, 8, 8))


def test_blur_spreads_a_point_as_a_gaussian():
    image = torch.zeros(1, 1, 27, 27, dtype=torch.float64)
    image[..., 13, 13] = 1
    blurred = corrupt(image, "blur", 3, seed=0)[0, 0]
    at = torch.arange(27, dtype=torch.float64) - 13
    variance = (blurred.sum(0) * at**2).sum()
    assert variance.item() == pytest.approx((2.5 / 28 * 27) ** 2, rel=0.01)
    torch.testing.assert_close(blurred, blurred.T)


@pytest.mark.parametrize(("side", "width"), [(28, 2), (8, 1)])
def test_stripes_are_white_lines_across_the_image(side, width):
    for count in SEVERITIES:
        result = corrupt(torch.zeros(60, 1, side, side), "stripe", count, seed=0)[:, 0]
        assert (result.sum((1, 2)) == count * width * side).all()
        rows, columns = (result == 1).all(2).sum(1), (result == 1).all(1).sum(1)
        assert ((rows == count * width) ^ (columns == count * width)).all() and rows.any() and columns.any()


@pytest.mark.parametrize(("side", "squares"), [(28, (7, 10, 13)), (8, (2, 3, 4))])
def test_occlusions_are_black_squares_inside_the_image(side, squares):
    for severity, square in zip(SEVERITIES, squares, strict=True):
        black = corrupt(torch.ones(300, 1, side, side), "occlusion", severity, seed=0)[:, 0] == 0
        assert (black.sum((1, 2)) == square**2).all()
        assert (black.any(1).sum(1) == square).all() and (black.any(2).sum(1) == square).all()
        assert all(lines[:, edge].any() for lines in (black.any(1), black.any(2)) for edge in (0, -1))


def affine(images, degrees, shear, factor, draw=0.0):
    return corruptions._affine(images, (degrees, shear, factor), lambda n: torch.full((len(images), n), draw))


def test_affine_identity_quarter_turn_and_scale():
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(affine(images, 0, 0, 1), images, rtol=0, atol=1e-5)
    torch.testing.assert_close(affine(images, 90, 0, 1), torch.rot90(images, 1, (2, 3)), rtol=0, atol=1e-4)
    torch.testing.assert_close(affine(images, 90, 0, 1, 0.9), torch.rot90(images, -1, (2, 3)), rtol=0, atol=1e-4)
    blob = large(1, 56)
    for draw, factor in ((0.0, 0.5), (0.9, 2.0)):  # areas go with the square of the size
        assert affine(blob, 0, 0, 2, draw).sum().item() == pytest.approx(factor**2 * blob.sum().item(), rel=0.03)
    assert affine(blob, 0, 0.3, 1).sum().item() == pytest.approx(blob.sum().item(), rel=0.01)


IMAGES = torch.zeros(2, 1, 8, 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: corrupt(IMAGES[:, 0], "blur", 1, seed=0), r"got \(2, 8, 8\)"),
        (lambda: corrupt(IMAGES[..., :5], "blur", 1, seed=0), r"got \(2, 1, 8, 5\)"),
        (lambda: corrupt(IMAGES[:0], "blur", 1, seed=0), r"got \(0, 1, 8, 8\)"),
        (lambda: corrupt(IMAGES.byte(), "blur", 1, seed=0), "got torch.uint8"),
        (lambda: corrupt(IMAGES + 255, "blur", 1, seed=0), "from 255.0 to 255.0; Dataset.as_input"),
        (lambda: corrupt(IMAGES * float("nan"), "blur", 1, seed=0), "from nan"),
        (lambda: corrupt(IMAGES, "fog", 1, seed=0), "one of gaussian, .*, got 'fog'"),
        (lambda: corrupt(IMAGES, "blur", 4, seed=0), "severity 1, 2 or 3, got 'blur' and 4"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_labels_are_a_share_of_all_and_nested():
    labels = torch.arange(50_000) % 10
    few, many = mislabel(labels, 0.2, 5), mislabel(labels, 0.4, 5)
    wrong = few != labels
    assert abs(wrong.float().mean() - 0.2) < 4 * (0.2 * 0.8 / 50_000) ** 0.5
    assert (many[wrong] == few[wrong]).all() and few.min() >= 0 and few.max() <= 9
    shifts = torch.bincount((few - labels)[wrong] % 10, minlength=10)
    assert shifts[0] == 0 and ((shifts[1:] - 10_000 / 9).abs() < 5 * (10_000 / 9) ** 0.5).all()
    assert torch.equal(mislabel(labels, 0.0, 5), labels) and (mislabel(labels, 1.0, 5) != labels).all()
    assert not torch.equal(mislabel(labels, 0.2, 6), few)
    with pytest.raises(ValueError, match="share must be between 0 and 1"):
        mislabel(labels, 1.2, 5)
