"""The equations of the chapter on the optimizer's terms, each by its label."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import linalg

from physnn import Langevin, Thermometer, ginzburg_landau_loss
from physnn.lab.models.recipe import Recipe

D, T_BAYES = 101_770, 1 / 50_000


def moments(k, gamma, steps, noise=1.0):
    """Return the covariance of (theta, v) after some steps from rest at the minimum, alpha kappa being k."""
    A, b = np.array([[1 - k, 1 - gamma], [-k, 1 - gamma]]), np.ones((2, 1))
    S = np.zeros((2, 2))
    for _ in range(steps):
        S = A @ S @ A.T + noise * b @ b.T
    return S


def small_network(seed=0, loss="ginzburg-landau"):
    torch.manual_seed(seed)
    recipe = dict(widths=[30, 16, 10], layer="linear", loss=loss, optimizer="sgd", momentum=0.9)
    model = Recipe.read(recipe).modules(0.1)[0].double()
    return model, torch.rand(64, 30, dtype=torch.float64), torch.randint(10, (64,))


@pytest.mark.parametrize("decay", [0.0, 1e-2])
def test_eq_opt_terms(decay):
    """Without noise it is SGD with momentum 1 - gamma."""
    start = torch.randn(50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    paths = []
    for make in (
        lambda p: Langevin(p, 0.03, damping=0.1, weight_decay=decay),
        lambda p: torch.optim.SGD(p, 0.03, momentum=0.9, weight_decay=decay),
    ):
        theta = torch.nn.Parameter(start.clone())
        optimizer = make([theta])
        for _ in range(40):
            optimizer.zero_grad()
            theta.pow(4).sum().backward()
            optimizer.step()
        paths.append(theta.detach())
    torch.testing.assert_close(*paths)


@pytest.mark.parametrize("gamma", [0.01, 0.1, 0.3, 1.0])
def test_eq_opt_time(gamma):
    """Slow motion depends on alpha n / gamma alone: on a parabola, theta falls as exp(-kappa t)."""
    kappa, rate = 0.01, 0.05
    alpha, n = rate * gamma, int(2 / (kappa * rate))
    A = np.array([[1 - alpha * kappa, 1 - gamma], [-alpha * kappa, 1 - gamma]])
    theta = (np.linalg.matrix_power(A, n) @ [1.0, 0.0])[0]
    assert theta == pytest.approx(math.exp(-kappa * rate * n), rel=0.12 if gamma == 0.01 else 0.02)


@pytest.mark.parametrize("gamma", [0.1, 1.0])
@pytest.mark.parametrize("kappa_t", [0.05, 0.5, 5.0])
def test_eq_opt_heating(gamma, kappa_t):
    k = 2e-4 * gamma
    n = round(kappa_t * gamma / k)
    # alpha = 1: kappa is k, and the noise has the variance 2 gamma T.
    excess = k * moments(k, gamma, n, 2 * gamma)[0, 0] / 2
    assert excess == pytest.approx((1 - math.exp(-2 * kappa_t)) / 2, rel=0.06 if kappa_t < 0.1 else 0.02)


def test_eq_opt_budget():
    recipe = dict(widths=[784, 128, 10], layer="linear", loss="cross-entropy", optimizer="sgd", momentum=0.9)
    assert Recipe.read(recipe).size == D
    assert D * T_BAYES / 2 == pytest.approx(1.02, abs=0.005)
    assert math.log(10) == pytest.approx(2.30, abs=0.005)


def test_eq_opt_batch():
    """Noise of variance C in the gradient raises the temperature of the mean velocity by alpha C / (2 gamma)."""
    alpha, gamma, k, T, C = 0.02, 0.1, 0.3, 0.7, 40.0
    A, b = np.array([[1 - k, 1 - gamma], [-k, 1 - gamma]]), np.ones((2, 1))
    S = linalg.solve_discrete_lyapunov(A, (2 * gamma * alpha * T + alpha**2 * C) * b @ b.T)
    successive = (A @ S)[1, 1]
    kinetic = (2 * S[1, 1] + 2 * successive) / 4 / alpha
    assert kinetic == pytest.approx(T + alpha * C / (2 * gamma))
    assert math.sqrt(2 * D * T_BAYES / 0.3) == pytest.approx(3.7, abs=0.05)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_eq_opt_virial(decay):
    """From rest far from equilibrium, two thermometers account for the norm."""
    generator = torch.Generator().manual_seed(1)
    theta = torch.nn.Parameter(torch.randn(200_000, dtype=torch.float64, generator=generator))
    kappa = torch.linspace(0, 2, 200_000, dtype=torch.float64)
    alpha, gamma, n = 0.0007, 0.1, 600
    optimizer = Langevin([theta], alpha, damping=gamma, temperature=5.0, weight_decay=decay, generator=generator)
    thermometer, sums, start = Thermometer(optimizer, every=1), np.zeros(2), theta.detach().square().sum()
    for _ in range(n):
        theta.grad = kappa * theta.detach()
        optimizer.step()
        reading = thermometer.read()[0]
        sums += [reading["kinetic"].item(), reading["configurational"].item()]
    kinetic, configurational = sums / n
    grown = (theta.detach().square().sum() - start).item()
    t = alpha / gamma * n
    assert grown == pytest.approx(2 * len(theta) * t * (kinetic - configurational), rel=0.03)
    assert abs(grown) > 0.3 * start.item()  # it is something


def test_eq_opt_invariance():
    """The gradient of the printed loss has no part along either way of scaling the outputs."""
    model, x, labels = small_network()
    ginzburg_landau_loss(model(x), labels).backward()
    w1, b1, w2, b2 = ((p.detach() * p.grad).sum() for p in model.parameters())
    size = (w1.abs() + w2.abs()).item()
    assert size > 1e-4
    assert abs(w2 + b2).item() < 1e-6 * size
    assert abs(w1 + b1 + b2).item() < 1e-6 * size
    assert (w1 + b1 + w2 + b2).item() == pytest.approx(-b2.item(), abs=1e-6 * size)


def test_eq_opt_confident():
    """Under cross-entropy the weights are bound by outputs that are wrong, and pushed out by those that are right."""
    model, x, labels = small_network(loss="cross-entropy")
    phi = model(x)
    F.cross_entropy(phi, labels).backward()
    parts = [(p.detach() * p.grad).sum() for p in model.parameters()]
    expected = (phi.softmax(1) * phi).sum(1) - phi.gather(1, labels[:, None])[:, 0]
    torch.testing.assert_close(sum(parts), 2 * expected.mean().detach() - parts[-1])


def rayleigh(theta, curvature):
    """Return the gradient of sum(curvature theta^2) / |theta|^2, which knows no scale."""
    square = theta.square().sum()
    value = (curvature * theta.square()).sum() / square
    return 2 * (curvature - value) * theta / square


@pytest.mark.parametrize(("gamma", "decay"), [(0.1, 0.0), (0.5, 0.0), (0.1, 0.5)])
def test_eq_opt_norm(gamma, decay):
    """Under a loss that knows no scale the squared norm grows by 2 d T t, and settles at d T / lambda."""
    generator = torch.Generator().manual_seed(2)
    d, temperature, rate, n = 20_000, 0.001, 0.01, 5000
    theta = torch.nn.Parameter(torch.randn(d, dtype=torch.float64, generator=generator) / 50)
    curvature = torch.linspace(0, 50, d, dtype=torch.float64)
    optimizer = Langevin(
        [theta], rate * gamma, damping=gamma, temperature=temperature, weight_decay=decay, generator=generator
    )
    start, s = theta.detach().square().sum().item(), 0.0
    for _ in range(n):
        theta.grad = rayleigh(theta.detach(), curvature)
        optimizer.step()
        s += (rate / theta.detach().square().sum()).item()
    t, end = rate * n, theta.detach().square().sum().item()
    if decay:
        rest = d * temperature / decay
        assert end == pytest.approx(rest + (start - rest) * math.exp(-2 * decay * t), rel=0.03)
        assert end == pytest.approx(rest, rel=0.03)
    else:
        assert end == pytest.approx(start + 2 * d * temperature * t, rel=0.03)
        assert s == pytest.approx(math.log(end / start) / (2 * d * temperature), rel=0.1)  # eq-opt-angle


def test_eq_opt_angle():
    """Free diffusion turns theta away from its start as exp(-d T s); 2 d T at 1/N is 4.1."""
    generator = torch.Generator().manual_seed(3)
    first = torch.randn(50_000, dtype=torch.float64, generator=generator)
    theta, temperature, rate, s = torch.nn.Parameter(first.clone()), 2e-3, 0.5, 0.0
    optimizer = Langevin([theta], rate * 0.5, damping=0.5, temperature=temperature, generator=generator)
    theta.grad = torch.zeros_like(first)
    for _ in range(1000):
        optimizer.step()
        s += rate / theta.detach().square().sum().item()
    overlap = F.cosine_similarity(theta.detach(), first, dim=0).item()
    assert overlap == pytest.approx(math.exp(-len(first) * temperature * s), rel=0.03)
    assert 2 * D * T_BAYES == pytest.approx(4.1, abs=0.05)
