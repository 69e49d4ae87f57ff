"""The loss: equal to the post's formula, to closed forms, and to its symmetries."""

import math
from itertools import pairwise

import pytest
import torch

from benchmarks import printed
from physnn import GinzburgLandauLoss, ginzburg_landau_density, ginzburg_landau_loss

BOUNDARIES = ("periodic", "zero", "replicate", "one-sided")


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize(("batch", "classes"), [(1, 1), (1, 2), (5, 3), (8, 10)])
def test_equals_the_printed_formula(dtype, relative, batch, classes):
    target = torch.arange(batch) % classes
    values, grads = [], []
    for loss in (printed.loss, GinzburgLandauLoss()):
        phi = random(batch, classes).to(dtype).requires_grad_()
        value = loss(phi, target)
        values.append(value)
        grads.append(torch.autograd.grad(value, phi)[0])
    torch.testing.assert_close(values[1], values[0], rtol=relative, atol=0)
    torch.testing.assert_close(grads[1], grads[0], rtol=0, atol=relative * max(1e-3, grads[0].abs().max().item()))


def test_closed_form_of_the_right_answer():
    """phi = one-hot: d = 0, and the spatial term alone is left, by a class-dependent amount unless periodic."""
    classes, spatial = 10, 0.5
    phi = torch.eye(classes, dtype=torch.float64)
    # Two differences of 1/2 see the peak. At an end: zero keeps one; replicate adds half of the peak to its own
    # difference; one-sided has a full step at the end.
    at_end = {"periodic": 2 / 4, "zero": 1 / 4, "replicate": 1 / 4 + 1 / 4, "one-sided": 1 / 4 + 1}
    next_to_end = {"periodic": 2 / 4, "zero": 2 / 4, "replicate": 2 / 4, "one-sided": 1 / 4 + 1}
    for boundary in BOUNDARIES:
        energies = [
            ginzburg_landau_loss(phi[k : k + 1], torch.tensor([k]), boundary=boundary).item() for k in range(classes)
        ]
        expected = [2 / 4] * classes
        expected[0] = expected[-1] = at_end[boundary]
        expected[1] = expected[-2] = next_to_end[boundary]
        assert energies == pytest.approx([spatial * e / classes for e in expected], rel=1e-12), boundary


@pytest.mark.parametrize("boundary", ["zero", "replicate", "one-sided"])
def test_difference_agrees_with_torch(boundary):
    phi = random(3, 7)
    density = ginzburg_landau_density(phi, torch.zeros_like(phi), 0.0, 0.0, 1.0, boundary=boundary)
    unit = phi / phi.abs().max()
    if boundary == "one-sided":
        expected = torch.gradient(unit, dim=1)[0]
    else:
        padded = torch.nn.functional.pad(unit, (1, 1), mode="constant" if boundary == "zero" else "replicate")
        expected = torch.gradient(padded, dim=1)[0][:, 1:-1]
    torch.testing.assert_close(density, expected.square())


def test_periodic_difference_of_a_wave():
    """The central difference of sin(kx) is sin(k) cos(kx); the alternating mode costs nothing."""
    n = 12
    k = 2 * math.pi * 3 / n
    x = torch.arange(n, dtype=torch.float64)
    phi = torch.sin(k * x).unsqueeze(0)
    density = ginzburg_landau_density(phi, torch.zeros_like(phi), 0.0, 0.0, 1.0)
    torch.testing.assert_close(density, (math.sin(k) * torch.cos(k * x) / phi.max()).square().unsqueeze(0))
    alternating = ((-1.0) ** x).unsqueeze(0)
    assert ginzburg_landau_loss(alternating, alternating, spatial=7.0).item() == 0


def test_two_dimensional_fields_add_both_axes():
    phi = random(2, 3, 5, 6)
    phi /= phi.abs().max()
    target = torch.zeros_like(phi)
    for boundary in BOUNDARIES:
        rows = ginzburg_landau_density(phi.permute(0, 1, 3, 2).reshape(2, 18, 5), target.reshape(2, 18, 5), 0.0, 0.0,
                                       1.0, boundary=boundary)  # fmt: skip
        columns = ginzburg_landau_density(phi.reshape(2, 15, 6), target.reshape(2, 15, 6), 0.0, 0.0, 1.0,
                                          boundary=boundary)  # fmt: skip
        both = ginzburg_landau_density(phi, target, 0.0, 0.0, 1.0, boundary=boundary)
        expected = rows.reshape(2, 3, 6, 5).permute(0, 1, 3, 2) + columns.reshape(2, 3, 5, 6)
        torch.testing.assert_close(both, expected)


