"""The equations of the chapter on Langevin dynamics, each by its label, and the functions the page predicts with.

Statistical tests have fixed seeds and, for another seed, false alarms below 1e-3 each (bounds of 4 standard errors or
more of a normal mean: 6e-5).
"""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, linalg, stats

from book.tools import pairs
from physnn import Langevin
from physnn.lab import kramers
from physnn.temperature import cosine

ROOT = Path(__file__).resolve().parents[1]
T = 0.7
GRID = [(0.05, 0.1, 1.0), (0.1, 0.5, 4.0), (0.2, 1.0, 2.0), (0.5, 0.3, 5.0), (0.01, 1.6, 40.0)]  # alpha, gamma, lambda
every_point = pytest.mark.parametrize(("alpha", "gamma", "curvature"), GRID)


@pytest.fixture(scope="module")
def page() -> dict:
    """Return what the chapter's own cells define."""
    marks = ("def walk(", "def heat(", "def double_well(", "def theory(", "def rates(")
    names = {name: globals()[name] for name in ("math", "torch", "linalg", "kramers", "Langevin", "itertools", "np")}
    names |= {"lr": 0.02, "temperature": 0.05, "dampings": [0.1], "seed": 0, "seeds": itertools.count()}
    cells = [cell for cell in pairs.notebook(ROOT / "notebooks" / "04-langevin.md").cells if cell.cell_type == "code"]
    for mark in marks:
        (cell,) = [cell for cell in cells if mark in cell.source]
        source = cell.source.partition("\nexpected = ")[0]  # a table of theory(), which the tests do not need
        exec(compile(source, mark, "exec"), names)
    return names


def double_well(x):
    return (x * x - 1) ** 2 / 4


def stationary(A, B):
    return linalg.solve_discrete_lyapunov(A, B @ B.T)


def printed(alpha, gamma, curvature):
    """Return A and B of (theta, v) <- A (theta, v) + B eta."""
    k, c, s = alpha * curvature, 1 - gamma, math.sqrt(2 * gamma * alpha * T)
    return np.array([[1 - k, c], [-k, c]]), np.array([[s], [s]])


def test_eq_sde():
    """On a parabola the linear equation keeps the covariance of Boltzmann's law: F S + S F' + Q = 0."""
    for friction, curvature in ((0.3, 2.0), (5.0, 0.1)):
        F = np.array([[0, 1], [-curvature, -friction]])
        Q = np.diag([0, 2 * friction * T])
        S = np.diag([T / curvature, T])
        np.testing.assert_allclose(F @ S + S @ F.T + Q, 0, atol=1e-14)


def test_eq_map():
    """A step with p first and then theta, in v = h p, is the optimizer's; h -> 0 gives the law of eq-sde."""
    h, friction, curvature = 0.2, 1.3, 2.0
    theta = torch.nn.Parameter(torch.linspace(-1, 1, 7, dtype=torch.float64))
    p, noise = torch.linspace(0.5, -1, 7, dtype=torch.float64), torch.Generator().manual_seed(3)
    optimizer = Langevin([theta], h * h, damping=h * friction, temperature=T, generator=noise)
    optimizer.state[theta]["velocity"] = h * p
    before, theta.grad = theta.detach().clone(), curvature * theta.detach()
    optimizer.step()
    eta = torch.empty(7, dtype=torch.float64).normal_(generator=torch.Generator().manual_seed(3))
    p = p - h * curvature * before - h * friction * p + math.sqrt(2 * friction * T * h) * eta
    torch.testing.assert_close(theta.detach(), before + h * p)
    cov = stationary(*printed(1e-6, 1e-3 * friction, curvature))
    assert cov[0, 0] == pytest.approx(T / curvature, rel=2e-3)
    assert cov[1, 1] / 1e-6 == pytest.approx(T, rel=2e-3)


