"""The equations of the chapter on dynamic weights, each by its label."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn

from physnn import DynamicLinear, dynamic_linear, ginzburg_landau_loss

N, M, BATCH = 12, 10, 40


def case(seed=0, n=N):
    """Random images in [0, 1], weights, the index and labels, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(BATCH, n, dtype=torch.float64, generator=generator)
    weight = torch.randn(M, n, dtype=torch.float64, generator=generator)
    return x, weight, torch.arange(n, dtype=torch.float64), torch.randint(M, (BATCH,), generator=generator)


def scalars(*values):
    return [torch.tensor(value, dtype=torch.float64) for value in values]


def test_eq_bracket_and_eq_two_matrices():
    """W(x) = A + tau B, on a line through A along B that misses B, gives the outputs; W minus its mean has rank one."""
    x, weight, a, _ = case()
    beta, t = scalars(0.3, 1.7)
    tau = t * torch.sigmoid(x.mean(1))
    first, second = torch.cosh(5 * beta) * weight * a, torch.sinh(5 * beta) * weight
    matrices = first + tau[:, None, None] * second
    torch.testing.assert_close(torch.einsum("bij,bj->bi", matrices, x), dynamic_linear(x, weight, beta, t))
    angle = nn.functional.cosine_similarity((matrices - first).flatten(1), second.flatten()[None])
    torch.testing.assert_close(angle, torch.ones_like(angle))  # every W lies at A, along B
    beside = first - (first * second).sum() / second.square().sum() * second
    assert beside.norm() > 0.1 * first.norm()  # B is not on that line, which passes it at this distance
    centred = (matrices - matrices.mean(0)).flatten(1)
    singular = torch.linalg.svdvals(centred)
    assert singular[1] < 1e-12 * singular[0]
    torch.testing.assert_close(singular[0], (tau - tau.mean()).norm() * second.norm())


def test_equally_bright_inputs_meet_the_same_weights():
    x, weight, _, _ = case()
    beta, t = scalars(0.3, 1.7)
    y = x.flip(1)
    together = dynamic_linear(x, weight, beta, t) + dynamic_linear(y, weight, beta, t)
    torch.testing.assert_close(together, 2 * dynamic_linear((x + y) / 2, weight, beta, t))


def parallel(first, second):
    """Tell row by row whether two stacks of outputs have one direction, or opposite ones."""
    return nn.functional.cosine_similarity(first, second).abs() > 1 - 1e-12


def test_eq_ones():
    """With a = 1 the gate multiplies all outputs by one number: no answer changes while that is positive."""
    x, weight, a, _ = case()
    ones = torch.ones_like(a)
    for beta, t in (scalars(0.3, 1.7), scalars(-0.3, 0.9), scalars(-0.3, 1.7), scalars(-0.3, 5.0)):
        factor = torch.cosh(5 * beta) + t * torch.sigmoid(x.mean(1, keepdim=True)) * torch.sinh(5 * beta)
        phi = dynamic_linear(x, weight, beta, t, position=ones)
        torch.testing.assert_close(phi, factor * (x @ weight.T))
        known = torch.where(factor[:, 0] > 0, (x @ weight.T).argmax(1), (x @ weight.T).argmin(1))
        assert torch.equal(phi.argmax(1), known)
        # positive where rho sigma > -1, rho = t tanh 5 beta
        rho = t * torch.tanh(5 * beta)
        assert torch.equal(factor[:, 0] > 0, rho * torch.sigmoid(x.mean(1)) > -1)


def test_with_the_index_the_gate_can_change_an_answer_and_only_where_beta_is_not_zero():
    x, weight, _, _ = case()
    x = x * torch.linspace(0, 9, BATCH, dtype=torch.float64)[:, None]  # of all brightnesses
    beta, zero, t = scalars(0.3, 0.0, 6.0)
    moving, frozen = (dynamic_linear(x, weight, beta, t, gate=gate) for gate in ("input", 0.5))
    assert (moving.argmax(1) != frozen.argmax(1)).any()
    assert torch.equal(dynamic_linear(x, weight, zero, t), dynamic_linear(x, weight, zero, t, gate=0.5))


