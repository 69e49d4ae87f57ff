"""The equations of the chapter from the free energy to the loss, each by its label."""

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from scipy import integrate, optimize, stats
from scipy.sparse.csgraph import connected_components

from book.tools import pairs
from physnn import Langevin, ginzburg_landau_density, ginzburg_landau_loss
from physnn.field import difference
from physnn.lab.statistics import stats as page_stats
from physnn.loss import BOUNDARIES

Q2, Q4, QS = PRINTED = 0.0035, -5.0, 0.5
C = 10


@pytest.fixture(scope="module")
def page() -> dict:
    """Return what the chapter's own cells define."""
    marks = ("sets", "valleys", "held", "most_wrong", "sphere_loss", "roam", "by_clock")
    names = {"itertools": itertools, "math": math, "np": np, "pd": pd, "torch": torch, "F": F, "C": C}
    names |= {"q2": Q2, "q4": Q4, "qs": QS, "printed": PRINTED, "Langevin": Langevin, "BOUNDARIES": BOUNDARIES}
    names |= {"difference": difference, "connected_components": connected_components, "glued": {}}
    names |= {"ginzburg_landau_density": ginzburg_landau_density, "glue": names["glued"].__setitem__}
    notebook = pairs.notebook(Path(__file__).resolve().parents[2] / "notebooks" / "free-energy.md")
    for mark in marks:
        (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and f"def {mark}(" in cell.source]
        exec(compile(cell.source, mark, "exec"), names)
    return names | {"cells": [cell for cell in notebook.cells if cell.cell_type == "code"]}


def potential(u, a, b):
    return a / 2 * u**2 + b / 4 * u**4


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def energy(u, labels, q=PRINTED, **options):
    """The energy of each sample."""
    return ginzburg_landau_density(u, labels, *q, **options).mean(1)


def laplacian(u, *axes):
    return sum(u.roll(shift, axis) for axis in axes for shift in (-1, 1)) - 2 * len(axes) * u


def test_eq_gl_wells():
    u = np.linspace(-3, 3, 60001)
    for a, b in ((-1.0, 1.0), (-0.4, 2.5), (1.0, 1.0)):
        f = potential(u, a, b)
        assert abs(u[f.argmin()]) == pytest.approx(math.sqrt(max(-a, 0) / b), abs=1e-4)
        assert f.min() == pytest.approx(-(a**2) / (4 * b) if a < 0 else 0, abs=1e-7)


def test_eq_gl_energy_and_flow():
    """On a lattice minus the gradient of F is the right-hand side, and a step along it lowers F by its square."""
    kappa, a, b, dt = 4.0, -1.0, 1.0, 1e-6
    u = random(24, 24).requires_grad_()

    def free_energy(u):
        slopes = (u.roll(-1, 0) - u).square() + (u.roll(-1, 1) - u).square()
        return (kappa / 2 * slopes + potential(u, a, b)).sum()

    before = free_energy(u)
    (up,) = torch.autograd.grad(before, u)
    velocity = kappa * laplacian(u.detach(), 0, 1) - a * u.detach() - b * u.detach() ** 3
    torch.testing.assert_close(velocity, -up)
    after = free_energy(u.detach() + dt * velocity)
    assert ((after - before) / dt).item() == pytest.approx(-velocity.square().sum().item(), rel=1e-3)


def test_eq_gl_wall():
    """The tanh at rest, its energy by quadrature, the lattice's correction, and a wall that has relaxed."""
    kappa = 7.0
    w = math.sqrt(2 * kappa)
    x = np.linspace(-3 * w, 3 * w, 2001)
    u = np.tanh(x / w)
    bend = -2 * u * (1 - u**2) / w**2
    assert kappa * bend == pytest.approx(u**3 - u, abs=1e-12)
    slope, _ = integrate.quad(lambda x: (math.cosh(x / w) ** -2 / w) ** 2, -20 * w, 20 * w)
    curve, _ = integrate.quad(lambda x: (2 * math.tanh(x / w) * math.cosh(x / w) ** -2 / w**2) ** 2, -20 * w, 20 * w)
    sigma = 2 * math.sqrt(2) / 3 * math.sqrt(kappa)
    assert [kappa * slope, 4 * kappa / (3 * w)] == pytest.approx([sigma] * 2)
    assert curve == pytest.approx(16 / (15 * w**3))
    assert -kappa / 24 * curve / sigma == pytest.approx(-1 / (60 * kappa))
    for kappa, within in ((4.0, 1e-4), (16.0, 1e-5)):
        half = round(12 * math.sqrt(2 * kappa))
        u = (torch.arange(-half, half, dtype=torch.float64) + 0.5).sign()
        dt = 1 / (2 * kappa + 1)
        for _ in range(round(40 / dt)):
            ring = torch.cat([-u[-1:], u, -u[:1]])
            u = u + dt * (kappa * (ring[2:] - 2 * u + ring[:-2]) + u - u**3)
        found = (kappa / 2 * u.diff().square().sum() + (1 - u**2).square().sum() / 4).item()
        assert found / (2 * math.sqrt(2 * kappa) / 3) - 1 == pytest.approx(-1 / (60 * kappa), abs=within)