def test_eq_bbk():
    """The positions of v' = (1-gamma) v - alpha g + noise, theta' = theta + v' obey the centred equation."""
    alpha, gamma = 0.07, 0.35
    f, h2 = gamma / (1 - gamma / 2), alpha / (1 - gamma / 2)
    rng = np.random.default_rng(0)
    eta, x, v = rng.normal(size=50), [0.3], 0.1
    for n in range(50):
        v = (1 - gamma) * v - alpha * math.sin(x[-1]) + math.sqrt(2 * gamma * alpha * T) * eta[n]
        x.append(x[-1] + v)
    x, eta = np.array(x), eta[1:]
    old, now, new = x[:-2], x[1:-1], x[2:]
    kick = math.sqrt(2 * f * T * h2) * eta
    np.testing.assert_allclose((1 + f / 2) * new, 2 * now - (1 - f / 2) * old - h2 * np.sin(now) + kick, atol=1e-12)


@every_point
def test_eq_law_and_eq_error(alpha, gamma, curvature):
    cov, k = stationary(*printed(alpha, gamma, curvature)), alpha * curvature
    assert cov[0, 0] == pytest.approx(T / curvature / (1 - k / (4 - 2 * gamma)), rel=1e-9)
    assert cov[1, 1] == pytest.approx(alpha * T / (1 - gamma / 2 - k / 4), rel=1e-9)
    assert cov[0, 1] == pytest.approx(cov[1, 1] / 2, rel=1e-9)
    assert curvature * cov[0, 0] == pytest.approx(T / (1 - k / (4 - 2 * gamma)), rel=1e-9)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 1.0, 1.7])
def test_law_exists_up_to_the_edge_of_stability(gamma):
    for factor, stable in ((0.999, True), (1.001, False)):
        A, _ = printed(0.1, gamma, factor * 2 * (2 - gamma) / 0.1)
        assert (np.abs(np.linalg.eigvals(A)).max() < 1) == stable


@every_point
def test_eq_thermometer(alpha, gamma, curvature):
    """With w = (v + v')/2; and <v v'> = (1 - gamma - k/2) <v^2>, on the way."""
    A, B = printed(alpha, gamma, curvature)
    cov = stationary(A, B)
    later = (A @ cov)[1, 1]
    assert later == pytest.approx((1 - gamma - alpha * curvature / 2) * cov[1, 1], abs=1e-12)
    assert (cov[1, 1] + later) / 2 / alpha == pytest.approx(T, rel=1e-9)


@every_point
def test_eq_corrected(alpha, gamma, curvature):
    """At every gamma, with the last noise as a third variable; and y of the text, at gamma = 1."""
    k, c, s = alpha * curvature, 1 - gamma, math.sqrt(2 * gamma * alpha * T)
    A = np.array([[1 - k, c, s / 2], [-k, c, s / 2], [0, 0, 0]])
    cov = stationary(A, np.array([[s / 2], [s / 2], [1]]))
    assert cov[0, 0] == pytest.approx(T / curvature, rel=1e-9)
    assert cov[1, 1] / alpha == pytest.approx(T, rel=1e-9)
    if gamma == 1:
        y = cov[0, 0] - s * cov[0, 2] + s * s / 4 * cov[2, 2]
        assert y == pytest.approx(s * s * (1 - k / 2) / (2 * k), rel=1e-9)
        assert y + s * s / 4 == pytest.approx(T / curvature, rel=1e-9)


@every_point
def test_eq_batch(alpha, gamma, curvature):
    """Gradient noise of variance C is the temperature alpha C / (2 gamma) more, in every moment."""
    A, B = printed(alpha, gamma, curvature)
    C = 0.9
    both = stationary(A, np.hstack([B, np.full((2, 1), alpha * math.sqrt(C))]))
    hotter = stationary(A, B * math.sqrt((T + alpha * C / (2 * gamma)) / T))
    np.testing.assert_allclose(both, hotter, rtol=1e-9)


def test_eq_shuffled():
    """All orders of six values in batches of two, counted one by one."""
    x, B = np.array([0.3, -1.2, 2.0, 0.1, -0.7, 1.4]), 2
    x = x - x.mean()
    N, M, C = len(x), len(x) // B, x.var() / B
    means = np.array([np.reshape(order, (M, B)).mean(1) for order in itertools.permutations(x)])
    wanted = C * (N - B) / (N - 1) * (np.eye(M) - (1 - np.eye(M)) / (M - 1))
    np.testing.assert_allclose(means.T @ means / len(means), wanted, atol=1e-12)
    np.testing.assert_allclose(wanted.sum(1), 0, atol=1e-12)