def test_what_the_index_adds_to_other_weights():
    """At beta = 0 other weights without a do the same. At beta != 0 none do: with a = 1, phi(2x) is along phi(x)."""
    x, weight, a, _ = case()
    beta, zero, t = scalars(0.3, 0.0, 1.7)
    ones = torch.ones_like(a)
    torch.testing.assert_close(
        dynamic_linear(x, weight, zero, t), dynamic_linear(x, weight * a, zero, t, position=ones)
    )
    once, twice = (dynamic_linear(c * x, weight, beta, t, position=ones) for c in (1, 2))
    assert parallel(once, twice).all()
    once, twice = (dynamic_linear(c * x, weight, beta, t) for c in (1, 2))
    assert not parallel(once, twice).any()


def test_eq_unstable():
    x, weight, a, _ = case()
    beta, t = scalars(0.21, 1.3)
    gate = torch.sigmoid(x.mean(1, keepdim=True))
    by_beta = torch.func.jacfwd(lambda beta: dynamic_linear(x, weight, beta, t))
    by_t = torch.func.jacfwd(lambda beta, t: dynamic_linear(x, weight, beta, t), 1)
    torch.testing.assert_close(torch.func.jacfwd(by_beta)(beta), 25 * dynamic_linear(x, weight, beta, t))
    slope = torch.sinh(5 * beta) * (a * x) @ weight.T + torch.cosh(5 * beta) * t * gate * (x @ weight.T)
    torch.testing.assert_close(by_beta(beta), 5 * slope)
    torch.testing.assert_close(by_t(beta, t), gate * torch.sinh(5 * beta) * (x @ weight.T))
    zero = torch.zeros_like(beta)
    assert not by_t(zero, t).any()
    torch.testing.assert_close(by_beta(zero), 5 * t * gate * (x @ weight.T))


def test_from_beta_and_t_at_zero_the_layer_never_becomes_dynamic():
    x, _, _, labels = case()
    layer = DynamicLinear(N, M, beta=0.0).double()
    nn.init.zeros_(layer.t)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-3)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(layer(x), labels).backward()
        optimizer.step()
    assert layer.beta.item() == layer.t.item() == 0


def test_slope_of_the_gate_is_the_same_for_every_pixel_and_at_most_a_quarter_of_one_over_n():
    x, _, _, _ = case()
    slopes = torch.func.vmap(torch.func.grad(lambda x: torch.sigmoid(x.mean())))(x)
    gate = torch.sigmoid(x.mean(1, keepdim=True))
    torch.testing.assert_close(slopes, (gate * (1 - gate) / N).expand_as(slopes))
    assert (slopes <= 1 / (4 * N)).all()


def test_eq_column_rate():
    """A step on W0 moves the weights that one input meets by g^2 times their own gradient."""
    x, weight, a, labels = case()
    beta, t = scalars(0.2, 1.1)
    x, labels, rate = x[:1], labels[:1], 0.05
    g = a * torch.cosh(5 * beta) + t * torch.sigmoid(x.mean()) * torch.sinh(5 * beta)
    w0 = weight.clone().requires_grad_()
    met = (weight * g).requires_grad_()
    by_w0 = torch.autograd.grad(nn.functional.cross_entropy(dynamic_linear(x, w0, beta, t), labels), w0)[0]
    by_met = torch.autograd.grad(nn.functional.cross_entropy(x @ met.T, labels), met)[0]
    torch.testing.assert_close((weight - rate * by_w0) * g - weight * g, -rate * g.square() * by_met)


def test_eq_kappa():
    """Under a scale-invariant loss only rho = t tanh 5 beta counts, and the two gradients are parallel."""
    x, weight, _, labels = case()
    beta, t, other = scalars(0.2, 1.1, 0.35)
    rho = t * torch.tanh(5 * beta)
    t_other = rho / torch.tanh(5 * other)

    def loss(beta, t):
        return ginzburg_landau_loss(dynamic_linear(x, weight, beta, t), labels)

    torch.testing.assert_close(loss(beta, t), loss(other, t_other))
    by_beta, by_t = torch.func.grad(loss, (0, 1))(beta, t)
    assert by_t.abs() > 1e-6
    sech2 = 1 / torch.cosh(5 * beta) ** 2
    torch.testing.assert_close(by_beta * torch.tanh(5 * beta), by_t * 5 * t * sech2)
    slope = torch.func.grad(lambda beta: t * torch.tanh(5 * beta))(beta)
    torch.testing.assert_close(slope, 5 * t * sech2)


