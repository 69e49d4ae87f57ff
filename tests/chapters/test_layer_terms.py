"""The equations of the chapter on the layer's parts, each by its label."""

import math

import pytest
import torch
import torch.nn.functional as F

from physnn import DynamicLinear, dynamic_linear, ginzburg_landau_loss

N, M, BATCH = 12, 10, 40
LOSSES = {"cross-entropy": F.cross_entropy, "post's loss": ginzburg_landau_loss}


def case(seed=0):
    """Random images in [0, 1], weights, the index and labels, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(BATCH, N, dtype=torch.float64, generator=generator)
    weight = torch.randn(M, N, dtype=torch.float64, generator=generator)
    return x, weight, torch.arange(N, dtype=torch.float64), torch.randint(M, (BATCH,), generator=generator)


def scalar(value):
    return torch.tensor(value, dtype=torch.float64)


def slope(loss, weight, features, labels):
    weight = weight.clone().requires_grad_()
    return torch.autograd.grad(loss(features @ weight.T, labels), weight)[0]


def test_eq_lt_parts():
    x, weight, a, _ = case()
    beta, t = scalar(0.21), scalar(1.3)
    tau = t * torch.sigmoid(x.mean(1, keepdim=True))
    phi = ((a * torch.cosh(5 * beta) + tau * torch.sinh(5 * beta)) * x) @ weight.T
    torch.testing.assert_close(dynamic_linear(x, weight, beta, t), phi)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_eq_lt_rate(loss):
    """A step on W0 behind a = s â, at rate alpha, is a step on W = s W0 behind â at rate alpha s²."""
    x, weight, a, labels = case()
    s2 = a.square().mean()
    assert s2.item() == pytest.approx((N - 1) * (2 * N - 1) / 6)
    s, alpha = s2.sqrt(), 1e-3
    before = s * weight
    after = s * (weight - alpha * slope(loss, weight, a * x, labels))
    torch.testing.assert_close(after - before, -alpha * s2 * slope(loss, before, a / s * x, labels))


def test_eq_lt_invariant():
    """For the post's loss the gradient has degree -1, and W0 sees the same function whatever s is."""
    x, weight, a, labels = case()
    loss = ginzburg_landau_loss
    for c in (0.1, 7.0, 452.0):
        torch.testing.assert_close(slope(loss, c * weight, a * x, labels), slope(loss, weight, a * x, labels) / c)
        torch.testing.assert_close(slope(loss, weight, c * a * x, labels), slope(loss, weight, a * x, labels))
    several = slope(F.cross_entropy, weight, 7 * a * x, labels)  # and for cross-entropy neither is so
    assert not torch.allclose(several, slope(F.cross_entropy, weight, a * x, labels), rtol=0.1)


def test_eq_lt_forget():
    """At rates in proportion to 1/s², a step of cross-entropy moves W equally far where the errors are the same."""
    x, weight, a, labels = case()
    s = a.square().mean().sqrt()
    errors = torch.softmax(weight @ torch.ones(N, dtype=torch.float64), 0) - F.one_hot(labels, M)
    printed = errors.T @ (a * x) / BATCH  # by W0
    divided = errors.T @ (a / s * x) / BATCH
    torch.testing.assert_close(s * printed / s**2, divided)  # W = s W0, rate / s²
    torch.manual_seed(0)
    layer = DynamicLinear(2000, 50)
    start = (layer.position.double().square().mean().sqrt() * layer.weight).std().item()
    torch.manual_seed(0)
    plain = DynamicLinear(2000, 50, position="ones").weight.std().item()
    assert start / plain == pytest.approx(math.sqrt(1999 * 3999 / 6), rel=1e-5)


def test_eq_lt_bounded():
    """|dCE/dW0| <= sqrt(2) max|g x| whatever the weights; the gradient by beta grows with them."""
    x, weight, a, labels = case()
    beta, t = scalar(0.1), scalar(1.0)
    tau = t * torch.sigmoid(x.mean(1, keepdim=True))
    g = a * torch.cosh(5 * beta) + tau * torch.sinh(5 * beta)
    bound = math.sqrt(2) * (g * x).norm(dim=1).max()
    for size in (1.0, 1e3, 1e6):
        assert slope(F.cross_entropy, size * weight, g * x, labels).norm() <= bound
    found = torch.func.jacfwd(lambda beta: dynamic_linear(x, weight, beta, t))(beta)
    turned = (a * torch.sinh(5 * beta) + tau * torch.cosh(5 * beta)) * x
    torch.testing.assert_close(found, 5 * turned @ weight.T)

    def by_beta(size):
        return torch.func.grad(lambda beta: F.cross_entropy(dynamic_linear(x, size * weight, beta, t), labels))(beta)

    assert abs(by_beta(1e4)) > 50 * abs(by_beta(1e2)) > 0


def test_without_training_beta_and_t_one_layer_on_cross_entropy_stays_below_its_bound():
    """With velocity kept by 0.9, weights grow at most by alpha times the bound over 0.1 in a step, at any rate."""
    x, weight, a, labels = case()
    g = a * math.cosh(0.5)
    bound = math.sqrt(2) * (g * x).norm(dim=1).max() / 0.1
    start, velocity, alpha = weight, torch.zeros_like(weight), 100.0
    for step in range(1, 200):
        velocity = 0.9 * velocity - alpha * slope(F.cross_entropy, weight, g * x, labels)
        weight = weight + velocity
        assert (weight - start).norm() <= step * alpha * bound


def test_eq_lt_share():
    """What images move of the factors: the standard deviation of g, the same for every pixel, over its rms."""
    x, _, a, _ = case()
    t = 1.7
    sigma = torch.sigmoid(x.mean(1))
    g = a * math.cosh(0.5) + t * sigma[:, None] * math.sinh(0.5)
    expected = math.sinh(0.5) * t * sigma.std()
    torch.testing.assert_close(g.std(0), expected.expand(N))


def test_eq_lt_none():
    x, weight, _, _ = case()
    beta, t = scalar(0.2), scalar(1.4)
    phi = dynamic_linear(x, weight, beta, t, position=torch.zeros(N))
    number = t * torch.sigmoid(x.mean(1, keepdim=True)) * torch.sinh(5 * beta)
    torch.testing.assert_close(phi, number * (x @ weight.T))
    assert (number > 0).all()
    assert torch.equal(phi.argmax(1), (x @ weight.T).argmax(1))
