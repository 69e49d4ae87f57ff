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
from scipy import integrate, linalg, sparse, stats
from scipy.sparse.linalg import eigs

from book.tools import pairs
from physnn import Langevin
from physnn.lab.physics import kramers, pendulum
from physnn.temperature import cosine

ROOT = Path(__file__).resolve().parents[2]
T = 0.7
GRID = [(0.05, 0.1, 1.0), (0.1, 0.5, 4.0), (0.2, 1.0, 2.0), (0.5, 0.3, 5.0), (0.01, 1.6, 40.0)]  # alpha, gamma, lambda
every_point = pytest.mark.parametrize(("alpha", "gamma", "curvature"), GRID)


@pytest.fixture(scope="module")
def page() -> dict:
    """Return what the chapter's own cells define."""
    marks = ("def walk(", "def heat(", "def scheduled(", "def double_well(", "def theory(", "def rates(")
    names = {name: globals()[name] for name in ("math", "torch", "linalg", "kramers", "Langevin", "itertools", "np")}
    names |= {"lr": 0.02, "temperature": 0.05, "dampings": [0.1], "seed": 0, "seeds": itertools.count()}
    cells = [cell for cell in pairs.notebook(ROOT / "notebooks" / "langevin.md").cells if cell.cell_type == "code"]
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


def test_eq_order():
    """gjf on the pendulum: order 2 at gamma = 1, 1 at a fixed friction, close to 1 at a small gamma; c is 1/friction^2.

    post has order 1 at either. baoa has the positions of gjf, and its orders.
    """
    exact = pendulum.boltzmann_cosine(1.0)

    def error(scheme, alpha, gamma):
        return abs(pendulum.mean_cosine(scheme, alpha, gamma, 1.0) - exact)

    def order(scheme, alpha, gamma):
        return math.log2(error(scheme, alpha, gamma(alpha)) / error(scheme, alpha / 2, gamma(alpha / 2)))

    for scheme, wanted in (("post", 1), ("gjf", 2), ("baoa", 2)):
        assert order(scheme, 0.02, lambda alpha: 1.0) == pytest.approx(wanted, abs=0.05)
    for scheme in ("post", "gjf", "baoa"):
        assert order(scheme, 0.02, math.sqrt) == pytest.approx(1, abs=0.1)
        assert order(scheme, 0.08, lambda alpha: 0.03) == pytest.approx(1, abs=0.1)
    assert order("gjf", 0.001, lambda alpha: 0.1) > 1.8  # where alpha is small against gamma^2
    coefficients = [error("gjf", 0.0025, friction * 0.05) / 0.0025 for friction in (3, 6, 12)]
    assert coefficients[1] * 36 == pytest.approx(coefficients[2] * 144, rel=0.05)
    assert coefficients[0] * 9 == pytest.approx(coefficients[2] * 144, rel=0.15)


def test_the_pendulums_law_is_what_walkers_have():
    """At a step where post is far off Boltzmann's law: the mean within four standard errors (false alarms: 6e-5)."""
    alpha, gamma, walkers = 0.3, 0.5, 20_000
    theta = torch.nn.Parameter(torch.zeros(walkers, dtype=torch.float64))
    optimizer = Langevin([theta], alpha, damping=gamma, temperature=1.0, generator=torch.Generator().manual_seed(0))
    for _ in range(300):
        theta.grad = theta.detach().sin()
        optimizer.step()
    cosines = theta.detach().cos()
    error = 4 * cosines.std().item() / math.sqrt(walkers)
    predicted = pendulum.mean_cosine("post", alpha, gamma, 1.0)
    assert cosines.mean().item() == pytest.approx(predicted, abs=error)
    assert abs(predicted - pendulum.boltzmann_cosine(1.0)) > 2 * error


def test_the_pendulum_is_resolved_and_a_wrong_scheme_is_named():
    for case in (("gjf", 0.6, 0.05, 0.5), ("gjf", 0.001, 0.03, 0.5), ("post", 0.3, 1.0, 0.5), ("baoa", 0.6, 1.0, 2.0)):
        finer = pendulum.mean_cosine(*case, angles=48, velocities=64)
        assert pendulum.mean_cosine(*case) == pytest.approx(finer, abs=1e-7)
    with pytest.raises(ValueError, match="'euler'"):
        pendulum.mean_cosine("euler", 0.1, 0.1, 1.0)


def test_eq_overshoot():
    """At gamma = 1 and no noise: just inside, the steps down the slope come to rest; just outside, they fly off."""
    alpha = 0.02
    edge = math.sqrt(1 + 2 / alpha)
    for factor, stays in ((0.999, True), (1.001, False)):
        theta = factor * edge
        for _ in range(300):
            if abs(theta) < 1e6:
                theta -= alpha * (theta**3 - theta)
        assert (abs(theta) < 1e6) == stays


def test_eq_schedule(page):
    """Slow schedules: both temperatures under either rule, on a parabola; and none is felt where p is kept."""
    gamma, change = 0.05, -0.01
    rates = 1e-3 * np.exp(change * np.arange(400))
    for power, expected in ((0.0, 1 / (1 + change / (2 * gamma))), (1.0, 1 / (1 - change / (2 * gamma))), (0.5, 1.0)):
        course = page["scheduled"](rates, power, gamma, curvature=20.0)
        assert course[200:].mean() == pytest.approx(expected, rel=0.03)
        S, positions = np.diag([1 / 20, rates[0]]), []
        for alpha, old in zip(rates[1:], rates, strict=False):
            A = np.array([[1 - 20 * alpha, 1 - gamma], [-20 * alpha, 1 - gamma]]) @ np.diag([1, (alpha / old) ** power])
            S = A @ S @ A.T + 2 * gamma * alpha
            positions.append(20 * S[0, 0])
        assert np.mean(positions[200:]) == pytest.approx(expected, rel=0.03)