def test_two_settings_of_one_rho_are_the_same_function_for_any_loss():
    x, weight, _, _ = case()
    beta, t, other = scalars(0.2, 1.1, 0.35)
    rescaled = weight * torch.cosh(5 * beta) / torch.cosh(5 * other)
    t_other = t * torch.tanh(5 * beta) / torch.tanh(5 * other)
    torch.testing.assert_close(dynamic_linear(x, rescaled, other, t_other), dynamic_linear(x, weight, beta, t))


def test_eq_invariant():
    """Gradient descent keeps cosh 10 beta - 50 t^2 better in smaller steps: the drift is of first order in them."""
    x, weight, _, labels = case(n=5)
    drift, moved = {}, {}
    for rate in (0.02, 0.01):
        beta, t = scalars(0.1, 0.8)
        invariants = []
        for _ in range(round(4 / rate)):

            def loss(beta, t):
                return ginzburg_landau_loss(dynamic_linear(x, weight, beta, t), labels)

            invariants.append((torch.cosh(10 * beta), torch.cosh(10 * beta) - 50 * t**2))
            by_beta, by_t = torch.func.grad(loss, (0, 1))(beta, t)
            beta, t = beta - rate * by_beta, t - rate * by_t
        moved[rate], drift[rate] = (abs(b - a).item() for a, b in zip(invariants[0], invariants[-1], strict=True))
    assert moved[0.01] > 0.05 and drift[0.01] < 0.02 * moved[0.01]
    assert drift[0.02] / drift[0.01] == pytest.approx(2, rel=0.1)


def test_overflow():
    """arcosh(largest number)/5: 17.9 in single and 2.36 in half precision; with the factor 783, 1.02 in half."""
    assert math.acosh(torch.finfo(torch.float32).max) / 5 == pytest.approx(17.883, abs=1e-3)
    assert math.acosh(torch.finfo(torch.float16).max) / 5 == pytest.approx(2.357, abs=1e-3)
    assert math.acosh(torch.finfo(torch.float16).max / 783) / 5 == pytest.approx(1.024, abs=1e-3)
    for dtype, inside, outside in ((torch.float32, 17.88, 17.89), (torch.float16, 2.35, 2.36)):
        assert torch.tensor(5 * inside, dtype=dtype).cosh().isfinite()
        assert torch.tensor(5 * outside, dtype=dtype).cosh().isinf()


def test_eq_rest():
    """The minimum over beta of the mean square of the outputs of random weights."""
    generator = torch.Generator().manual_seed(0)
    q, a, tau = torch.rand(30, dtype=torch.float64, generator=generator), torch.arange(30.0).double(), 0.53

    def size(beta):
        return (q * (a * torch.cosh(5 * beta) + tau * torch.sinh(5 * beta)).square()).sum()

    ratio = -2 * tau * (q * a).sum() / ((q * a**2).sum() + tau**2 * q.sum())
    rest = torch.atanh(ratio) / 10
    assert torch.func.grad(size)(rest).abs() < 1e-9 * size(rest)
    assert torch.func.grad(torch.func.grad(size))(rest) > 0


