"""Machines fitted to the reverse of paths: the exact moments, the best machine, and one that was known."""

import math

import pytest
import torch

from physnn.lab.models.reversal import Moments, Pictures, fit, of_paths
from physnn.lab.physics.machine import Machine, action
from physnn.lab.physics.noising import Fade

FADE = Fade(8, 0.1, hold=0.25, gone=0.125)


def pictures(count=6, units=3):
    return torch.randn(count, units, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5


def test_moments_over_heat_and_steps_are_those_of_paths():
    """60 entries, each within 5 standard errors of 20,000 paths for each picture: false alarm below 1e-4."""
    several = pictures().repeat(20_000, 1)
    path = FADE.paths(several, torch.Generator().manual_seed(1))
    exact, seen = Pictures.of(pictures()).faded(FADE), of_paths(path, FADE.dt)
    x = path[1:]
    y = (path[1:] - path[:-1]) / FADE.dt
    products = {
        "state": x,
        "cube": x**3,
        "wanted": y,
        "states": x.unsqueeze(-1) * x.unsqueeze(-2),
        "cubes": (x**3).unsqueeze(-1) * x.unsqueeze(-2),
        "pulls": y.unsqueeze(-1) * x.unsqueeze(-2),
    }
    for name, values in products.items():
        error = values.mean(0).std(0) / math.sqrt(len(several))  # of means over a path: its steps depend on each other
        assert ((getattr(exact, name) - getattr(seen, name)).abs() < 5 * error).all(), name


def test_a_part_of_the_steps_is_a_part_of_the_moments():
    known = Pictures.of(pictures())
    parts = [known.faded(FADE, slice(start, start + 4)) for start in (0, 4)]
    whole = known.faded(FADE)
    for name in Moments.__dataclass_fields__:
        torch.testing.assert_close((getattr(parts[0], name) + getattr(parts[1], name)) / 2, getattr(whole, name))


@pytest.mark.parametrize("quartic", [0.0, 0.2])
def test_no_machine_near_by_makes_the_reverse_more_probable(quartic):
    path = FADE.paths(pictures(500), torch.Generator().manual_seed(2))
    best = fit(of_paths(path, FADE.dt), quartic)

    def cost(own):
        return action(own.slope(path[1:]), path[1:], path[:-1], FADE.dt).sum().item()

    generator = torch.Generator().manual_seed(3)
    for _ in range(10):
        ties = 0.05 * torch.randn(3, 3, generator=generator, dtype=torch.float64)
        ties = ties + ties.T
        quadratic, bias = 0.05 * torch.randn(2, 3, generator=generator, dtype=torch.float64)
        other = Machine(
            best.quadratic + quadratic,
            quartic,
            best.bias + bias,
            best.couplings + ties - torch.diag(ties.diagonal()),
        )
        assert cost(other) > cost(best)


def test_training_finds_the_machine_that_made_the_paths():
    """Turned around, the paths of a machine are those that it reverses: within 4.5 standard errors of a regression."""
    ties = torch.tensor([[0.0, -0.5, 0.3], [-0.5, 0.0, 0.0], [0.3, 0.0, 0.0]], dtype=torch.float64)
    known = Machine(
        torch.tensor([0.5, -0.4, 0.2], dtype=torch.float64), 0.1, torch.tensor([0.3, 0.0, -0.6]).double(), ties
    )
    generator, dt, count, steps = torch.Generator().manual_seed(4), 0.02, 4000, 60
    path = [torch.randn(count, 3, generator=generator, dtype=torch.float64)]
    for _ in range(steps):
        kick = torch.randn(count, 3, generator=generator, dtype=torch.float64)
        path.append(path[-1] - dt * known.slope(path[-1]) + math.sqrt(2 * dt) * kick)
    found = fit(of_paths(torch.stack(path).flip(0), dt), 0.1)
    error = math.sqrt(2 / dt / (count * steps)) / min(x.std() for x in torch.cat(path).T).item()
    for name, factor in (("quadratic", 0.5), ("bias", 1.5), ("couplings", 1.0)):
        assert (getattr(found, name) - getattr(known, name)).abs().max() < 4.5 * factor * error, name
    assert error < 0.03 and found.quadratic[1] < 0


def test_without_a_quartic_and_held_the_machine_keeps_the_covariance_of_the_pictures():
    held, c = Fade(100, 0.1, hold=0.9), torch.cov(pictures().T, correction=0)
    own = fit(Pictures.of(pictures()).faded(held, slice(0, 80)), 0.0)
    a = 2 * torch.diag(own.quadratic) + own.couplings
    torch.testing.assert_close(a, held.variance * torch.linalg.inv(c + held.variance * torch.eye(3)))
    torch.testing.assert_close(-torch.linalg.solve(a, own.bias), pictures().mean(0))


def test_what_cannot_be_fitted_is_refused():
    moments = Pictures.of(pictures()).faded(FADE)
    with pytest.raises(ValueError, match="quartic must be at least 0, got -1"):
        fit(moments, -1.0)
    flat = torch.zeros(5, 2, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="fewer dimensions than there are units"):
        fit(of_paths(flat, 0.1), 0.0)