@pytest.mark.parametrize("a", [-1.0, 0.25, 1.0])
def test_eq_gl_length(a):
    """The response to a small force at one site decays by e over the length, on the lattice exactly."""
    kappa, n = 4.0, 400
    well = math.sqrt(max(-a, 0))
    curvature = a + 3 * well**2
    assert curvature == (a if a > 0 else 2 * abs(a))
    matrix = torch.eye(n, dtype=torch.float64) * curvature - kappa * laplacian(torch.eye(n, dtype=torch.float64), 0)
    u = torch.linalg.solve(matrix, F.one_hot(torch.tensor(n // 2), n).double())
    xi = math.sqrt(kappa / curvature)
    rate = math.log(u[n // 2 + 3] / u[n // 2 + 4])
    assert 2 * kappa * (math.cosh(rate) - 1) == pytest.approx(curvature)
    assert rate == pytest.approx(2 * math.asinh(1 / (2 * xi)))
    assert 1 / rate == pytest.approx(xi, rel=0.03)


def test_a_heated_field_trembles_over_the_correlation_length():
    """Power of the modes against T/(a + kappa k²), fixed seed.

    Two comparisons within three standard errors: a false alarm of 0.3 % each.
    """
    kappa, a, temperature, rings, n = 4.0, 0.5, 1e-4, 64, 64
    torch.manual_seed(0)
    u = torch.nn.Parameter(torch.zeros(rings, n))
    optimizer = Langevin([u], 0.05, damping=0.2, temperature=temperature, scheme="gjf")
    power = []
    for step in range(900):
        u.grad = (a * u - kappa * laplacian(u, 1) + u**3).detach()
        optimizer.step()
        if step >= 300 and step % 60 == 0:  # relaxation takes 8 steps per mode at most
            power.append(torch.fft.rfft(u.detach()).abs().square() / n)
    power = torch.stack(power).flatten(0, 1)
    k = 2 - 2 * torch.cos(2 * math.pi * torch.arange(n // 2 + 1) / n)
    ratio = power * (a + kappa * k) / temperature
    for modes in (ratio[:, 1:4], ratio[:, 4:16]):
        assert abs(modes.mean() - 1) < 3 / math.sqrt(modes.numel())  # exponential law: sd = mean


def test_eq_gl_drop():
    """R² falls at the rate 2 kappa (1 - 1/20 kappa); without the lattice's correction it would be 1 % off."""
    kappa, radius, n = 4.0, 36, 96
    x = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
    u = torch.tanh((radius - torch.hypot(x[:, None], x)) / math.sqrt(2 * kappa))
    dt, squares = 0.05, []
    for step in range(1601):
        if step % 800 == 0:
            squares.append(((1 + u) / 2).sum().item() / math.pi)
        u = u + dt * (kappa * laplacian(u, 0, 1) + u - u**3)
    rate = (squares[1] - squares[2]) / (800 * dt)
    assert rate / (2 * kappa) == pytest.approx(1 - 1 / (20 * kappa), abs=3e-3)


def test_the_lattice_correction_of_the_drop():
    """Tension over inertia of a wall: with c the mean of cos⁴ + sin⁴, 1 - (c/6) ∫u''²/∫u'² = 1 - 1/(20 kappa)."""
    kappa = 5.0
    w = math.sqrt(2 * kappa)
    angle = np.linspace(0, 2 * math.pi, 1000, endpoint=False)
    c = (np.cos(angle) ** 4 + np.sin(angle) ** 4).mean()
    assert 1 - c / 6 * (16 / (15 * w**3)) / (4 / (3 * w)) == pytest.approx(1 - 1 / (20 * kappa))


def test_eq_gl_coarsening():
    """The splitting's two halves are exact flows, and it loses walls as the law says, within the spread of fields."""
    kappa, size, dt = 4.0, 160, 0.5
    k = 2 - 2 * torch.cos(2 * math.pi * torch.arange(size) / size)
    heat, grow = torch.exp(-kappa * dt * (k[:, None] + k[: size // 2 + 1])), math.exp(dt)

    def fall(u):
        return grow * u / (1 + (grow**2 - 1) * u * u).sqrt()

    start = torch.tensor([-1.3, -0.2, 0.01, 0.9], dtype=torch.float64)
    exact = integrate.solve_ivp(lambda _, u: u - u**3, (0, dt), start.numpy(), rtol=1e-10, atol=1e-12).y[:, -1]
    torch.testing.assert_close(fall(start), torch.from_numpy(exact), rtol=1e-8, atol=0)
    wave = torch.cos(2 * math.pi * 3 * torch.arange(size) / size).expand(size, size)
    spread = torch.fft.irfft2(torch.fft.rfft2(wave) * heat, s=(size, size))
    torch.testing.assert_close(spread, wave * math.exp(-kappa * dt * k[3]), rtol=0, atol=1e-5)

    u, squares = 0.1 * random(4, size, size, seed=1).float(), {}
    for step in range(1, 81):
        u = fall(torch.fft.irfft2(torch.fft.rfft2(u) * heat, s=(size, size)))
        if step in (32, 56, 80):
            slope = (u.roll(1, 1) - u).square() + (u.roll(1, 2) - u).square()
            excess = (kappa / 2 * slope + (1 - u * u).square() / 4).mean()
            squares[step] = (2 * math.sqrt(2 * kappa) / 3 / excess).item() ** 2
    assert (squares[80] - squares[32]) / (squares[56] - squares[32]) == pytest.approx(2, rel=0.2)


def test_eq_gl_nucleus():
    """In a field that favours one well by 2h, a drop of it grows beyond R* = sigma / 2h, and a smaller one vanishes."""
    kappa, h, n, dt = 4.0, 0.04, 96, 0.05
    critical = 2 * math.sqrt(2) / 3 * math.sqrt(kappa) / (2 * h)
    x = torch.arange(n, dtype=torch.float32) - (n - 1) / 2
    for factor, grows in ((0.85, False), (1.15, True)):
        u = torch.tanh((factor * critical - torch.hypot(x[:, None], x)) / math.sqrt(2 * kappa))
        areas = []
        for step in range(801):
            if step in (200, 800):
                areas.append((u > 0).sum().item())
            u = u + dt * (kappa * laplacian(u, 0, 1) + u - u**3 + h)
        assert (areas[1] > areas[0]) == grows


def test_even_and_odd_classes_meet_at_the_ends_or_nowhere(page):
    wanted = {"periodic": (2, 1), "zero": (2, 2), "replicate": (1, 1), "one-sided": (1, 1)}
    assert {rule: (page["sets"](10, rule), page["sets"](9, rule)) for rule in BOUNDARIES} == wanted


def test_stable_states_are_counted_three_ways(page):
    """Of the energy of one deviation 1, with bars 3, in the box 2 for the label's class and 3 for others."""
    assert list(page["counts"].values()) == [1, 3, 2, 3]
    assert page["glued"]["count-flat"] == f"{2 * 3 ** (C - 1):,}"
    corners = np.array(list(itertools.product((-1, 0, 1), repeat=C - 1)))
    assert page["glued"]["count-flat-right"] == (corners < 1).all(1).sum()  # the label at one, nobody else
    assert page["glued"]["count-spatial"] == f"{len(page['held'](True, QS)) * len(page['held'](False, QS)):,}"
    assert page["glued"]["count-spatial-right"] == 0


@pytest.mark.parametrize("has_label", [True, False])
def test_stable_states_in_the_box_are_those_that_descents_find(page, has_label):
    """With the package's energy: each counted state holds against small shifts, and random starts find no other."""
    own, label = torch.from_numpy(page["held"](has_label, QS)).double(), 0 if has_label else 1
    generator = torch.Generator().manual_seed(0)
    shifted = own + 1e-3 * torch.randn(own.shape, dtype=torch.float64, generator=generator)
    u = torch.cat([shifted, 2 * torch.rand(400, C // 2, dtype=torch.float64, generator=generator) - 1]).clamp(-1, 1)
    for _ in range(1500):
        u.requires_grad_()
        field = F.pad(u[:, :, None], (0, 1)).flatten(1)  # even classes: these; odd ones: zero, whom they never meet
        field = torch.cat([field, torch.full((1, C), 1 + 1e-9, dtype=u.dtype)])  # one has the maximum, alone
        energies = energy(field, torch.full((len(field),), label))[:-1]
        (up,) = torch.autograd.grad(energies.sum(), u)
        u = (u.detach() - 2.0 * up).clamp(-1, 1)
    assert (u[: len(own)] - own).abs().max() < 0.01
    assert torch.cdist(u[len(own) :], own).amin(1).max() < 0.05


def test_eq_gl_dimple():
    d = np.linspace(0, 0.1, 200001)
    e = Q2 * d**2 + Q4 * d**4
    assert d[e.argmax()] == pytest.approx(math.sqrt(Q2 / (2 * -Q4)), abs=1e-6)
    assert e.max() == pytest.approx(Q2**2 / (4 * -Q4), rel=1e-9)
    assert d[e > 0].max() == pytest.approx(math.sqrt(Q2 / -Q4), abs=1e-6)
    assert math.sqrt(Q2 / (2 * -Q4)) == pytest.approx(0.0187, abs=5e-5) and e.max() == pytest.approx(6.1e-7, rel=0.01)


@pytest.mark.parametrize("q2", [1.0, 6.2, 6.3, 8.2, 8.4])
def test_eq_gl_sextic(q2):
    q4, q6 = -5.0, 1.0
    d = np.linspace(0, 3, 300001)
    e = q2 * d**2 + q4 * d**4 + q6 * d**6
    outer = [i for i in range(1, len(d) - 1) if e[i] < e[i - 1] and e[i] < e[i + 1]]
    assert bool(outer) == (q4**2 > 3 * q2 * q6)
    if outer:
        assert (e[outer[0]] < 0) == (q4**2 > 4 * q2 * q6)
    coexisting = q4**2 / (4 * q6)
    assert (coexisting * d**2 + q4 * d**4 + q6 * d**6).min() == pytest.approx(0, abs=1e-8)


def test_eq_gl_range():
    """No output has less energy than the bound, and the constant -1 has that much."""
    bound = ((4 * Q2 + 16 * Q4) + (C - 1) * (Q2 + Q4)) / C
    assert bound == pytest.approx(-12.495, abs=1e-3)
    labels = torch.arange(C)
    for boundary in BOUNDARIES:
        u = random(2000, C).sign() * random(2000, C, seed=1).abs().clamp(max=1)
        assert (energy(u, torch.arange(2000) % C, norm="sample", boundary=boundary) >= bound).all()
        flat = energy(-torch.ones(C, C, dtype=torch.float64), labels, boundary=boundary)
        if boundary != "zero":
            torch.testing.assert_close(flat, torch.full_like(flat, bound))
    striped = (-1.0) ** torch.arange(C).double()
    striped = torch.stack([-striped * striped[k] for k in range(C)])  # -1 at the label
    torch.testing.assert_close(energy(striped, labels), torch.full_like(striped[0], bound))


def test_eq_gl_pair():
    """The energy of two classes, two places apart, as the package computes it; the batch's maximum elsewhere."""
    p, r = random(40, seed=2).clamp(-1, 1), random(40, seed=3).clamp(-1, 1)
    for q in (PRINTED, (Q2, -Q4, 3.0)):
        u = torch.zeros(41, C, dtype=torch.float64)
        u[:40, 4], u[:40, 6], u[40] = p, r, 1.0
        found = energy(u, torch.full((41,), 4), q)[:40]
        d2, d4 = (p - 1) ** 2 + r**2, (p - 1) ** 4 + r**4
        torch.testing.assert_close(found, (q[0] * d2 + q[1] * d4 + q[2] / 4 * (p**2 + r**2 + (p - r) ** 2)) / C)


def test_eq_gl_share():
    """Of 40,000 one-hot answers that share is wrong, and the loss is zero up to one answer."""
    n = 40_000
    wrong = round(QS / (4 * abs(Q2 + Q4)) * n)
    labels = torch.arange(n) % C
    given = labels.clone()
    given[:wrong] = (given[:wrong] + 5) % C  # none of its neighbours is shared
    loss = ginzburg_landau_loss(F.one_hot(given, C).double(), labels)
    assert loss < 1.1 * 2 * abs(Q2 + Q4) / C / n
    assert wrong / n == pytest.approx(0.025, abs=1e-3)


def test_the_largest_share_of_wrong_answers_is_that_of_a_linear_program(page):
    """Shares s_c in [0, 1] of every class, the mean energy zero; and the closed form where classes are alike."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        up, down = rng.uniform(0.01, 0.3, C), -rng.uniform(0.01, 0.4, C)
        program = optimize.linprog(-np.ones(C) / C, A_eq=[down - up], b_eq=[-up.sum()], bounds=[(0, 1)] * C)
        found = page["most_wrong"](torch.from_numpy(up), torch.from_numpy(down))
        assert found == pytest.approx(-program.fun, rel=1e-9)
        assert found >= up.mean() / (up.mean() - down.mean()) - 1e-12
    alike = torch.full((C,), 0.04, dtype=torch.float64)
    assert page["most_wrong"](alike, -alike / 2) == pytest.approx(2 / 3)
    assert page["most_wrong"](alike, alike) == 1.0


def test_a_batch_of_zero_loss_that_is_mostly_wrong():
    """Two kinds of outputs found by the chapter's search, to two digits: more than half wrong, at zero loss."""
    right = torch.tensor([1, -0.22, -0.28, 0.22, 0.18, -0.17, 0.18, -0.17, -0.28, 0.22], dtype=torch.float64)
    wrong = torch.tensor([0.52, 0.17, -0.25, 0.17, 0.17, -0.25, 0.17, 0.53, -0.25, -0.25], dtype=torch.float64)
    label = torch.zeros(2, dtype=torch.long)
    up, down = energy(torch.stack([right, wrong]), label).tolist()
    assert up > 0.04 and -0.04 < down < 0
    share = up / (up - down)
    n = 10_000
    batch = torch.cat([right.expand(n - round(share * n), C), wrong.expand(round(share * n), C)])
    labels = torch.zeros(n, dtype=torch.long)
    assert ginzburg_landau_loss(batch, labels) < 1e-5
    assert (batch.argmax(1) != 0).double().mean() > 0.5


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_eq_gl_when(low):
    """Without the spatial term: on a fine grid of one class's outputs, at either side of the threshold."""
    threshold = 4 * abs(Q4) if low < 0 else abs(Q4)
    u = np.linspace(low, 1, 20001)
    for q2, right in ((1.01 * threshold, True), (0.99 * threshold, False)):
        best = [u[(q2 * (u - y) ** 2 + Q4 * (u - y) ** 4).argmin()] for y in (1, 0)]
        assert (best == [1, pytest.approx(0, abs=1e-9)]) == right


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ratio", [0.1, 1.0, 30.0, QS / Q2])
def test_eq_gl_green(boundary, ratio):
    """The minimizer of the quadratic energy, right under every rule; normalized by sample, the same over its peak."""
    d = difference(torch.eye(C, dtype=torch.float64), 0, boundary)
    product = d.T @ d
    assert (product - torch.diag(product.diagonal()) <= 0).all() and (product.sum(1) >= -1e-15).all()
    green = torch.linalg.inv(torch.eye(C) + ratio * product)
    assert (green > -1e-14).all()
    assert (green.amax(0) - green.diagonal() < 1e-14).all()

    def cost(u):  # a row for each label
        return ((u - torch.eye(C)).square() + ratio * (u @ d.T).square()).sum(1)

    assert (cost(green.T + 1e-3 * random(C, C)) > cost(green.T)).all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0, QS / Q2])
def test_eq_gl_raise(boundary, ratio):
    """The price of raising class j to one, for label k; who is cheapest; and that the state so found is normalized."""
    d = difference(torch.eye(C, dtype=torch.float64), 0, boundary)
    green = torch.linalg.inv(torch.eye(C) + ratio * d.T @ d)
    price = (1 - green).square() / green.diagonal()[:, None]  # j, k; -1 costs more, as G is not negative

    def cost(u, k):
        return (u - F.one_hot(torch.tensor(k), C)).square().sum() + ratio * (d @ u).square().sum()

    lost = 0
    for k in range(C):
        for j in range(C):
            state = green[k] + (1 - green[j, k]) * green[j] / green[j, j]
            assert (cost(state, k) - cost(green[k], k)).item() == pytest.approx(price[j, k].item(), abs=1e-12)
        best = int(price[:, k].argmin())
        state = green[k] + (1 - green[best, k]) * green[best] / green[best, best]
        assert state.abs().max() == pytest.approx(1) and int(state.argmax()) == best
        if best == k:
            torch.testing.assert_close(state, green[k] / green[k, k])
        lost += best != k
    assert lost == {"zero": {0.1: 0, 1.0: 0, 10.0: 4}.get(ratio, 8)}.get(boundary, 0)


def test_a_label_of_the_quadratic_energy_reaches_only_every_other_class():
    d = difference(torch.eye(C, dtype=torch.float64), 0, "periodic")
    column = torch.linalg.inv(torch.eye(C) + 3 * d.T @ d)[4]
    assert column[1::2].abs().max() < 1e-15 and column[0::2].min() > 0


@pytest.mark.parametrize("norm", ["batch", "sample"])
def test_eq_gl_orthogonal(norm):
    x, labels = random(32, 20), torch.arange(32) % C
    w = random(C, 20, seed=1).requires_grad_()
    (g,) = torch.autograd.grad(ginzburg_landau_loss(x @ w.T, labels, norm=norm), w)
    assert abs((w * g).sum()) < 1e-13 * w.norm() * g.norm()


def descend(w, lr, steps=60):
    """Gradient descent on a linear map; return the squared norms, the gradients' on the sphere, and the losses."""
    x, labels = random(64, 20), torch.arange(64) % C
    norms, sphere, losses = [w.square().sum()], [], []
    for _ in range(steps):
        w = w.detach().requires_grad_()
        loss = ginzburg_landau_loss(x @ w.T, labels)
        (g,) = torch.autograd.grad(loss, w)
        sphere.append(norms[-1] * g.square().sum())
        w = w - lr * g
        norms.append(w.detach().square().sum())
        losses.append(loss.detach())
    return torch.stack(norms), torch.stack(sphere), torch.stack(losses)


@pytest.mark.parametrize("lr", [0.01, 1.0, 100.0])
def test_eq_gl_grows_and_eq_gl_bound(lr):
    norms, sphere, losses = descend(random(C, 20, seed=1) / 5, lr)
    torch.testing.assert_close(norms[1:], norms[:-1] + lr**2 * sphere / norms[:-1])
    effective = lr / norms[1:]
    assert (effective <= lr / norms[0]).all()
    assert (effective <= (2 * sphere.cumsum(0)).rsqrt()).all()
    _, _, same = descend(3 * random(C, 20, seed=1) / 5, 9 * lr)  # the direction takes the same path
    torch.testing.assert_close(same, losses, rtol=1e-6, atol=1e-9)


def test_eq_gl_frozen():
    norms, sphere, _ = descend(random(C, 20, seed=1) / 5, 3000.0)
    assert 3000 / norms[1] == pytest.approx((norms[0] / (3000 * sphere[0])).item(), rel=1e-3)
    assert norms[-1] < 1.05 * norms[1]


def test_eq_gl_gibbs_and_eq_gl_radius():
    """One step after another, with a fixed seed. The law of r² is chi² with P degrees of freedom whatever the loss is.

    40 chains, read 6 relaxation times apart; Kolmogorov-Smirnov at 0.1 % false alarms. Without decay r² grows by
    2 alpha T P / gamma a step, within four standard errors (less than 0.01 %).
    """
    chains, classes, pixels, temperature, alpha, damping, decay = 40, 4, 5, 0.1, 0.05, 0.5, 1.0
    dimension = classes * pixels
    torch.manual_seed(0)
    x, y = torch.randn(16, pixels), F.one_hot(torch.arange(16) % classes, classes).float()
    free, bound = (torch.nn.Parameter(torch.randn(chains, classes, pixels) * 0.3) for _ in range(2))
    groups = [{"params": [free]}, {"params": [bound], "weight_decay": decay}]
    optimizer = Langevin(groups, alpha, damping=damping, temperature=temperature, scheme="gjf")
    radius, start = [], free.detach().square().sum((1, 2))
    for step in range(600):
        phi = x @ torch.cat([free, bound]).mT
        density = ginzburg_landau_density(phi, y.expand_as(phi), *PRINTED, norm="sample")
        optimizer.zero_grad()
        density.mean((1, 2)).abs().sum().backward()
        optimizer.step()
        if step % 60 == 59 and step > 100:
            radius.append(bound.detach().square().sum((1, 2)) * decay / temperature)
    assert stats.kstest(torch.cat(radius).numpy(), stats.chi2(dimension).cdf).pvalue > 1e-3
    grown = free.detach().square().sum((1, 2)) - start
    expected = 2 * alpha * temperature * dimension / damping * 600
    assert abs(grown.mean() - expected) < 4 * grown.std() / math.sqrt(chains) + 2 * expected / 600


def test_eq_gl_polar():
    """Itô's rule: the generator T laplacian - (grad L + decay W) grad, on r² and on every component of W/r."""
    weights, temperature, decay = 5, 0.7, 0.3
    w, force = random(weights), random(weights, weights, seed=1)

    def loss(w):
        return w @ force @ w / w.square().sum()

    def generator(f):
        drift = torch.func.grad(loss)(w) + decay * w
        return temperature * torch.trace(torch.func.hessian(f)(w)) - torch.func.grad(f)(w) @ drift

    square, omega = w.square().sum(), w / w.norm()
    found = generator(lambda w: w.square().sum())
    torch.testing.assert_close(found, 2 * weights * temperature - 2 * decay * square)
    on_sphere = torch.func.grad(loss)(omega)
    assert abs(on_sphere @ omega) < 1e-12
    for i in range(weights):
        expected = -(on_sphere[i] + (weights - 1) * temperature * omega[i]) / square
        torch.testing.assert_close(generator(lambda w, i=i: w[i] / w.norm()), expected)
        across = torch.func.grad(lambda w, i=i: w[i] / w.norm())(w)
        assert abs(across @ w) < 1e-12  # the noise of the direction is independent of that of the radius
        torch.testing.assert_close(across.square().sum(), (1 - omega[i] ** 2) / square)


@pytest.mark.parametrize("decay", [0.0, 0.4])
def test_eq_gl_clock(decay):
    """Brownian motion of 12 weights by its exact steps: the mean of the clock within 4 standard errors (6e-5 each)."""
    weights, walkers, temperature = 12, 4000, 0.5
    rng = np.random.default_rng(0)
    times = np.geomspace(100, 10_000, 400) if decay == 0 else np.linspace(0, 40, 800)
    start = 2 * temperature * times[0] if decay == 0 else temperature / decay  # long after, or at rest
    w, inverse = math.sqrt(start) * rng.normal(size=(walkers, weights)), []
    for dt in np.diff(times, append=times[-1]):
        inverse.append(1 / (w**2).sum(1))
        keep = math.exp(-decay * dt)
        spread = 2 * temperature * dt if decay == 0 else temperature / decay * (1 - keep**2)
        w = keep * w + math.sqrt(spread) * rng.normal(size=w.shape)
    clock = integrate.trapezoid(np.array(inverse).T, times)
    if decay:
        expected = decay * 40 / ((weights - 2) * temperature)
    else:
        expected = math.log(100) / (2 * (weights - 2) * temperature)
    assert clock.mean() == pytest.approx(expected, abs=4 * clock.std() / math.sqrt(walkers))


def sphere_walk(page, start, lr, decay, moves, seed, hot=4.0):
    """Walk from rows of ``start`` on the page's loss of three classes; return the weights."""
    W = torch.nn.Parameter(start.clone())
    noise = torch.Generator().manual_seed(seed)
    optimizer = Langevin([W], lr, damping=0.5, temperature=hot, weight_decay=decay, scheme="gjf", generator=noise)
    for _ in range(moves):
        optimizer.zero_grad()
        page["sphere_loss"](W).sum().backward()
        optimizer.step()
    return W.detach()


def far_from_the_law(page, W):
    """Return the p-values of the losses (Kolmogorov-Smirnov) and of the answers (chi-square) under eq-gl-direction."""
    law, level = page["law"], page["level"]
    order = level.argsort()
    grid, share = level[order].numpy(), law[order].cumsum(0).numpy()
    losses = stats.kstest(page["sphere_loss"](W).double().numpy(), lambda x: np.interp(x, grid, share))
    classes = torch.bincount(page["everywhere"].argmax(1), law, minlength=3).numpy()
    counts = torch.bincount(W.argmax(1), minlength=3).numpy()
    return losses.pvalue, stats.chisquare(counts, len(W) * classes / classes.sum()).pvalue


def test_eq_gl_direction_is_stationary_without_decay_and_reached_with_it(page):
    """On the sphere of three weights, 4000 walkers; four p-values above 2.5e-4, so that the false alarms are 1e-3.

    Without decay the walkers start in the law, at a radius of 3, and r² grows seventyfold. With it they start at the
    worst answer. Directions drawn at random are told from the law, and so are walkers whose steps are too large.
    """
    walkers, hot, decay = 4000, 4.0, 0.4
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(page["law"], walkers, replacement=True, generator=generator)
    free = sphere_walk(page, 3 * page["everywhere"][drawn], 0.02, 0.0, 700, seed=1)
    assert free.square().sum(1).mean() == pytest.approx(9 + 2 * 3 * hot * 0.04 * 700, rel=0.06)
    assert min(far_from_the_law(page, free)) > 2.5e-4
    worst = torch.tensor([-3.0, 3.0, 3.0]).div(math.sqrt(3)).repeat(walkers, 1)
    bound = sphere_walk(page, worst, 0.004, decay, 1000, seed=2)
    assert min(far_from_the_law(page, bound)) > 2.5e-4
    assert max(far_from_the_law(page, torch.randn(walkers, 3, generator=generator))) < 1e-9
    coarse = sphere_walk(page, worst, 4.0, 0.08, 200, seed=3)  # 200 times the page's learning rate
    assert min(far_from_the_law(page, coarse)) < 1e-9


def test_metropolis_has_the_law_of_the_direction(page):
    """On the same sphere, 4000 walkers from random directions: Kolmogorov-Smirnov at 0.1 % false alarms."""
    (cell,) = [cell for cell in page["cells"] if "def metropolis(" in cell.source]
    names = page | {"X": torch.ones(1, 1), "C": 3, "T": 4.0, "moves": 3, "stats": page_stats, "losses": (
        lambda W, rows: page["sphere_loss"](W.flatten(1))
    )}  # fmt: skip
    exec(compile(cell.source, "metropolis", "exec"), names)
    losses = names["metropolis"](120, walkers=4000, b=0.5)[-1].astype(float)
    order = page["level"].argsort()
    grid, share = page["level"][order].numpy(), page["law"][order].cumsum(0).numpy()
    assert stats.kstest(losses, lambda x: np.interp(x, grid, share)).pvalue > 1e-3


def test_by_the_clock_the_road_to_the_law_is_the_same(page):
    """Right answers of 1500 walkers each, without and with decay, at three marks: within 4 standard errors (6e-5)."""
    torch.manual_seed(0)
    _, right, clock = page["roam"](0.01, [0.0, 0.08], 500, walkers=1500)
    free, bound = (page["by_clock"](right[:, i], clock[:, i]) for i in range(2))
    for mark in (7, 11, 15):
        first, second = free[mark][~np.isnan(free[mark])], bound[mark][~np.isnan(bound[mark])]
        error = math.sqrt(first.var() / len(first) + second.var() / len(second))
        assert len(first) > 1000 and abs(first.mean() - second.mean()) < 4 * error
    by_step = right[-1].mean(1)
    assert by_step[1] - by_step[0] > 0.03  # by the step they part


def test_a_stack_normalized_by_sample_is_a_batch_for_each():
    """What the chapter trains side by side is the printed loss of every run alone."""
    phi, labels = random(3, 8, C), torch.arange(8) % C
    stacked = ginzburg_landau_density(phi, F.one_hot(labels, C).double().expand_as(phi), *PRINTED, norm="sample")
    # A stack of fields is differentiated along its last axis, the classes.
    alone = torch.stack([ginzburg_landau_loss(run, labels) for run in phi])
    torch.testing.assert_close(stacked.mean((1, 2)).abs(), alone)
