"""The schemes of the optimizer against their closed forms, their relatives in the literature, and Kramers' rate."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, linalg, stats
from torch import nn

from physnn import Langevin
from physnn.scheme import SCHEMES, noise_variance, single_tensor

TEMPERATURE = 0.7
GRID = [(0.05, 0.1, 1.0), (0.1, 0.5, 4.0), (0.2, 1.0, 2.0), (0.5, 0.3, 5.0)]


def law(scheme, alpha, gamma, curvature):
    """Return var theta, var v and cov(theta, v), as the docstring of Langevin gives them."""
    k = alpha * curvature
    if scheme != "post":
        return TEMPERATURE / curvature, alpha * TEMPERATURE, alpha * TEMPERATURE / 2
    var_v = 4 * alpha * TEMPERATURE / (2 * (2 - gamma) - k)
    return TEMPERATURE / curvature / (1 - k / (4 - 2 * gamma)), var_v, var_v / 2


def recursion(scheme, alpha, gamma, curvature):
    """Return A and B of (theta, v, last noise) <- A (theta, v, last noise) + B eta, written out by hand."""
    k, c = alpha * curvature, 1 - gamma
    if scheme == "baoa":
        s = math.sqrt(alpha * TEMPERATURE * (1 - c * c))
        b = (1 + c) / 2
        return np.array([[1 - b * k, b, 0], [-c * k, c, 0], [0, 0, 0]]), np.array([[s / 2], [s], [1]])
    s = math.sqrt(2 * gamma * alpha * TEMPERATURE)
    old, new = (s / 2, s / 2) if scheme == "gjf" else (0, s)
    return np.array([[1 - k, c, old], [-k, c, old], [0, 0, 0]]), np.array([[new], [new], [1]])


def optimizer_of(theta, v, alpha, gamma, seed=0, temperature=TEMPERATURE, **options):
    optimizer = Langevin([theta], alpha, damping=gamma, temperature=temperature,
                         generator=torch.Generator().manual_seed(seed), **options)  # fmt: skip
    optimizer.state[theta]["velocity"] = v
    return optimizer


@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
@pytest.mark.parametrize(("alpha", "gamma", "curvature"), [*GRID, (1.0, 1.5, 0.9), (0.001, 0.01, 1.0)])
def test_closed_form_solves_the_lyapunov_equation(scheme, alpha, gamma, curvature):
    a, b = recursion(scheme, alpha, gamma, curvature)
    cov = linalg.solve_discrete_lyapunov(a, b @ b.T)
    assert [cov[0, 0], cov[1, 1], cov[0, 1]] == pytest.approx(law(scheme, alpha, gamma, curvature), rel=1e-9)


@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
def test_optimizer_is_the_recursion(scheme):
    """Step by step, with the noise that the generator gives: A and B above are what the optimizer does."""
    alpha, gamma, curvature = 0.1, 0.4, 2.0
    a, b = recursion(scheme, alpha, gamma, curvature)
    theta, v = nn.Parameter(torch.ones(20, dtype=torch.float64)), torch.full((20,), 0.3, dtype=torch.float64)
    optimizer = optimizer_of(theta, v, alpha, gamma, scheme=scheme)
    same = torch.Generator().manual_seed(0)
    draw = lambda: torch.empty(20, dtype=torch.float64).normal_(generator=same).numpy()  # noqa: E731
    state = np.stack([np.ones(20), np.full(20, 0.3), draw() if scheme == "gjf" else np.zeros(20)])
    for _ in range(10):
        theta.grad = curvature * theta.detach()
        optimizer.step()
        state = a @ state + b @ draw()[None]
        np.testing.assert_allclose(theta.detach().numpy(), state[0], rtol=1e-12)
        np.testing.assert_allclose(optimizer.state[theta]["velocity"].numpy(), state[1], rtol=1e-11)


@pytest.mark.parametrize("scheme", ["post", "gjf", "baoa"])
@pytest.mark.parametrize(("alpha", "gamma", "curvature"), GRID)
def test_stationary_law(scheme, alpha, gamma, curvature):
    """Walkers started in the exact law keep it: chi-square of three quadratic forms, Kolmogorov-Smirnov of two values.

    theta and v determine the third moment through theta - v. False alarms: 60 tests share 1e-3 (Bonferroni).
    """
    walkers, level = 10_000, 1e-3 / 60
    var_theta, var_v, cov = law(scheme, alpha, gamma, curvature)
    generator = torch.Generator().manual_seed(1)
    a, b = recursion(scheme, alpha, gamma, curvature)
    values, vectors = np.linalg.eigh(linalg.solve_discrete_lyapunov(a, b @ b.T))  # at gamma = 1 it is singular
    start = torch.from_numpy(vectors * np.sqrt(values.clip(0))) @ torch.randn(
        3, walkers, dtype=torch.float64, generator=generator
    )
    theta = nn.Parameter(start[0].clone())
    optimizer = optimizer_of(theta, start[1].clone(), alpha, gamma, seed=2, scheme=scheme)
    if scheme == "gjf":
        optimizer.state[theta]["noise"] = start[2].clone()
    for _ in range(60):
        theta.grad = curvature * theta.detach()
        optimizer.step()
    end, v = theta.detach(), optimizer.state[theta]["velocity"]
    for x, variance in ((end, var_theta), (v, var_v), (end - v, var_theta + var_v - 2 * cov)):
        statistic = (x.square().sum() / variance).item()
        assert 2 * min(stats.chi2.cdf(statistic, walkers), stats.chi2.sf(statistic, walkers)) > level
    for x, variance in ((end, var_theta), (v, var_v)):
        assert stats.kstest((x / math.sqrt(variance)).numpy(), "norm").pvalue > level


def test_baoa_walks_as_gjf():
    """Its positions are those of gjf with lr (1 - gamma/2) alpha, for the same noise; here on a quartic."""
    gamma, alpha = 0.6, 0.05
    ends = []
    for scheme, lr in (("baoa", alpha), ("gjf", alpha * (1 - gamma / 2))):
        theta = nn.Parameter(torch.full((50,), 0.5, dtype=torch.float64))
        optimizer = optimizer_of(theta, torch.zeros(50, dtype=torch.float64), lr, gamma, scheme=scheme)
        if scheme == "gjf":  # BAOA at rest has no noise from before: its first step is half of one noise
            optimizer.state[theta]["noise"] = torch.zeros(50, dtype=torch.float64)
        for _ in range(50):
            theta.grad = theta.detach() ** 3 - theta.detach()
            optimizer.step()
        ends.append(theta.detach())
    torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-12)


def test_damping_one_is_sgld_and_with_gjf_leimkuhler_matthews():
    for scheme in ("post", "gjf"):
        theta = nn.Parameter(torch.ones(30, dtype=torch.float64))
        optimizer = optimizer_of(theta, torch.zeros(30, dtype=torch.float64), 0.1, 1.0, scheme=scheme)
        same, x = torch.Generator().manual_seed(0), torch.ones(30, dtype=torch.float64)
        draw = lambda same=same: torch.empty(30, dtype=torch.float64).normal_(generator=same)  # noqa: E731
        last = draw() if scheme == "gjf" else None
        for _ in range(20):
            theta.grad = theta.detach().sin()
            optimizer.step()
            new = draw()
            eta = new if scheme == "post" else (last + new) / 2
            x = x - 0.1 * x.sin() + math.sqrt(2 * 0.1 * TEMPERATURE) * eta
            last = new
        torch.testing.assert_close(theta.detach(), x, rtol=1e-12, atol=1e-12)


def test_positions_are_the_chain_of_bbk():
    """Brünger, Brooks & Karplus: (1 + f/2) x' = 2x - (1 - f/2) x'' + (dt^2/m) F + sqrt(2 f T dt^2/m) eta, in f, dt^2/m.

    With f = gamma / (1 - gamma/2) and dt^2/m = alpha / (1 - gamma/2): the same noise, the same positions.
    """
    alpha, gamma = 0.07, 0.35
    f, dt2 = gamma / (1 - gamma / 2), alpha / (1 - gamma / 2)
    theta = nn.Parameter(torch.linspace(-1, 1, 25, dtype=torch.float64))
    optimizer = optimizer_of(theta, torch.zeros(25, dtype=torch.float64), alpha, gamma)
    same = torch.Generator().manual_seed(0)
    before = now = theta.detach().clone()
    for _ in range(40):
        theta.grad = theta.detach() ** 3 - theta.detach()
        optimizer.step()
        eta = torch.empty(25, dtype=torch.float64).normal_(generator=same)
        force = now - now**3
        noise = math.sqrt(2 * f * TEMPERATURE * dt2) * eta
        before, now = now, (2 * now - (1 - f / 2) * before + dt2 * force + noise) / (1 + f / 2)
    torch.testing.assert_close(theta.detach(), now, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("scheme", "factor"), [("gjf", 1.0), ("baoa", 1 - 0.25 / 2)])
def test_at_temperature_zero_positions_are_those_of_sgd(scheme, factor):
    ours, theirs = (nn.Parameter(torch.linspace(-1, 2, 9, dtype=torch.float64)) for _ in range(2))
    langevin = Langevin([ours], 0.1, damping=0.25, scheme=scheme)
    sgd = torch.optim.SGD([theirs], 0.1 * factor, momentum=0.75)
    for _ in range(30):
        ours.grad, theirs.grad = ours.detach().sin(), theirs.detach().sin()
        langevin.step()
        sgd.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_weak_order_one():
    """Mean and variance of theta at time 1 approach those of the differential equation as h, halving from 1/32.

    d theta = p dt, dp = (-kappa theta - Gamma p) dt + sqrt(2 Gamma T) dW, with alpha = h^2, gamma = h Gamma, v = h p.
    The moments of the scheme follow from its recursion without sampling (the optimizer is that recursion, above).
    """
    kappa, friction = 2.0, 1.5
    drift = np.array([[0, 1], [-kappa, -friction]])
    flow = linalg.expm(drift)
    rest = np.diag([TEMPERATURE / kappa, TEMPERATURE])
    exact = np.array([flow[0, 0], (rest - flow @ rest @ flow.T)[0, 0]])
    errors = []
    for steps in (32, 64, 128):
        a, b = recursion("post", steps**-2, friction / steps, kappa)
        mean, cov = np.array([1.0, 0, 0]), np.zeros((3, 3))
        for _ in range(steps):
            mean, cov = a @ mean, a @ cov @ a.T + b @ b.T
        errors.append(np.abs(np.array([mean[0], cov[0, 0]]) - exact))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.all(np.abs(orders - 1) < 0.1), orders


def test_gjf_is_of_weak_order_two():
    """The same moments, with the time step h of Grønbech-Jensen & Farago.

    gamma = f h / (1 + f h/2) and alpha = h^2 / (1 + f h/2). Started at rest: half a kick, no earlier noise.
    """
    kappa, friction = 2.0, 1.5
    flow = linalg.expm(np.array([[0, 1], [-kappa, -friction]]))
    rest = np.diag([TEMPERATURE / kappa, TEMPERATURE])
    exact = np.array([flow[0, 0], (rest - flow @ rest @ flow.T)[0, 0]])
    errors = []
    for steps in (32, 64, 128):
        h = 1 / steps
        alpha, gamma = h * h / (1 + friction * h / 2), friction * h / (1 + friction * h / 2)
        a, b = recursion("gjf", alpha, gamma, kappa)
        mean, cov = np.array([1.0, alpha * kappa / (2 * (1 - gamma)), 0]), np.zeros((3, 3))
        for _ in range(steps):
            mean, cov = a @ mean, a @ cov @ a.T + b @ b.T
        errors.append(np.abs(np.array([mean[0], cov[0, 0]]) - exact))
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert np.all(np.abs(orders - 2) < 0.01), orders


def test_gjf_is_of_order_two_where_nothing_is_linear():
    """On U = theta^4 / 4 at gamma = 1, the error of <theta^2> falls as alpha^2 (post: as alpha).

    y = theta - s eta_n / 2, with s^2 = 2 alpha T, is a Markov chain: y' = y + s eta - alpha U'(y + s eta / 2). Its
    stationary law comes from its transition operator on Chebyshev nodes, with no sampling.
    """
    x = 4.5 * np.cos(np.pi * (np.arange(160) + 0.5) / 160)
    weights = (-1.0) ** np.arange(160) * np.sin(np.pi * (np.arange(160) + 0.5) / 160)
    eta, chance = np.polynomial.hermite_e.hermegauss(60)
    chance = chance / chance.sum()

    def second_moment(alpha, share):
        s = math.sqrt(2 * alpha * TEMPERATURE)
        theta = x[:, None] + share * s * eta
        # What lies beyond the nodes has a chance of exp(-140).
        after = (x[:, None] + s * eta - alpha * theta**3).clip(-4.5, 4.5)
        basis = weights / (after[:, :, None] - x + 1e-13)
        transition = np.einsum("k,ikj->ij", chance, basis / basis.sum(-1, keepdims=True))
        law = np.linalg.lstsq(
            np.vstack([transition.T - np.eye(160), np.ones(160)]), np.append(np.zeros(160), 1), rcond=None
        )[0]
        return law @ (theta**2 @ chance)

    density = lambda u: math.exp(-(u**4) / 4 / TEMPERATURE)  # noqa: E731
    exact = integrate.quad(lambda u: u * u * density(u), 0, 6)[0] / integrate.quad(density, 0, 6)[0]
    for share, order in ((0.5, 2), (0.0, 1)):  # gjf, post
        errors = np.array([second_moment(alpha, share) - exact for alpha in (0.05, 0.025, 0.0125)])
        assert np.log2(errors[:-1] / errors[1:]) == pytest.approx([order] * 2, abs=0.1)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.005, 1.0), (0.005, 0.4)])
def test_kramers_rate(alpha, gamma):
    """Escape from a double well, U = (theta^2 - 1)^2 / 4 at T = 1/20, within 5 % of Kramers' rate.

    r = (sqrt(f^2/4 + dt^2) - f/2) T / (Z_well Z_barrier) per step, over the curvature of the barrier, 1 here; with f
    and dt^2 of BBK, above, and Z the integrals of exp(-U/T) over a well and of exp(U/T) over the barrier (their
    Gaussian values give Kramers' formula; at this T they change it by 7 %). The rate is half the decay rate of the
    populations' difference. Of this step's error, 1 %, and a standard error of 1 %, the 5 % leave four of the latter:
    false alarms at 1e-4.
    """
    temperature, walkers, wait, steps = 0.05, 60_000, 300, 5000
    energy = lambda x: (x * x - 1) ** 2 / 4  # noqa: E731
    well = integrate.quad(lambda x: math.exp(-energy(x) / temperature), 0, 4)[0]
    barrier = integrate.quad(lambda x: math.exp(energy(x) / temperature), -1, 1)[0]
    f, dt2 = gamma / (1 - gamma / 2), alpha / (1 - gamma / 2)
    expected = (math.sqrt(f * f / 4 + dt2) - f / 2) * temperature / (well * barrier)
    theta = nn.Parameter(torch.ones(walkers))
    optimizer = Langevin([theta], alpha, damping=gamma, temperature=temperature, check_finite=False, fused=True,
                         generator=torch.Generator().manual_seed(4))  # fmt: skip
    difference = []
    for step in range(wait + steps):
        x = theta.detach()
        theta.grad = x**3 - x
        if step in (wait, wait + steps - 1):
            difference.append(x.sign().mean().item())
        optimizer.step()
    rate = -math.log(difference[1] / difference[0]) / (2 * (steps - 1))
    assert rate == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("noisy", [True, False])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_systems_with_numbers_of_their_own_move_as_each_does_alone(scheme, noisy):
    """Tensors of shape (R, 1, 1) in the place of numbers, to rounding; no tensor but parameter and velocity changes."""
    generator = torch.Generator().manual_seed(0)
    numbers = torch.rand(4, 3, generator=generator, dtype=torch.float64)
    names = ("lr", "momentum", "noise_std", "weight_decay")
    theta, v, g, eta = torch.randn(4, 3, 5, 2, generator=generator, dtype=torch.float64)
    before = theta.clone(), v.clone(), g.clone(), eta.clone()
    of_all = dict(zip(names, numbers[:, :, None, None], strict=True))
    single_tensor(scheme, [theta], [g], [v], [eta] if noisy else None, **of_all)
    assert torch.equal(g, before[2]) and torch.equal(eta, before[3])
    for r in range(3):
        own = dict(zip(names, numbers[:, r].tolist(), strict=True))
        p, velocity, kick = (before[i][r].clone() for i in (0, 1, 3))
        single_tensor(scheme, [p], [g[r]], [velocity], [kick] if noisy else None, **own)
        torch.testing.assert_close(theta[r], p, rtol=1e-14, atol=1e-15)
        torch.testing.assert_close(v[r], velocity, rtol=1e-14, atol=1e-15)
        variances = [noise_variance(scheme, *numbers[:3, r]), noise_variance(scheme, *numbers[:3, r].tolist())]
        assert variances[0].item() == variances[1]