@pytest.mark.parametrize("norm", ["batch", "sample"])
def test_scale_invariance(norm):
    """L(c phi) = L(phi) for c > 0, so the gradient is orthogonal to phi (to every row of it, with norm='sample')."""
    target = torch.tensor([1, 0, 4])
    phi = random(3, 5).requires_grad_()
    loss = GinzburgLandauLoss(norm=norm)
    value = loss(phi, target)
    torch.testing.assert_close(loss(7.3 * phi, target), value)
    (grad,) = torch.autograd.grad(value, phi)
    assert abs((phi * grad).sum()) < 1e-14
    if norm == "sample":
        assert ((phi * grad).sum(1).abs() < 1e-14).all()
        torch.testing.assert_close(loss(torch.tensor([[1.0], [2.0], [3.0]]) * phi, target), value)


def test_permutations():
    """The batch may be permuted; the classes may be shifted around the ring, but not permuted."""
    phi, target = random(6, 10), torch.tensor([0, 3, 9, 9, 2, 5])
    value = ginzburg_landau_loss(phi, target)
    order = torch.tensor([5, 0, 3, 1, 4, 2])
    torch.testing.assert_close(ginzburg_landau_loss(phi[order], target[order]), value)
    torch.testing.assert_close(ginzburg_landau_loss(phi.roll(3, 1), (target + 3) % 10), value)
    swap = torch.tensor([1, 0, *range(2, 10)])
    assert not torch.isclose(ginzburg_landau_loss(phi[:, swap], swap[target]), value, rtol=1e-6)
    without = ginzburg_landau_loss(phi, target, spatial=0.0)
    torch.testing.assert_close(ginzburg_landau_loss(phi[:, swap], swap[target], spatial=0.0), without)


def test_sample_norm_does_not_couple_samples():
    phi, target = random(4, 5), torch.tensor([0, 1, 2, 3])
    rows = [ginzburg_landau_loss(phi[i : i + 1], target[i : i + 1], norm="sample", outer="none") for i in range(4)]
    together = ginzburg_landau_loss(phi, target, norm="sample", outer="none")
    torch.testing.assert_close(torch.stack(rows).mean(), together)
    coupled = ginzburg_landau_loss(phi, target, norm="batch", outer="none")
    assert not torch.isclose(coupled, together, rtol=1e-6)


def test_outer():
    phi, target = random(4, 5), torch.tensor([0, 1, 2, 3])
    density = ginzburg_landau_density(phi, target)
    assert (density < 0).any() and (density > 0).any()
    losses = {outer: GinzburgLandauLoss(outer=outer)(phi, target) for outer in ("abs", "none", "elementwise")}
    torch.testing.assert_close(losses["none"], density.mean())
    torch.testing.assert_close(losses["abs"], density.mean().abs())
    torch.testing.assert_close(losses["elementwise"], density.abs().mean())


def test_the_outer_bar_flips_the_signs():
    """At small outputs the mean is negative, and descending |mean| climbs the signed energy."""
    phi = (0.1 * random(4, 10)).requires_grad_()
    phi.data[0, 5] = 1.0  # the batch's maximum, so that all other outputs are small
    target = torch.tensor([5, 1, 2, 3])
    signed = ginzburg_landau_loss(phi, target, outer="none")
    assert signed < 0
    (down,) = torch.autograd.grad(ginzburg_landau_loss(phi, target), phi)
    (up,) = torch.autograd.grad(signed, phi)
    torch.testing.assert_close(down, -up)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("norm", ["batch", "sample"])
@pytest.mark.parametrize("outer", ["abs", "none", "elementwise"])
def test_derivatives_by_finite_differences(boundary, norm, outer):
    phi = random(3, 5, seed=1).requires_grad_()
    target = torch.tensor([0, 4, 2])
    assert torch.autograd.gradcheck(GinzburgLandauLoss(norm=norm, boundary=boundary, outer=outer), (phi, target))


@pytest.mark.parametrize("norm", ["batch", "sample"])
def test_field_targets(norm):
    """A field is normalized like phi; a one-hot field equals class indices; a field of phi's own shape costs only d."""
    phi, target = random(2, 4, 5, 5), random(2, 4, 5, 5, seed=1)
    loss = GinzburgLandauLoss(1.0, 0.0, 0.0, norm=norm)
    torch.testing.assert_close(loss(phi, 3 * target), loss(phi, target))
    assert loss(phi, phi).item() == 0
    rows, labels = random(3, 5), torch.tensor([1, 0, 4])
    one_hot = torch.nn.functional.one_hot(labels, 5).double()
    torch.testing.assert_close(ginzburg_landau_loss(rows, 2 * one_hot), ginzburg_landau_loss(rows, labels))


