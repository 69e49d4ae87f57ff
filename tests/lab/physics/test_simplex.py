"""The simplex: its wells, the projection to it, and class sizes that are kept."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from physnn.lab.physics import simplex


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_wells_are_the_corners_and_between_two_classes_a_quartic():
    assert simplex.wells(torch.eye(5)).tolist() == [0] * 5
    s = torch.linspace(0, 1, 11)
    assert torch.allclose(simplex.wells(torch.stack([s, 1 - s], 1)), (s * (1 - s)).square())
    inside = torch.softmax(drawn(50, 5), 1)
    assert (simplex.wells(inside) > 0).all() and (simplex.entropy(inside) > 0).all()
    assert float(simplex.entropy(torch.full((4,), 0.25))) == pytest.approx(np.log(4))


def test_the_slope_is_that_of_the_wells():
    u = torch.softmax(drawn(20, 6), 1).requires_grad_()
    (expected,) = torch.autograd.grad(simplex.wells(u).sum(), u)
    assert torch.allclose(simplex.slope(u.detach()), expected)
    assert simplex.slope(torch.eye(3)).tolist() == torch.zeros(3, 3).tolist()


def test_a_state_without_a_class_is_unstable_at_the_rate_on_paper():
    """At u = 1/C the slope grows by -2(1 - 1/C)^(2C - 2) along what keeps the sum."""
    classes = 10
    u, push = torch.full((classes,), 0.1, dtype=torch.float64), torch.zeros(classes, dtype=torch.float64)
    push[0], push[1] = 1e-5, -1e-5
    rate = (simplex.slope(u + push) - simplex.slope(u - push))[0] / 2e-5
    assert float(rate) == pytest.approx(-2 * 0.9**18, rel=1e-4)


def test_the_projection_is_the_nearest_point():
    v, u = drawn(30, 4, seed=1), simplex.project(drawn(30, 4, seed=1))
    assert torch.allclose(u.sum(1), torch.ones(30, dtype=torch.float64)) and (u >= 0).all()
    others = torch.softmax(3 * drawn(500, 1, 4, seed=2), -1)
    assert ((v - u).square().sum(1) <= (v - others).square().sum(2).min(0).values + 1e-12).all()
    # Nowhere does a corner lie further along v - u: the condition of a nearest point of a convex set.
    assert (((v - u) @ torch.eye(4).double()).max(1).values - ((v - u) * u).sum(1)).abs().max() < 1e-12
    assert torch.allclose(simplex.project(u), u)


def test_offsets_keep_the_sizes_at_the_least_loss():
    field, counts = drawn(60, 3, seed=3), [30, 20, 10]
    shares = torch.tensor(counts) / 60
    found = (field + simplex.offsets(field, shares)).argmax(1)
    assert torch.bincount(found).sub(torch.tensor(counts)).abs().max() <= 1
    places = np.repeat(np.arange(3), counts)
    rows, columns = linear_sum_assignment(-field.numpy()[:, places])
    best = field.numpy()[rows, places[columns]].sum()
    assert float(field.gather(1, found[:, None]).sum()) == pytest.approx(best, abs=0.1)


def test_sizes_are_kept_whatever_the_scale_and_the_skew():
    field = drawn(4000, 4, seed=4) + torch.tensor([0.0, 3.0, -2.0, 0.0])
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4])
    for scale in (1e-6, 1.0, 1e4):
        got = torch.bincount((scale * field + simplex.offsets(scale * field, shares)).argmax(1), minlength=4) / 4000
        assert (got - shares).abs().max() < 0.004
    assert simplex.offsets(torch.ones(5, 4), shares).tolist() == [0] * 4


@pytest.mark.parametrize("shares", [[0.5, 0.5], [1.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match="shares must be 3 numbers above 0"):
        simplex.offsets(torch.zeros(5, 3), torch.tensor(shares))


def test_sizes_that_are_kept():
    labels = torch.tensor([0, 1, 1, 2, 1])
    assert simplex.kept(labels, "free") is None
    assert simplex.kept(labels, "known").tolist() == pytest.approx([0.2, 0.6, 0.2])
    assert simplex.kept(labels, "equal").tolist() == pytest.approx([1 / 3] * 3)