@pytest.mark.parametrize("right", [True, False])
def test_cross_entropy_brakes_the_scale_exactly_where_a_sample_is_wrong(right):
    """L(c phi) is convex in c. All right: it falls for ever. One wrong: it grows without limit."""
    phi = torch.tensor([[3.0, 1.0], [0.5, 2.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1 if right else 0])
    scales = torch.linspace(0, 60, 400, dtype=torch.float64)
    losses = torch.stack([nn.functional.cross_entropy(c * phi, labels) for c in scales])
    assert (losses.diff().diff() >= -1e-12).all()
    assert losses[-1] < 1e-12 if right else losses[-1] > losses.min() + 10


def test_eq_boost():
    """Both components keep the interval and compose; one does neither."""
    _, _, a, _ = case()
    tau = torch.tensor(0.6, dtype=torch.float64)

    def boost(rapidity, a, tau):
        cosh, sinh = math.cosh(rapidity), math.sinh(rapidity)
        return a * cosh + tau * sinh, a * sinh + tau * cosh

    first = boost(0.4, a, tau)
    torch.testing.assert_close(first[0] ** 2 - first[1] ** 2, a**2 - tau**2)
    torch.testing.assert_close(boost(0.3, *first)[0], boost(0.7, a, tau)[0])
    dropped = boost(0.3, first[0], tau)[0]
    assert (boost(0.7, a, tau)[0] - dropped > 0.01).all()


def test_eq_frozen():
    """For random weights the ratio of root mean squares is |rho| |sigma - mean| |x| / |(a + rho mean) x|.

    2000 outputs; the squares are correlated between numerator and denominator, so their ratio's relative error is
    below sqrt(2 * 2 / 2000) = 4.5 %. False alarm at five of these: below 1e-6.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 50, dtype=torch.float64, generator=generator)
    weight = torch.randn(2000, 50, dtype=torch.float64, generator=generator)
    beta, t = scalars(0.2, 1.5)
    a, mean, gate = torch.arange(50.0).double(), 0.55, torch.sigmoid(x.mean())
    rho = t * torch.tanh(5 * beta)
    frozen = dynamic_linear(x, weight, beta, t, gate=mean)
    found = (dynamic_linear(x, weight, beta, t) - frozen).norm() / frozen.norm()
    expected = rho * (gate - mean).abs() * x.norm() / ((a + rho * mean) * x).norm()
    assert found.item() == pytest.approx(expected.item(), rel=5 * 0.045)


def chi_square_allows(values, variance, level=1e-6):
    """Tell whether normal ``values`` of mean 0 have this variance, with false alarms below ``level``."""
    statistic = float((values**2).sum() / variance)
    return stats.chi2.ppf(level / 2, values.numel()) < statistic < stats.chi2.ppf(1 - level / 2, values.numel())


def test_eq_output_variance_and_eq_unit_variance():
    """Outputs for one input are normal with variance var(w) sum g^2 x^2; with the rule it is 1 on average."""
    torch.manual_seed(0)
    x = torch.rand(1, 60, dtype=torch.float64)
    layer = DynamicLinear(60, 4000, beta=0.1).double()
    g = torch.arange(60) * math.cosh(0.5) + torch.sigmoid(x.mean()) * math.sinh(0.5)
    assert chi_square_allows(layer(x).detach(), 2 / 4060 * (g * x).square().sum().item())

    corrected = DynamicLinear(60, 4000, beta=0.0, position="normalized").double()
    a = torch.arange(60.0).double()
    a = a / a.square().mean().sqrt()
    nn.init.normal_(corrected.weight, std=(x[0].square() * a.square()).sum().rsqrt().item())
    assert chi_square_allows(corrected(x).detach(), 1.0)
    assert a.square().sum().item() == pytest.approx(60)  # with q = 1/2 the rule is 2/n


@pytest.mark.parametrize("n", [64, 256, 1024])
def test_eq_gain_and_eq_effective_width(n):
    """n/sqrt(3) and 5n/9, to first order in 1/n."""
    j = np.arange(n)
    assert np.sqrt((j**2).mean()) == pytest.approx(n / math.sqrt(3), rel=1 / n)
    assert (j**2).sum() ** 2 / (j**4).sum() == pytest.approx(5 * n / 9, rel=1 / n)


@pytest.mark.parametrize(("ramp", "effective"), [(False, 1), (True, 5 / 9)])
def test_wandering_of_the_scale_in_depth(ramp, effective):
    """The logarithm of the weighted mean square gains a variance of 5/n_eff a layer, a Markov chain of its own.

    20,000 independent steps at n = 512. The logarithm of the ratio has variance 5/n_eff (1 + O(1/n_eff)); the variance
    of the sample variance of nearly normal values is 2/20,000: 1 %. Five of these and the correction: 8 %.
    """
    generator = torch.Generator().manual_seed(0)
    n = 512
    c = torch.arange(n, dtype=torch.float64).square() if ramp else torch.ones(n, dtype=torch.float64)
    z = torch.randn(20_000, n, dtype=torch.float64, generator=generator).relu().square()
    steps = (2 * (z @ c) / c.sum()).log()
    assert steps.var().item() == pytest.approx(5 / (effective * n), rel=0.08)
    assert steps.mean().item() == pytest.approx(-2.5 / (effective * n), abs=5 * math.sqrt(5 / (effective * n) / 20_000))


def test_relatives():
    """FiLM, a plain layer beside a squeezed one, and CondConv, with the freedom fixed as the chapter says."""
    x, weight, a, _ = case()
    beta, t = scalars(0.2, 1.1)
    c, s = torch.cosh(5 * beta), torch.sinh(5 * beta)
    first, second = weight * a * c, weight * s
    assert a[0] == 0
    torch.testing.assert_close(first * s, second * a * c)  # how the experts are tied, a_0 = 0 included
    mean = x.mean(1, keepdim=True)
    squeeze = torch.sigmoid(mean)
    film = ((a * c + t * squeeze * s) * x) @ weight.T
    beside = x @ first.T + t * ((squeeze * x) @ second.T)
    plain_routing = torch.cat([torch.ones_like(squeeze), t * squeeze], 1), torch.stack([first, second])
    sigmoid_routing = torch.sigmoid(mean @ torch.tensor([[0.0, 1.0]]).double()), torch.stack([2 * first, t * second])
    mixed = [
        torch.einsum("bk,kij,bj->bi", routing, experts, x) for routing, experts in (plain_routing, sigmoid_routing)
    ]
    for other in (film, beside, *mixed):
        torch.testing.assert_close(other, dynamic_linear(x, weight, beta, t))


def test_the_layer_is_no_squeeze_and_excitation_of_one_channel():
    """There the gate multiplies the whole channel, and outputs keep their direction; here it multiplies B x alone."""
    x, weight, a, _ = case()
    beta, t = scalars(0.2, 1.1)

    def squeezed(x):  # both trained layers of the original are numbers for one channel
        gate = torch.sigmoid(1.3 * torch.relu(0.7 * x.mean(1, keepdim=True) + 0.1) - 0.4)
        return (gate * x) @ (weight * a).T

    assert parallel(squeezed(x), squeezed(2 * x)).all()
    assert not parallel(*(dynamic_linear(c * x, weight, beta, t) for c in (1, 2))).any()


def curvature(grow, r):
    """Return the Gaussian curvature of dr² ± grow(r)² ds², which is -grow''/grow for either sign."""
    return -torch.func.grad(torch.func.grad(grow))(r) / grow(r)


def test_the_plane_of_the_boost_is_flat_and_the_hyperboloid_is_not():
    """In the coordinates in which boosts are shifts of s, a = r cosh s and tau = r sinh s: dr² - r² ds²."""
    (r,) = scalars(0.8)
    s = torch.tensor(0.3, dtype=torch.float64)

    def plane(r, s):
        return torch.stack([r * torch.cosh(s), r * torch.sinh(s)])

    jacobian = torch.stack(torch.func.jacfwd(plane, (0, 1))(r, s), 1)
    interval = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    torch.testing.assert_close(jacobian.T @ interval @ jacobian, torch.diag(torch.stack([r * 0 + 1, -(r**2)])))
    assert curvature(lambda r: r, r) == 0
    assert curvature(torch.sinh, r).item() == pytest.approx(-1)  # dr² + sinh² r ds², the hyperboloid


def test_a_boost_on_the_hyperboloid_keeps_inner_products():
    x, _, a, _ = case()
    rapidity, e = 0.5, a / a.norm()
    u = torch.cat([(1 + x.square().sum(1, keepdim=True)).sqrt(), x], 1)
    boost = torch.eye(N + 1, dtype=torch.float64)
    cosh, sinh = math.cosh(rapidity), math.sinh(rapidity)
    boost[0, 0], boost[0, 1:], boost[1:, 0] = cosh, sinh * e, sinh * e
    boost[1:, 1:] += (cosh - 1) * torch.outer(e, e)
    metric = torch.diag(torch.tensor([-1.0] + [1.0] * N, dtype=torch.float64))
    torch.testing.assert_close(u @ boost.T @ metric @ boost @ u.T, u @ metric @ u.T)


def test_first_cross_entropy_of_large_random_outputs():
    """s times the expected largest of ten standard normal numbers, 1.5388, less the label's mean of 0.

    Of 20,000 samples at s = 300 the standard error is 300 * sqrt(1.34 / 20,000) = 2.5; five of these.
    """
    largest = integrate.quad(lambda z: 10 * z * stats.norm.pdf(z) * stats.norm.cdf(z) ** 9, -9, 9)[0]
    assert largest == pytest.approx(1.53875, abs=1e-4)
    phi = 300 * torch.randn(20_000, 10, generator=torch.Generator().manual_seed(0))
    found = nn.functional.cross_entropy(phi, torch.arange(20_000) % 10).item()
    assert found == pytest.approx(300 * largest, abs=5 * 2.5)
