"""The equations of the chapter on bounds, each by its label."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from physnn.lab.physics.entropy import heat, rest_law
from physnn.lab.statistics import bounds
from physnn.lab.training.cooling import Cooling

LR, DAMPING = 0.2, 0.3


def test_eq_bounds_pac():
    """The bound, put in, makes the two sides equal."""
    error, divergence, n, delta = 0.07, 120.0, 2000, 0.05
    bound = bounds.pac_bayes(error, divergence, n, delta)
    kl = error * math.log(error / bound) + (1 - error) * math.log((1 - error) / (1 - bound))
    assert kl == pytest.approx((divergence + math.log(2 * math.sqrt(n) / delta)) / n)


def chain(size=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(1, size, generator=generator)
    cooling = Cooling([LR], [DAMPING], [generator], [z])
    cooling.cool(0.4)
    return cooling, z


def test_eq_bounds_step():
    cooling, z = chain()
    before, v = z.clone(), cooling.velocities[0].clone()
    noise = torch.Generator()
    noise.set_state(cooling.noise[0].get_state())
    gradient = torch.arange(5.0)[None]
    cooling.step([gradient])
    eta = torch.randn(5, generator=noise)
    v = (1 - DAMPING) * v - LR * (gradient + 0.4 * before) + math.sqrt(2 * DAMPING * LR * 0.4) * eta
    torch.testing.assert_close(cooling.velocities[0], v)
    torch.testing.assert_close(z, before + v)


def test_eq_bounds_steps_and_eq_bounds_heat():
    """Both sums over three steps, from the weights that were passed."""
    cooling, z = chain(seed=1)
    steps = spent = 0.0
    for _ in range(3):
        gradient, v = z.clone().sin(), cooling.velocities[0].clone()
        cooling.step([gradient])
        steps += LR * gradient.square().sum().item() / (4 * DAMPING * 0.4)
        spent -= (gradient * (v + cooling.velocities[0]) / 2).sum().item() / 0.4
    assert cooling.path.item() == pytest.approx(steps, rel=1e-5)
    assert cooling.heat.item() == pytest.approx(spent, rel=1e-5)


def test_eq_bounds_ladder():
    """Of five hypotheses, whose Gibbs laws are sums; the integral by quadrature, and the sum above it."""
    prior, loss, beta = np.array([0.1, 0.3, 0.2, 0.3, 0.1]), np.array([0.0, 0.4, 0.5, 0.9, 1.0]), 12.0

    def gibbs(b):
        weights = prior * np.exp(-b * loss)
        return weights / weights.sum()

    cold = gibbs(beta)
    exact = (cold * np.log(cold / prior)).sum()
    area, _ = integrate.quad(lambda b: gibbs(b) @ loss, 0, beta)
    assert area - beta * (cold @ loss) == pytest.approx(exact)
    ladder = np.linspace(0, beta, 9)
    above = bounds.ladder_kl(ladder.tolist(), [float(gibbs(b) @ loss) for b in ladder])
    assert exact < above < 2 * exact


def test_eq_bounds_staircase():
    """The two sums are one, with the losses at the ends of rungs; the heat of small steps on whole batches is it."""
    inverse, losses = [0.0, 1.0, 4.0, 20.0], [2.0, 1.5, 0.7, 0.2]
    pairs = zip(inverse[1:], losses, losses[1:], strict=False)
    assert bounds.ladder_kl(inverse, losses) == pytest.approx(sum(b * (one - other) for b, one, other in pairs))
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(1, 3000, generator=generator)
    cooling = Cooling([1e-3], [0.05], [generator], [z])
    ends = [z.square().sum().item() / 2]
    for b in inverse[1:]:
        cooling.cool(1 / b)
        for _ in range(200):
            cooling.step([z.clone()])
        ends.append(z.square().sum().item() / 2)
    assert cooling.heat.item() == pytest.approx(bounds.ladder_kl(inverse, ends), rel=0.02)


def test_eq_bounds_reverse():
    """In one coordinate, with the law of two following weights at rest as a matrix."""
    temperature, gradient = 0.7, 1.3
    before, now, after = 0.4, -0.2, 0.5
    law = rest_law(LR, DAMPING, temperature)
    following = law.variance - law.slope * law.variance  # <z z'>, as <z v> is that much for the later one
    precision = np.linalg.inv([[law.variance, following], [following, law.variance]])

    def rest(*pair):
        return -np.array(pair) @ precision @ np.array(pair) / 2

    def step(third, second, first):
        mean = second + (1 - DAMPING) * (second - first) - LR * (gradient + temperature * second)
        return -((third - mean) ** 2) / (4 * DAMPING * LR * temperature)

    ratio = step(after, now, before) - step(before, now, after)
    two = [torch.tensor([[v]], dtype=torch.float64) for v in (gradient, now - before, after - now)]
    given = heat(*([each] for each in two), temperature).item()
    assert ratio == pytest.approx(rest(after, now) - rest(now, before) + given)
    assert given == pytest.approx(-gradient * (after - before) / 2 / temperature)