def test_heat_of_shuffled_epochs_is_what_walkers_have(page):
    """4000 walkers, each with its own shuffles, mean over the steps of one epoch: within 5 % (4 standard errors)."""
    N, B, gamma, alpha, curvature, walkers = 16, 4, 0.3, 0.1, 2.0, 4000
    rng = np.random.default_rng(1)
    x = np.linspace(-1, 1, N) / np.linspace(-1, 1, N).std()
    theta, v = np.zeros(walkers), np.zeros(walkers)
    for _ in range(40):
        order = rng.permuted(np.tile(x, (walkers, 1)), axis=1).reshape(walkers, N // B, B).mean(2)
        squares = 0
        for batch in order.T:
            v = (1 - gamma) * v - alpha * curvature * (theta - batch)
            theta = theta + v
            squares = squares + theta**2 / (N // B)
    K = (N - B) / (N - 1) / B * (np.eye(N // B) * (N // B) - 1) / (N // B - 1)
    k = alpha * curvature
    assert squares.mean() == pytest.approx(page["heat"](k, gamma, k**2 * K), rel=0.05)
    fresh = page["heat"](k, gamma, k**2 * np.eye(4) / B)
    formula = alpha * curvature**2 / B / (2 * gamma) / curvature / (1 - k / (4 - 2 * gamma))
    assert fresh == pytest.approx(formula, rel=1e-9)


def test_eq_posterior():
    """exp(-N L) with the prior as weight decay is the conjugate posterior, and the optimizer at T = 1/N has it."""
    data, prior = torch.tensor([0.3, 1.9, -0.4, 1.1, 0.8], dtype=torch.float64), 2.0
    n = len(data)
    theta = torch.linspace(-1, 2, 9, dtype=torch.float64)
    loss = ((data[:, None] - theta) ** 2).mean(0) / 2 + prior / n * theta**2 / 2
    exact = torch.distributions.Normal(data.sum() / (n + prior), (n + prior) ** -0.5).log_prob(theta)
    difference = -n * loss - exact
    assert (difference.max() - difference.min()).item() < 1e-12
    walkers = 20_000
    parameter = torch.nn.Parameter(torch.zeros(walkers, dtype=torch.float64))
    optimizer = Langevin([parameter], 0.1, damping=0.5, temperature=1 / n, weight_decay=prior / n, scheme="gjf",
                         generator=torch.Generator().manual_seed(0))  # fmt: skip
    for _ in range(200):
        parameter.grad = parameter.detach() - data.mean()
        optimizer.step()
    z = (parameter.detach().numpy() - data.sum().item() / (n + prior)) * (n + prior) ** 0.5
    assert stats.kstest(z, "norm").pvalue > 1e-3


def test_eq_ratio():
    """Of a well-specified likelihood the variance of a sample's gradient is the curvature: Bernoulli, in the logit."""
    theta = 0.7
    chance = 1 / (1 + math.exp(-theta))
    variance = chance * (1 - chance) ** 2 + (1 - chance) * chance**2  # gradients chance - x
    curvature = chance * (1 - chance)
    assert variance == pytest.approx(curvature, rel=1e-12)
    alpha, gamma, N, B = 0.02, 0.1, 5000, 50
    assert (alpha * variance / B / (2 * gamma)) / (1 / N) == pytest.approx(alpha * curvature * N / (2 * gamma * B))


def test_the_constants_of_the_double_well():
    """Curvatures 2 and -1, a barrier of 1/4, and the action 4/3 of an oscillation at its height."""
    slope = np.polynomial.Polynomial([0, -1, 0, 1])
    np.testing.assert_allclose(slope.deriv()([1.0, 0.0]), [2, -1])
    momentum = lambda x: math.sqrt(max(0, 2 * (0.25 - double_well(x))))  # noqa: E731
    assert 2 * integrate.quad(momentum, 0, math.sqrt(2))[0] == pytest.approx(4 / 3, rel=1e-6)


def test_eq_kramers():
    """The crossing factor is the root of mu^2 + friction mu = curvature; the rate is the exact one at a high barrier.

    At 16 T the corrections, of order T over the barrier, are below 5 %, and at 8 T about twice as large.
    """
    for friction, top in ((0.3, 1.0), (4.0, 2.5)):
        mu = kramers.crossing(friction, top)
        assert mu * mu + friction * mu == pytest.approx(top)
    errors = []
    for height in (8, 16):
        temperature = 0.25 / height
        rate = kramers.crossing(3.0, 1.0) * math.sqrt(2) / (2 * math.pi) * math.exp(-height)
        exact = kramers.relaxation_rate(double_well, temperature, 3.0, edge=2.0, cells=400) / 2
        errors.append(rate / exact - 1)
    assert 0 < errors[1] < 0.05
    assert errors[0] == pytest.approx(2 * errors[1], rel=0.25)


def test_eq_turnover():
    """Upsilon is the loss where that is small (so that the factor is half of it), and 1 where it is large."""
    for loss in (1e-3, 1e-4):
        assert kramers.depopulation(loss) == pytest.approx(loss, rel=1.2 * math.sqrt(loss))
        factor = kramers.depopulation(loss) ** 2 / kramers.depopulation(2 * loss)
        assert factor == pytest.approx(loss / 2, rel=1.2 * math.sqrt(loss))
    assert kramers.depopulation(40.0) == pytest.approx(1, abs=1e-4)


def test_theory_of_the_page_turns_over(page):
    """At 5 T the formula with turnover is within 30 % of the exact rate; Kramers' is not, at low damping."""
    low, middle, high = (page["theory"](gamma) for gamma in (0.004, 0.06, 0.7))
    for rates in (low, middle, high):
        assert 1 < rates["with turnover"] / rates["exact"] < 1.3
    assert low["Kramers"] > 4 * low["exact"]
    assert low["exact"] < middle["exact"] > high["exact"]


def test_relaxation_rate_of_a_parabola():
    """It is Gamma/2 - Re sqrt(Gamma^2/4 - lambda), under- and overdamped."""
    for friction in (0.5, 3.0):
        exact = friction / 2 - math.sqrt(max(0, friction**2 / 4 - 1))
        rate = kramers.relaxation_rate(lambda x: x * x / 2, 0.3, friction, edge=5.0, cells=400)
        assert rate == pytest.approx(exact, rel=2e-3)


def test_relaxation_rate_has_enough_levels_and_cells():
    for temperature, friction in ((0.05, 0.03), (0.03, 0.1), (0.12, 0.07), (0.05, 1.0)):
        rate = kramers.relaxation_rate(double_well, temperature, friction, edge=2.4)
        finer = kramers.relaxation_rate(double_well, temperature, friction, edge=2.6, cells=300, levels=280)
        assert rate == pytest.approx(finer, rel=5e-3)


def test_eq_two_states(page):
    """The two rates are in detailed balance, and their sum is the exact relaxation rate where wells are deep.

    At a barrier of 4.8 T from the worse well; the crossing factor's own error is of order T over the barrier.
    """
    there, back = page["rates"](0.04)
    x, top = page["x"], page["top"]
    weight = np.exp(-page["tilted"](x) / 0.04)
    assert there / back == pytest.approx(weight[x < top].sum() / weight[x >= top].sum(), rel=1e-9)
    friction = page["f"] / page["h"]
    exact = page["h"] * kramers.relaxation_rate(page["tilted"], 0.04, friction, edge=2.4)
    assert there + back == pytest.approx(exact, rel=0.05)
    assert page["depth"] == pytest.approx(0.193, abs=1e-3)


def test_two_states_predict_a_cooled_run(page):
    """10,000 walkers under a cosine of 1500 steps: within 4 points (the statistical part of it is 2)."""
    budget, walkers, share = 1500, 10_000, 0.0
    factor = cosine(budget)
    theta = torch.nn.Parameter(torch.full((walkers,), float(page["worse"])))
    optimizer = Langevin([theta], 0.02, damping=0.2, generator=torch.Generator().manual_seed(0))
    for n in range(budget):
        temperature = optimizer.param_groups[0]["temperature"] = 0.2 * factor(n)
        theta.grad = theta.detach() ** 3 - theta.detach() + 0.06
        optimizer.step()
        if temperature > 0.005:
            there, back = page["rates"](temperature)
            rest = there / (there + back)
            share = rest + (share - rest) * math.exp(-(there + back))
    assert (theta.detach() < page["top"]).float().mean().item() == pytest.approx(share, abs=0.04)
