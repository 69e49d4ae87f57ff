"""Total variation: of a step exactly, a step denoised in closed form, and scikit-image as an independent reference."""

import pytest
import torch

from physnn.lab.physics import variation


def step(height, columns, left, low=0.2, high=0.9):
    image = torch.full((1, height, columns), low, dtype=torch.float64)
    image[:, :, left:] = high
    return image


def test_of_a_step_it_is_the_length_of_the_edge_times_the_jump():
    assert variation.total_variation(step(5, 9, 3)).item() == pytest.approx(5 * 0.7)
    corner = torch.zeros(1, 4, 4, dtype=torch.float64)
    corner[:, 2:, 2:] = 1  # two edges of two pixels each; no pixel has both of its differences
    assert variation.total_variation(corner).item() == pytest.approx(4)
    before = torch.zeros(1, 4, 4, dtype=torch.float64)
    before[:, :2, :2] = 1  # its corner pixel has both
    assert variation.total_variation(before).item() == pytest.approx(2 + 2**0.5)


@pytest.mark.parametrize("weight", [0.1, 0.5])
def test_the_levels_of_a_step_move_towards_each_other_by_the_weight_over_their_widths(weight):
    """Half of the squared misfit, nδ²/2 in each row, less λδ: δ = λ/n on either side."""
    found = variation.denoise(step(6, 10, 4), None, weight, steps=1000)
    torch.testing.assert_close(found, step(6, 10, 4, 0.2 + weight / 4, 0.9 - weight / 6), rtol=0, atol=1e-4)


def test_a_weight_that_closes_the_step_leaves_the_mean():
    found = variation.denoise(step(6, 10, 4), None, 3.0, steps=1000)
    assert found.mean().item() == pytest.approx(0.62) and found.std().item() < 1e-3


def test_it_is_that_of_scikit_image():
    from skimage.restoration import denoise_tv_chambolle

    noisy = step(16, 16, 7) + 0.3 * torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0))
    theirs = torch.from_numpy(denoise_tv_chambolle(noisy[0].numpy(), 0.2, eps=1e-12, max_num_iter=3000))
    ours = variation.denoise(noisy, None, 0.2, steps=1500)[0]
    assert (ours - theirs).abs().max() < 2e-3

    def energy(u):
        return ((u - noisy[0]).square().sum() / 2 + 0.2 * variation.total_variation(u)).item()

    assert energy(ours) <= energy(theirs) + 1e-4


def test_a_step_with_missing_pixels_is_mended_and_moves_by_what_is_known():
    """Of each side half of the pixels are known, so that its level moves twice as far."""
    image = step(6, 12, 6)
    mask = torch.ones_like(image)
    mask[:, ::2] = 0
    found = variation.denoise(mask * image, mask, 0.3, steps=2500)
    torch.testing.assert_close(found, step(6, 12, 6, 0.2 + 0.1, 0.9 - 0.1), rtol=0, atol=2e-3)


def test_a_weight_of_nothing_is_refused():
    with pytest.raises(ValueError, match="weight must be above 0, got 0"):
        variation.denoise(step(4, 4, 2), None, 0)
