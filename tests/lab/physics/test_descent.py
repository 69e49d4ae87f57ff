"""The post's loss with an image in the place of the outputs: the printed numbers, its zero, and the turned sign."""

from itertools import pairwise

import pytest
import torch

from physnn import ginzburg_landau_loss
from physnn.lab.physics import descent, pixels

PRINTED = (0.0035, -5.0, 0.5)


def noisy(count=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    clean = torch.zeros(count, 12, 12, dtype=torch.float64)
    clean[:, 3:9, 4:8] = 1
    return clean + 0.3 * torch.randn(clean.shape, generator=generator, dtype=torch.float64), clean


def test_the_energy_is_that_of_the_loss_of_each_image():
    image, clean = noisy()
    energies = descent.printed_energy(clean, image, None, *PRINTED)
    for u, f, energy in zip(clean[:, None, None], image[:, None, None], energies, strict=True):
        assert energy.item() == pytest.approx(ginzburg_landau_loss(u, f, *PRINTED, outer="none").item())


def test_missing_pixels_have_no_misfit():
    image, _ = noisy()
    mask = torch.ones_like(image)
    mask[:, 5] = 0
    u = image.clone()
    u[:, 5] = 0  # what stands there counts for nothing, as long as it is not the largest
    other = u.clone()
    other[:, 5] = 0.1
    energies = [descent.printed_energy(v, mask * image, mask, 1.0, 0.0, 0.0) for v in (u, other, 0.5 * other + 0.1)]
    assert energies[0].abs().max() == 0 and energies[1].abs().max() == 0 and (energies[2] > 0).all()


def test_a_small_step_is_one_of_autograd_on_the_printed_loss():
    """Twelve images of one at a time: the closed path of the package gives the slope."""
    image, _ = noisy(2)
    moved = descent.descend(image, None, 0.01, *PRINTED, steps=1)
    for f, found in zip(image, moved, strict=True):
        u = (f / f.abs().max())[None, None].clone().requires_grad_()
        loss = ginzburg_landau_loss(u, f[None, None], *PRINTED)
        (slope,) = torch.autograd.grad(loss, u)
        by_hand = (u - 0.01 * 144 * slope).detach()[0, 0]
        torch.testing.assert_close(found, by_hand / by_hand.abs().max() * f.abs().max())


def test_as_printed_it_smooths_until_its_energy_is_zero_and_stops():
    image, _ = noisy()
    energies = [
        descent.printed_energy(descent.descend(image, None, 1e-3, *PRINTED, steps=n), image, None, *PRINTED)
        for n in (0, 10, 300)
    ]
    assert (energies[0] > 0.02).all() and (0 < energies[1]).all() and (energies[1] < energies[0]).all()
    assert (energies[2].abs() < 0.02 * energies[0]).all()
    end = descent.descend(image, None, 1e-3, *PRINTED, steps=300)
    rough = [(u * pixels.central(u)).sum((1, 2)) for u in (end, image)]
    assert (rough[0] < rough[1]).all()


def test_with_the_spatial_sign_turned_the_bars_turn_all_of_it():
    """The energy is negative from the start, so that what falls is 5 d⁴ - 0.0035 d² + |∂u|²/2: a smoothing."""
    image, _ = noisy()
    turned = descent.descend(image, None, 0.05, 0.0035, -5.0, -0.5, steps=50)
    straight = descent.descend(image, None, 0.05, -0.0035, 5.0, 0.5, steps=50)
    torch.testing.assert_close(turned, straight)
    assert (descent.printed_energy(turned, image, None, 0.0035, -5.0, -0.5) < 0).all()


def test_without_the_spatial_term_the_image_stays_as_it_is():
    """At the target the slopes of d² and d⁴ are zero: the loss as printed less its term is doing nothing."""
    image, _ = noisy()
    torch.testing.assert_close(descent.descend(image, None, 0.5, 0.0035, -5.0, 0.0), image)


def test_the_turned_term_alone_roughens_and_from_one_half_on_only_walls_hold_it():
    image, clean = noisy()
    given = image.clamp(0, 1)
    for strength in (0.1, 0.4):
        found = descent.roughen(given, None, strength)
        inside = ((found > 0) & (found < 1)).double()
        slope = found - given - strength * pixels.central(found)
        assert (slope * inside).abs().max() < 1e-6
        assert (found * pixels.central(found)).sum() > (given * pixels.central(given)).sum()
    far = descent.roughen(given, None, 5.0)
    assert (far.minimum(1 - far) < 1e-9).double().mean() > 0.9 and ((far > 0.5) != (clean > 0.5)).double().mean() > 0.1


def test_its_energy_falls():
    image, _ = noisy()
    given, strength = image.clamp(0, 1), 2.0

    def energy(steps):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(descent, "STEPS", steps)
            u = descent.roughen(given, None, strength)
        return ((u - given).square() / 2 - strength / 2 * u * pixels.central(u)).sum((1, 2))

    energies = [energy(n) for n in range(0, 20, 2)]
    assert all((after <= before + 1e-12).all() for before, after in pairwise(energies))