def test_scheduled_is_the_optimizer_with_another_rate():
    """Walkers whose rate jumps: <w^2> as the page's covariances say, within four standard errors (6e-5 each)."""
    walkers, gamma = 40_000, 0.2
    rates = np.repeat([0.04, 0.01, 0.04], 5)
    torch.manual_seed(0)
    theta = torch.nn.Parameter(torch.randn(walkers, dtype=torch.float64))
    optimizer = Langevin([theta], rates[0], damping=gamma, temperature=1.0, generator=torch.Generator().manual_seed(1))
    v = optimizer.state[theta]["velocity"] = torch.randn(walkers, dtype=torch.float64) * math.sqrt(rates[0])
    S, old = np.diag([1.0, rates[0]]), v.clone()
    for alpha in rates:
        optimizer.param_groups[0]["lr"] = float(alpha)
        theta.grad = theta.detach().clone()
        optimizer.step()
        A = np.array([[1 - alpha, 1 - gamma], [-alpha, 1 - gamma]])
        after = A @ S @ A.T + 2 * gamma * alpha
        expected = (S[1, 1] + after[1, 1]) / 4 + (A @ S)[1, 1] / 2
        now = optimizer.state[theta]["velocity"]
        seen = ((old + now) / 2).square()
        assert seen.mean().item() == pytest.approx(expected, abs=4 * seen.std().item() / math.sqrt(walkers))
        S, old = after, now.clone()


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


def integrals(energy, temperature):
    """Return Z and Z_b of a symmetric double well with its wells at -1 and 1."""
    well = integrate.quad(lambda x: math.exp(-energy(x) / temperature), 0, 3)[0]
    return well, integrate.quad(lambda x: math.exp(energy(x) / temperature), -1, 1)[0]


@pytest.mark.parametrize("friction", [3.0, 10.0])
def test_integral_rate_of_a_barrier_of_curvature_four(friction):
    """U = (theta^2 - 1)^2 at a barrier of 16 T: Kramers' rate up to the order of T over the barrier, and the exact one.

    Without the curvature it is four times too fast.
    """
    temperature, energy = 1 / 16, lambda x: (x * x - 1) ** 2
    well, barrier = integrals(energy, temperature)
    rate = kramers.integral_rate(friction, 4.0, temperature, well, barrier)
    gaussian = kramers.crossing(friction, 4.0) / 2 * math.sqrt(8) / (2 * math.pi) * math.exp(-1 / temperature)
    assert rate == pytest.approx(gaussian, rel=0.1)
    exact = kramers.relaxation_rate(energy, temperature, friction, edge=2.0, cells=400) / 2
    assert rate == pytest.approx(exact, rel=0.05)


def test_integral_rate_has_the_dimension_of_a_rate():
    """An energy in other units changes T, curvatures and friction^2 by one factor, and the rate by its root."""
    rates = []
    for unit in (1.0, 4.0, 100.0):
        well, barrier = integrals(lambda x, unit=unit: unit * double_well(x), 0.05 * unit)
        rate = kramers.integral_rate(0.5 * math.sqrt(unit), unit, 0.05 * unit, well, barrier)
        rates.append(rate / math.sqrt(unit))
    assert rates == pytest.approx([rates[0]] * 3, rel=1e-9)
    known = kramers.crossing(0.5, 1.0) * 0.05 / (well * barrier)  # at curvature 1 the curvature is not seen
    assert rates[0] == pytest.approx(known, rel=1e-9)


def test_eq_langer():
    """Two directions, the second softer or stiffer on the pass, at high friction; the rate from the equation on a grid.

    It is that of jumps between neighbouring cells in detailed balance. The barrier is 6 T; the error of one direction
    is that of two, so that the ratio of both rates is compared.
    """
    temperature, n = 0.25 / 6, 61
    x, y = np.linspace(-1.9, 1.9, n), np.linspace(-1.3, 1.3, n)

    def relaxation(on_pass, in_well=2.0):
        stiff = in_well + (on_pass - in_well) * np.exp(-((x / 0.45) ** 2))[:, None]
        U = double_well(x)[:, None] + stiff * y**2 / 2
        index, rows, columns, values = np.arange(n * n).reshape(n, n), [], [], []
        for here, there, a, b, dx in (
            (index[:-1], index[1:], U[:-1], U[1:], x[1] - x[0]),
            (index[:, :-1], index[:, 1:], U[:, :-1], U[:, 1:], y[1] - y[0]),
        ):
            for i, j, old, new in ((here, there, a, b), (there, here, b, a)):
                rows, columns = [*rows, j.ravel()], [*columns, i.ravel()]
                values = [*values, (np.exp((old - new) / (2 * temperature)) * temperature / dx**2).ravel()]
        jumps = sparse.coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))).tocsc()
        generator = jumps - sparse.diags(np.asarray(jumps.sum(0)).ravel())
        slow = eigs(generator, k=2, sigma=1e-9, v0=np.ones(n * n), return_eigenvectors=False)
        return np.sort(-slow.real)[1]

    plain = relaxation(2.0)
    for on_pass in (1.0, 4.0):
        assert relaxation(on_pass) / plain == pytest.approx(math.sqrt(2.0 / on_pass), rel=0.1)


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
