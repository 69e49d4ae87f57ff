"""Pictures that dissolve: every step's law, and the step back, against closed forms."""

import math

import pytest
import torch

from physnn.lab.physics.noising import Fade

FADE = Fade(40, 0.1, hold=0.25, gone=0.1)


def test_the_trap_holds_fades_and_is_gone():
    centres = FADE.centres
    assert centres.shape == (40,) and (centres[:11] == 1).all() and (centres[36:] == 0).all()
    torch.testing.assert_close(centres[11:36].diff(), torch.full((24,), -1 / 26, dtype=torch.float64))
    assert Fade(10, 0.1, gone=0.0).centres[-1] > 0


def test_every_step_has_its_mean_and_the_same_width():
    """41 means and variances of 20,000 paths of two units, each within 4.5 standard errors: false alarm 1e-3."""
    picture, count = torch.tensor([2.0, -1.0], dtype=torch.float64), 20_000
    paths = FADE.paths(picture.expand(count, 2), torch.Generator().manual_seed(0))
    assert paths.shape == (41, count, 2)
    away = paths - FADE.means[:, None, None] * picture
    v = FADE.variance
    assert (away.mean(1).abs() < 4.5 * math.sqrt(v / count)).all()
    assert ((away.square().mean(1) - v).abs() < 4.5 * v * math.sqrt(2 / count)).all()


def test_the_step_back_is_that_of_the_joint_normal_law():
    """And its variance is that of a machine's step."""
    dt, v, means = FADE.dt, FADE.variance, FADE.means
    picture, x = 1.7, 0.4
    for k, lead in enumerate(FADE.leads.tolist(), 1):
        before, after = means[k - 1].item() * picture, means[k].item() * picture
        covariance = (1 - dt) * v
        expected = before + covariance / v * (x - after)
        assert x - dt * (x - lead * picture) == pytest.approx(expected)
        assert v - covariance**2 / v == pytest.approx(2 * dt)
    assert (FADE.leads[12:36] > FADE.means[13:37]).all()


def test_noise_is_the_trap_at_rest():
    noise = FADE.noise(20_000, 2, torch.Generator().manual_seed(3))
    assert noise.shape == (20_000, 2)
    assert abs(noise.var().item() - FADE.variance) < 4 * FADE.variance * math.sqrt(2 / 40_000)  # false alarm 6e-5


@pytest.mark.parametrize(
    "wrong", [(1, 0.1), (10, 1.0), (10, 0.0), (10, 0.1, -0.1), (10, 0.1, 0.95), (10, 0.1, 0.5, 0.5)]
)
def test_a_fade_that_is_none(wrong):
    with pytest.raises(ValueError, match=r"a fade needs 2 steps or more, .* got Fade\(steps"):
        Fade(*wrong)
