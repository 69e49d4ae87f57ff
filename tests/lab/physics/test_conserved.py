"""The energy of a field on a graph: by hand, its gradient, its lines, and what it refuses."""

import math

import pytest
import torch
from scipy.optimize import minimize_scalar

from physnn.lab.physics.conserved import collapse, conserved_energy, ordering, pinning
from physnn.lab.physics.simplex import slope


def some(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).softmax(-1)


def test_the_energy_is_its_formula():
    u, there = some(6, 4), some(6, 3, 4, seed=1)
    weights = torch.rand(6, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    expected = 0.0
    for i in range(6):
        expected += sum(2.5 / 2 * weights[i, j] * ((u[i] - there[i, j]) ** 2).sum() for j in range(3)) / 6
        expected += 0.7 * math.prod((1 - x) ** 2 for x in u[i].tolist()) / 6
    expected += 1.5 * sum(s * math.log(s / m) for s, m in zip(shares.tolist(), u.mean(0).tolist(), strict=True))
    found = conserved_energy(u, there, weights, stiffness=2.5, depth=0.7, shares=shares, conservation=1.5)
    assert float(found) == pytest.approx(float(expected))
    entropy = conserved_energy(u, there, 0 * weights, depth=2.0, sharpening="entropy")
    assert float(entropy) == pytest.approx(float(-2 * (u * u.log()).sum(1).mean()) / (16 * math.log(2)))


def test_entropy_is_as_high_between_two_classes_as_the_wells():
    half = torch.tensor([[0.5, 0.5, 0.0]], dtype=torch.float64)
    found = [
        float(conserved_energy(half, half[:, None], torch.ones(1, 1), depth=3.0, sharpening=kind))
        for kind in ("wells", "entropy")
    ]
    assert found == pytest.approx([3 / 16] * 2)


def test_networks_side_by_side_have_each_its_own_energy():
    u, there, shares = some(3, 5, 4), some(3, 5, 2, 4, seed=1), torch.full((4,), 0.25)
    numbers = {"stiffness": torch.tensor([1.0, 2.0, 0.0]), "depth": torch.tensor([0.0, 1.0, 3.0])}
    together = conserved_energy(u, there, torch.ones(3, 5, 2), shares=shares, **numbers)
    for r in range(3):
        own = {name: float(value[r]) for name, value in numbers.items()}
        alone = conserved_energy(u[r], there[r], torch.ones(5, 2), shares=shares, **own)
        assert float(alone) == pytest.approx(float(together[r]))


def test_nothing_is_asked_of_a_field_that_is_right_and_nothing_forgiven_to_one_class():
    corners = torch.eye(4).repeat(3, 1)
    kept = conserved_energy(corners, corners[:, None], torch.ones(12, 1), depth=9.0, shares=torch.full((4,), 0.25))
    assert float(kept) == pytest.approx(0, abs=1e-6)
    one = torch.eye(4)[:1].repeat(12, 1)
    numbers = {"depth": 9.0, "shares": torch.full((4,), 0.25)}
    assert float(conserved_energy(one, one[:, None], torch.ones(12, 1), **numbers)) > 10


def test_the_gradient_is_right():
    u = torch.randn(5, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True)
    shares = torch.full((3,), 1 / 3, dtype=torch.float64)

    def height(raw):
        u = raw.softmax(-1)
        return conserved_energy(u, u.roll(1, 0)[:, None], torch.ones(5, 1).double(), depth=2.0, shares=shares)

    assert torch.autograd.gradcheck(height, u)


def test_a_mode_grows_below_the_line_of_ordering_and_fades_above():
    """On a ring, whose waves have the eigenvalues 1 - cos: the energy's curvature along a wave changes sign there."""
    n, classes, mode = 16, 10, 2
    wave = torch.cos(2 * math.pi * mode * torch.arange(n, dtype=torch.float64) / n)
    eigenvalue = 1 - math.cos(2 * math.pi * mode / n)
    push = torch.zeros(n, classes, dtype=torch.float64)
    push[:, 0], push[:, 1] = wave, -wave
    for factor, grows in ((0.9, True), (1.1, False)):
        stiffness = factor * ordering(classes) / eigenvalue

        def height(size, stiffness=stiffness):
            u = 0.1 + size * push
            there = torch.stack([u.roll(1, 0), u.roll(-1, 0)], 1)
            return float(conserved_energy(u, there, torch.full((n, 2), 0.5).double(), stiffness=stiffness, depth=1.0))

        assert (height(1e-3) < height(0.0)) == grows


def test_a_node_holds_out_below_the_line_of_pinning_and_not_above():
    def has_another_well(product):
        found = minimize_scalar(lambda s: (s * (1 - s)) ** 2 + 2 * product * s**2, bounds=(0.55, 1.0), method="bounded")
        return found.x > 0.56 and found.x < 0.999

    assert has_another_well(0.95 * pinning()) and not has_another_well(1.05 * pinning())
    u = torch.tensor([0.75, 0.25], dtype=torch.float64)
    assert float(slope(u)[0] - slope(u)[1]) == pytest.approx(2 * 0.75 * 0.25 * (1 - 2 * 0.75))


@pytest.mark.parametrize("depth", [0.0, 10.0, 100.0])
def test_a_field_that_is_alike_everywhere_is_cheaper_above_the_line_of_collapse_and_not_below(depth):
    """On labels of ten classes and a graph with a cut of 0.1, against all fields that prefer one class or none."""

    def alike(p):
        u = torch.tensor([[p, *[(1 - p) / 9] * 9]], dtype=torch.float64)
        labels = -float(u.log().mean())
        return labels + float(conserved_energy(u, u[:, None], torch.ones(1, 1).double(), depth=depth))

    cheapest = min(minimize_scalar(alike, bounds=b, method="bounded").fun for b in ((0.01, 0.5), (0.5, 1 - 1e-9)))
    assert collapse(10, 0.1, depth) / 2 * 0.1 == pytest.approx(cheapest, rel=1e-5)
    assert depth or cheapest == pytest.approx(math.log(10))


def test_a_graph_without_a_cut_has_no_line():
    with pytest.raises(ValueError, match="cut must be above 0"):
        collapse(10, 0.0)


def test_bad_input_is_refused():
    u = some(5, 3)
    with pytest.raises(ValueError, match=r"u must be \(..., B, C\)"):
        conserved_energy(u, u, torch.ones(5, 1))
    with pytest.raises(ValueError, match="sharpening must be one of wells, entropy"):
        conserved_energy(u, u[:, None], torch.ones(5, 1), sharpening="quartic")
    with pytest.raises(ValueError, match="shares must be 3 numbers"):
        conserved_energy(u, u[:, None], torch.ones(5, 1), shares=torch.ones(3))