@pytest.mark.parametrize("norm", ["batch", "sample"])
def test_zero_output_is_left_unnormalized(norm):
    """phi = 0 has no maximum to divide by: d = -1 on the label, and loss and gradient are finite."""
    phi = torch.zeros(2, 10, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([3, 7])
    value = ginzburg_landau_loss(phi, target, norm=norm)
    assert value.item() == pytest.approx(abs(0.0035 - 5.0) / 10, rel=1e-12)
    (grad,) = torch.autograd.grad(value, phi)
    assert grad.isfinite().all() and grad.abs().sum() > 0
    assert ginzburg_landau_loss(phi, torch.zeros_like(phi), norm=norm).item() == 0


def test_types_and_strides():
    phi, target = random(10, 6).T, torch.arange(6)
    assert not phi.is_contiguous()
    expected = ginzburg_landau_loss(phi.contiguous(), target)
    torch.testing.assert_close(ginzburg_landau_loss(phi, target), expected)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        low = ginzburg_landau_loss(phi.to(dtype), target)
        assert low.dtype == dtype
        # One rounding of phi and one of the result: a few units in the last place.
        assert low.item() == pytest.approx(expected.item(), rel=8 * torch.finfo(dtype).eps)
    for labels in (torch.int32, torch.uint8):
        torch.testing.assert_close(ginzburg_landau_loss(phi, target.to(labels)), expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"quadratic": math.nan}, "quadratic must be finite, got nan"),
        ({"quartic": -math.inf}, "quartic must be finite, got -inf"),
        ({"spatial": math.inf}, "spatial must be finite"),
        ({"norm": "channel"}, "norm must be one of batch, sample, got 'channel'"),
        ({"boundary": "wrap"}, "boundary must be one of .*'wrap'"),
        ({"outer": "square"}, "outer must be one of .*'square'"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(ValueError, match=said):
        GinzburgLandauLoss(**options)
    with pytest.raises(ValueError, match=said):
        ginzburg_landau_loss(torch.ones(2, 3), torch.tensor([0, 1]), **options)


@pytest.mark.parametrize(
    ("phi", "target", "error", "said"),
    [
        (torch.ones(2, 3).long(), torch.tensor([0, 1]), TypeError, "int64"),
        (torch.ones(3), torch.tensor([0, 1, 2]), ValueError, r"got \(3,\)"),
        (torch.ones(0, 3), torch.tensor([]).long(), ValueError, "empty"),
        (torch.ones(2, 3), torch.tensor([0, 1, 2]), ValueError, r"got \(3,\)"),
        (torch.ones(2, 3, 4), torch.tensor([0, 1]), ValueError, "phi's shape"),
        (torch.ones(2, 3), torch.tensor([0, 3]), ValueError, "0..2, got 0..3"),
        (torch.ones(2, 3), torch.tensor([-1, 0]), ValueError, "got -1..0"),
        (torch.ones(2, 3), torch.tensor([0.0, 1.0]), TypeError, "integers, got torch.float32"),
        (torch.ones(2, 3), torch.tensor([True, False]), TypeError, "bool"),
        (torch.ones(2, 3), torch.ones(2, 3).long(), TypeError, "a field and must be floating point"),
    ],
)
def test_bad_input(phi, target, error, said):
    with pytest.raises(error, match=said):
        ginzburg_landau_loss(phi, target)


def test_one_sided_differences_need_two_indices():
    for trained in (False, True):
        phi = torch.ones(2, 1, requires_grad=trained)
        with pytest.raises(ValueError, match=r"at least two indices along each axis, got \(2, 1\)"):
            ginzburg_landau_loss(phi, torch.tensor([0, 0]), boundary="one-sided")


@pytest.mark.parametrize("shape", [(6, 10), (2, 3, 5, 4)])
def test_autocast_changes_nothing(shape):
    """The loss and its gradient are computed in the type of phi, as outside of the region, in either form."""
    phi, target = random(*shape).float().requires_grad_(), random(*shape, seed=1).float()
    expected = ginzburg_landau_loss(phi, target)
    (gradient,) = torch.autograd.grad(expected, phi)
    for fused in (None, False):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = ginzburg_landau_loss(phi, target, fused=fused)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(torch.autograd.grad(value, phi)[0], gradient)


def test_repr_names_the_options():
    assert "quartic=-5.0" in repr(GinzburgLandauLoss()) and "norm='batch'" in repr(GinzburgLandauLoss())


def test_the_closed_form_gradient_is_that_of_autograd():
    """A seeded fuzz of 300 cases: shapes, strides, types, options; zeros and tied maxima among them."""
    generator = torch.Generator().manual_seed(0)

    def pick(*choices):
        return choices[int(torch.randint(len(choices), (), generator=generator))]

    for case in range(300):
        dtype, tolerance = pick((torch.float64, 1e-12), (torch.float32, 2e-5), (torch.bfloat16, 0.02))
        shape = pick((1, 2), (5, 3), (8, 10), (2, 3, 7), (2, 70), (3, 2, 4, 5), (2, 1, 2, 3), (2, 1, 3, 67), (2, 2, 66))
        phi = torch.randn(shape, generator=generator, dtype=torch.float64)
        kind = pick("plain", "ties", "zero sample", "zero")
        if kind == "ties":  # values in -2..2: the maximum is attained many times, with either sign
            phi = phi.round().clamp(-2, 2)
        elif kind == "zero sample":
            phi[0] = 0
        elif kind == "zero":
            phi.zero_()
        if len(shape) > 2 or pick(True, False):
            target = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        else:
            target = torch.randint(shape[1], shape[:1], generator=generator)
        phi = phi.to(dtype)
        if pick(True, False):
            phi = phi.mT.contiguous().mT
        coefficients = [pick(0.0, 0.0035, 1.3, -0.7), pick(0.0, -5.0, 0.4), pick(0.0, 0.5, -0.2)]
        options = {"norm": pick("batch", "sample"), "boundary": pick(*BOUNDARIES)}
        options["outer"] = pick("abs", "none", "elementwise")
        values, grads = [], []
        for fused in (None, False):
            leaf = phi.detach().requires_grad_()
            value = ginzburg_landau_loss(leaf, target, *coefficients, **options, fused=fused)
            grads.append(torch.autograd.grad(value, leaf, torch.tensor(1.7, dtype=dtype))[0])
            values.append(value)
        told = (case, kind, shape, dtype, coefficients, options)
        assert values[0].dtype == values[1].dtype and grads[0].dtype == grads[1].dtype, told
        # The mean can cancel: it is as exact as its largest summand.
        size = max(1.0, sum(map(abs, coefficients)) * 16)
        assert abs(values[0] - values[1]) <= tolerance * size, told
        # The sign of a mean (or of an integrand) that is zero up to rounding is a matter of rounding.
        density = ginzburg_landau_density(
            phi, target, *coefficients, norm=options["norm"], boundary=options["boundary"]
        )
        signed = density if options["outer"] == "elementwise" else density.mean()
        if options["outer"] == "none" or signed.abs().min() > tolerance:
            bound = tolerance * max(1.0, grads[1].abs().max().item())
            assert (grads[0] - grads[1]).abs().max() <= bound, told


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("norm", ["batch", "sample"])
def test_second_derivatives_by_finite_differences(boundary, norm):
    phi, target = random(2, 3, 4, seed=3).requires_grad_(), random(2, 3, 4, seed=4)
    loss = GinzburgLandauLoss(norm=norm, boundary=boundary)
    assert torch.autograd.gradcheck(loss, (phi, target))
    assert torch.autograd.gradgradcheck(loss, (phi, target))


def test_every_way_to_differentiate():
    """torch.func, forward mode, and a target that is differentiated as well agree with the composed form."""
    phi, target, direction = random(3, 4), random(3, 4, seed=1), random(3, 4, seed=2)
    fused, composed = GinzburgLandauLoss(), GinzburgLandauLoss(fused=False)
    for way in (
        lambda loss: torch.func.grad(loss)(phi, target),
        lambda loss: torch.func.hessian(loss)(phi, target),
        lambda loss: torch.func.jvp(lambda phi: loss(phi, target), (phi,), (direction,))[1],
        lambda loss: torch.func.vmap(torch.func.grad(loss))(phi.unsqueeze(1), target.unsqueeze(1)),
        lambda loss: torch.func.grad(loss, 1)(phi, target),
    ):
        torch.testing.assert_close(way(fused), way(composed), rtol=1e-12, atol=1e-12)
    leaf = target.clone().requires_grad_()
    (by_target,) = torch.autograd.grad(fused(phi, leaf), leaf)
    torch.testing.assert_close(by_target, torch.func.grad(composed, 1)(phi, target))


def test_compiles_and_gives_the_same_gradient():
    phi, target = random(4, 5), random(4, 5, seed=1)
    compiled = torch.compile(GinzburgLandauLoss(), fullgraph=True, backend="aot_eager")
    grads = []
    for loss in (compiled, GinzburgLandauLoss()):
        leaf = phi.clone().requires_grad_()
        grads.append(torch.autograd.grad(loss(leaf, target), leaf)[0])
    torch.testing.assert_close(*grads)


def difference_matrix(n, boundary):
    """The rows of D/2, written out by hand."""
    matrix = torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        if boundary == "one-sided" and i in (0, n - 1):
            j = min(i, n - 2)
            matrix[i, j], matrix[i, j + 1] = -1, 1
            continue
        for j, weight in ((i + 1, 0.5), (i - 1, -0.5)):
            if boundary == "periodic":
                matrix[i, j % n] += weight
            elif 0 <= j < n:
                matrix[i, j] += weight
            elif boundary == "replicate":
                matrix[i, i] += weight
    return matrix


@pytest.mark.parametrize("boundary", ["periodic", "zero"])
@pytest.mark.parametrize("c", [0.1, 1.0, 30.0])
def test_the_minimizer_keeps_its_label_and_loses_its_margin(boundary, c):
    r"""For the quadratic part, (I + c DᵀD)⁻¹ e_k: DᵀD has no positive entry off its diagonal, so I + c DᵀD is an
    M-matrix, its inverse is not negative, and the largest entry of column k stands on the diagonal."""
    n = 10
    difference = difference_matrix(n, boundary)
    screened = torch.eye(n, dtype=torch.float64) + c * difference.T @ difference
    inverse = torch.linalg.inv(screened)
    assert (inverse > -1e-15).all()
    assert torch.equal(inverse.argmax(0), torch.arange(n))
    margin = inverse.diagonal() - (inverse - 2 * torch.eye(n)).amax(0)
    assert (margin > 0).all() and (margin < 1).all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_spatial_energy_is_the_matrix_product(boundary):
    phi = random(6, 7)
    phi[0, 0] = 5.0
    u = phi / 5
    expected = (u @ difference_matrix(7, boundary).T).square().mean()
    value = ginzburg_landau_loss(phi, torch.zeros_like(phi), 0.0, 0.0, 1.0, boundary=boundary)
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("axes", [1, 2])
def test_the_energy_of_a_smooth_field_converges_in_second_order(axes):
    """exp(sin) on a ring: its Dirichlet energy by quadrature is exact, so the error is that of the difference, h²/3."""
    errors = []
    for n in (16, 32, 64):
        x = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
        wave, slope = torch.exp(torch.sin(x)), torch.cos(x) * torch.exp(torch.sin(x))
        phi, exact = wave[None, None], slope.square().mean()
        if axes == 2:
            phi = (wave[:, None] * wave[None, :])[None, None]
            exact = 2 * slope.square().mean() * wave.square().mean()
        h = 2 * math.pi / n
        energy = ginzburg_landau_loss(phi, torch.zeros_like(phi), 0.0, 0.0, 1.0 / h**2) * phi.max() ** 2
        errors.append(abs(energy - exact).item())
    orders = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert orders[-1] == pytest.approx(2, abs=0.1) and orders[0] == pytest.approx(2, abs=0.3)


def test_convexity_where_it_is_claimed():
    """In the normalized output the energy is convex with q4 >= 0; with the post's q4 < 0 only for d² < q2 / 6|q4|.

    Outputs that share one maximum, at the same place, are normalized alike: there the loss is a function of u itself.
    """
    u, other = random(4, 6).clamp(-0.9, 0.9), random(4, 6, seed=1).clamp(-0.9, 0.9)
    u[0, 0] = other[0, 0] = 1.0
    target = torch.zeros_like(u)

    def excess(q2, q4, qs, a, b):
        energy = [ginzburg_landau_loss(x, target, q2, q4, qs, outer="none") for x in (a, b, (a + b) / 2)]
        return (energy[0] + energy[1]) / 2 - energy[2]

    assert excess(1.0, 0.0, 0.5, u, other) > 0 and excess(1.0, 2.0, 0.5, u, other) > 0
    assert excess(0.0035, -5.0, 0.0, u, other) < 0
    edge = math.sqrt(1 / (6 * 5))  # of the region, for q2 = 1 and q4 = -5
    for first, second, sign in ((0.0, edge, 1), (edge, 2 * edge, -1)):
        a, b = torch.full_like(u, first), torch.full_like(u, second)
        a[0, 0] = b[0, 0] = 1.0
        assert sign * excess(1.0, -5.0, 0.0, a, b) > 0
