"""The equations of the chapter on exploration, each by its label.

Statistical tests have fixed seeds and, for another seed, false alarms below 1e-4 each (4 standard errors).
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from physnn import Langevin, ginzburg_landau_loss
from physnn.lab.models.planted import Planted
from physnn.lab.physics import kramers, wells
from physnn.lab.training.tasks import outputs


def test_eq_exploration_share():
    """The share solves the equation of two states, and the rates have the page's corrections one by one."""
    rates = wells.rates(0.05, 0.1, 0.2)
    share, steps = 0.0, 500
    for _ in range(steps * 20):
        share += (rates.there * (1 - share) - rates.back * share) / 20
    assert rates.share(steps) == pytest.approx(share, rel=1e-3)
    f, h = 0.2 / 0.9, math.sqrt(0.1 / 0.9)
    one, other = (f / h * action / 0.05 for action in wells.actions())
    factor = kramers.depopulation(one) * kramers.depopulation(other) / kramers.depopulation(one + other)
    x = np.linspace(-4, 4, 400_001)
    dx, at = x[1] - x[0], wells.places()
    u = (x * x - 1) ** 2 / 4 + wells.TILT * x
    well = np.exp(-u / 0.05)[x > at.top].sum() * dx
    barrier = np.exp(u[(x > at.better) & (x < at.worse)] / 0.05).sum() * dx
    expected = h * factor * kramers.crossing(f / h, 1 - 3 * at.top**2) / (1 - 3 * at.top**2) * 0.05 / (well * barrier)
    assert rates.there == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("start", "dimension", "count"), [("far", 2, 3), ("far", 4, 10)])
def test_eq_exploration_restarts(start, dimension, count):
    """By drawing: one of ``count`` starts lies left of all tops, where slow descent ends in the best well."""
    searches = 20_000
    drawn = wells.draw(torch.Generator().manual_seed(0), searches * count, dimension, start)
    share = wells.found(drawn).view(searches, count).any(1).double().mean().item()
    expected = wells.restarts(start, dimension, count)
    assert share == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / searches))


def test_eq_exploration_walkers():
    """Walkers in three coordinates are where three walkers in one are: the share is a third power."""
    count, steps, generator = 6000, 400, torch.Generator().manual_seed(1)
    theta = torch.nn.Parameter(torch.full((count, 3), wells.places().worse))
    optimizer = Langevin([theta], 0.05, damping=0.2, temperature=0.08, generator=generator)
    for _ in range(steps):
        theta.grad = wells.slope(theta.detach())
        optimizer.step()
    left = theta.detach() < wells.places().top
    one, all_three = left.double().mean().item(), left.all(1).double().mean().item()
    assert 0.2 < one < 0.9
    assert all_three == pytest.approx(one**3, abs=4 * math.sqrt(one**3 * (1 - one**3) / count))


def test_eq_exploration_planted():
    """The loss is half the mean square, at least zero, and zero at the teacher in any order of its units."""
    problem = Planted([0], 5, 3, 60)
    students = torch.cat([problem.teacher, problem.teacher.view(5, 3).flip(0).view(1, 15), torch.zeros(1, 15)])[None]
    losses = problem.evaluate(students)[0][0].tolist()
    assert losses[:2] == pytest.approx([0, 0], abs=1e-12)
    assert losses[2] == pytest.approx(problem.y.square().mean().item() / 2)
    assert math.factorial(5) == 120


def test_eq_exploration_flow():
    """A small step of the task is a step down the gradient of the printed loss, of each output by itself."""
    recipe = outputs.read({"starts": 4, "batch": 1, "steps": 1, "optimizer": "sgd", "momentum": 0.0})
    phi = torch.randn(4, 10, generator=torch.Generator().manual_seed(2)).requires_grad_()
    labels = torch.arange(4)
    loss = sum(ginzburg_landau_loss(phi[i : i + 1], labels[i : i + 1], norm="sample") for i in range(4))
    (expected,) = torch.autograd.grad(loss, phi)
    target = F.one_hot(labels, 10).float().view(4, 1, 10)
    slope = outputs._slope(phi.detach().view(1, 4, 1, 10), target, {recipe: torch.tensor([0])})
    torch.testing.assert_close(slope.view(4, 10), expected)
