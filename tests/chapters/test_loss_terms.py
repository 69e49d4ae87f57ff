"""The equations of the chapter on the loss's terms, each by its label."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from physnn import ginzburg_landau_density, ginzburg_landau_loss
from physnn.loss import BOUNDARIES

Q2, Q4, QS = 0.0035, -5.0, 0.5


def energy(phi, labels, *coefficients, **options):
    return ginzburg_landau_loss(phi, labels, *coefficients, **options, outer="none")


def random_batch(batch=64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    phi = torch.randn(batch, 10, dtype=torch.float64, generator=generator)
    return phi, torch.randint(10, (batch,), generator=generator)


def test_eq_terms():
    """The energy is the sum of its three terms, with u, d and the difference as they are said to be."""
    phi, labels = random_batch()
    u = phi / phi.abs().max()
    d = u - F.one_hot(labels, 10)
    difference = (u.roll(-1, 1) - u.roll(1, 1)) / 2
    terms = Q2 * d.square().mean(), Q4 * d.pow(4).mean(), QS * difference.square().mean()
    alone = [(Q2, 0.0, 0.0), (0.0, Q4, 0.0), (0.0, 0.0, QS)]
    for term, coefficients in zip(terms, alone, strict=True):
        torch.testing.assert_close(ginzburg_landau_density(phi, labels, *coefficients).mean(), term)
    torch.testing.assert_close(energy(phi, labels), sum(terms))


def test_energy_of_small_outputs():
    """(q2 + q4)/10 at zero; one large output in a large batch leaves the rest near zero."""
    phi, labels = torch.zeros(500, 10, dtype=torch.float64), torch.arange(500) % 10
    assert energy(phi, labels).item() == pytest.approx((Q2 + Q4) / 10)
    phi[0, 0] = 1.0
    assert energy(phi, labels).item() == pytest.approx((Q2 + Q4) / 10, abs=2e-3)


def test_eq_flipped():
    """Where the energy is negative, descending the loss is climbing the energy."""
    phi, labels = random_batch()
    phi.requires_grad_()
    value = energy(phi, labels)
    assert value < 0
    up = torch.autograd.grad(value, phi)[0]
    loss = torch.autograd.grad(ginzburg_landau_loss(phi, labels), phi)[0]
    torch.testing.assert_close(loss, -up)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_eq_right(boundary):
    """q_s/20 with the periodic rule; the other rules treat the classes at the ends in their own way."""
    labels = torch.arange(10)
    expected = {
        "periodic": [0.5] * 10,
        "zero": [0.25, *[0.5] * 8, 0.25],
        "replicate": [0.5] * 10,
        "one-sided": [1.25, 1.25, *[0.5] * 6, 1.25, 1.25],
    }[boundary]
    for label in range(10):
        right = F.one_hot(labels[label : label + 1], 10).double()
        found = energy(7.3 * right, labels[label : label + 1], boundary=boundary).item()
        assert found == pytest.approx(QS * expected[label] / 10)
    if boundary == "periodic":
        assert found == pytest.approx(QS / 20)


def test_eq_zero_set():
    """Between small outputs and the right answer lies a zero, where the three terms balance and the loss has a kink."""
    noise, labels = random_batch(seed=1)
    right = F.one_hot(labels, 10).double()

    def at(s):
        return (1 - s) * 0.1 * noise + s * right

    low, high = 0.0, 1.0
    assert energy(at(low), labels) < 0 < energy(at(high), labels)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if energy(at(middle), labels) < 0 else (low, middle)
    quadratic, quartic, spatial = (
        ginzburg_landau_density(at(high), labels, *one).mean().item() for one in torch.eye(3).tolist()
    )
    assert 5 * quartic == pytest.approx(0.5 * spatial + 0.0035 * quadratic, rel=1e-9)
    here, aside = (ginzburg_landau_loss(at(s), labels).item() for s in (high, high + 1e-4))
    before = ginzburg_landau_loss(at(high - 1e-4), labels).item()
    assert here < 1e-12 < min(before, aside)


def test_one_class_that_is_off_by_a_half_is_at_the_zero():
    """5 d^4 / 10 = 0.5 * 0.05 at d = 0.05^(1/4), the chapter's example."""
    assert 5 * (0.05**0.25) ** 4 / 10 == pytest.approx(0.5 * 0.05)
    assert 0.05**0.25 == pytest.approx(0.47, abs=0.005)


def test_without_the_quartic_term_a_label_is_felt_over_twelve_classes():
    """On a long chain the minimizer of q2 d^2 + q_s |du|^2 falls by e in 1/asinh(sqrt(q2/q_s)), near sqrt(q_s/q2)."""
    size = 801
    identity = torch.eye(size, dtype=torch.float64)
    difference = (identity.roll(-1, 1) - identity.roll(1, 1)) / 2
    u = torch.linalg.solve(Q2 * identity + QS * difference.T @ difference, Q2 * identity[size // 2])
    rates = [2 / math.log(u[size // 2 + i] / u[size // 2 + i + 2]) for i in (2, 20, 60)]
    assert rates == pytest.approx([1 / math.asinh(math.sqrt(Q2 / QS))] * 3, rel=1e-6)
    assert rates[0] == pytest.approx(math.sqrt(QS / Q2), rel=2e-3) and round(rates[0]) == 12


def test_without_the_bars_the_energy_is_least_where_the_label_is_wrong():
    """Over all outputs made of -1, 0 and 1, for every label, the minimizer of E has u = -1 at the label."""
    corners = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=10)), dtype=torch.float64)
    corners = corners[corners.any(1)]
    for label in range(10):
        labels = torch.full((len(corners),), label)
        energies = ginzburg_landau_density(corners, labels, norm="sample").mean(1)
        assert corners[energies.argmin(), label] == -1


def test_a_quadratic_term_as_large_as_the_quartic_one_cancels_it_at_zero_outputs():
    phi, labels = torch.zeros(3, 10, dtype=torch.float64), torch.tensor([0, 4, 9])
    assert energy(phi, labels, 5.0, -5.0, 0.5).item() == 0.0
