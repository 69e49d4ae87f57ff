"""The equations of the chapter on a field on a graph, each by its label, against dense algebra on small graphs."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from physnn.lab.data import graphs
from physnn.lab.physics import graph_field, simplex
from physnn.lab.records.finals import final_rows
from physnn.lab.records.studies import Study
from physnn.lab.statistics import stats

CLASSES = 3


@pytest.fixture(scope="module")
def tied():
    """Sixty points in three clouds, with two labels in each: the graph, which points have labels, and theirs."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % CLASSES
    points = torch.randn(60, 4, generator=generator) + 1.2 * torch.eye(4)[labels]
    return graphs.nearest(points, 6), points, torch.arange(2 * CLASSES), labels


@pytest.fixture
def exactly(monkeypatch):
    """Steps of flows that are solved to the end."""
    monkeypatch.setattr(graph_field, "ROUGH", 1e-11)


def laplacian(weights):
    full = weights.toarray()
    return torch.from_numpy(np.diag(full.sum(1)) - full)


def one_hot(labels):
    return torch.nn.functional.one_hot(labels, CLASSES).double()


def drawn(n, seed=1):
    return torch.softmax(2 * torch.randn(n, CLASSES, generator=torch.Generator().manual_seed(seed)).double(), 1)


def test_eq_graph_weights(tied):
    graph, points, _, _ = tied
    away = torch.cdist(points.double(), points.double())
    order = away.fill_diagonal_(math.inf).argsort(1)[:, :6]
    scale = away.gather(1, order[:, -1:]).squeeze(1)
    near = torch.zeros(60, 60, dtype=torch.bool).scatter_(1, order, True)
    expected = torch.where(near | near.T, (-away.square() / (scale[:, None] * scale)).exp(), 0.0)
    assert torch.allclose(torch.from_numpy(graph.weights.toarray()), expected, atol=1e-6)


def test_eq_graph_dirichlet(tied):
    """Half the sum over pairs is half of u times its Laplacian, and what the code calls its energy without wells."""
    weights, u = tied[0].weights, drawn(60)
    full = torch.from_numpy(weights.toarray())
    pairs = full * (u[:, None] - u).square().sum(2)
    value = float(torch.triu(pairs, 1).sum() / 2)
    assert value == pytest.approx(float((u * (laplacian(weights) @ u)).sum() / 2))
    assert value == pytest.approx(graph_field.energy(weights, u, math.inf))


def test_eq_graph_laplace(tied, monkeypatch):
    """A node is the mean of its neighbours; an entry is the chance that a walk meets a label of that class first."""
    monkeypatch.setattr(graph_field, "TOLERANCE", 1e-12)
    graph, _, index, labels = tied
    u = graph_field.laplace(graph.weights, index, labels[index], CLASSES)
    full = torch.from_numpy(graph.weights.toarray())
    steps = full / full.sum(1, keepdim=True)
    free = torch.ones(60, dtype=torch.bool)
    free[index] = False
    assert torch.allclose(u[free], (steps @ u)[free])
    # The chances, by the sum over walks that have not met a label yet.
    chance, walk = 0.0, torch.eye(int(free.sum())).double()
    for _ in range(2000):
        chance = chance + walk @ steps[free][:, index] @ one_hot(labels[index])
        walk = walk @ steps[free][:, free]
    assert torch.allclose(u[free], chance)


def test_eq_graph_charges(tied, monkeypatch):
    """Both fields are those of charges at the labelled nodes; Laplace's has a constant besides."""
    monkeypatch.setattr(graph_field, "TOLERANCE", 1e-12)
    graph, _, index, labels = tied
    weights, degrees = graph.weights, torch.from_numpy(graph.weights.sum(1))
    operator = laplacian(weights)
    green = torch.linalg.pinv(operator)

    def of(charges):
        u = green[:, index] @ charges
        return u - (degrees @ u) / degrees.sum()

    u = graph_field.laplace(weights, index, labels[index], CLASSES)
    charges = (operator @ u)[index]
    assert charges.sum(0).abs().max() < 1e-8
    assert torch.allclose(u - (degrees @ u) / degrees.sum(), of(charges))
    assert torch.allclose(u[index], one_hot(labels[index]))
    given = one_hot(labels[index])
    u = graph_field.poisson(weights, index, labels[index], CLASSES)
    assert torch.allclose(u, of(given - given.mean(0)))
    assert (degrees @ u).abs().max() < 1e-8


def test_eq_graph_sizes():
    """Each class has its size, and no two nodes could swap their classes for more."""
    field, shares = drawn(300) + torch.tensor([0.0, 0.8, -0.5]), torch.tensor([0.5, 0.2, 0.3])
    found = graph_field.answers(field, shares)
    assert torch.bincount(found).tolist() == [150, 60, 90]
    gained = field[torch.arange(300)[:, None], found[None]]  # of node i, the entry of the class that j has
    own = gained.diagonal()
    assert (gained + gained.T - own[:, None] - own).max() < 1e-9


def test_eq_graph_energy(tied):
    weights, u, width = tied[0].weights, drawn(60, 2), 3.0
    degrees = torch.from_numpy(weights.sum(1))
    well = (degrees * (1 - u).square().prod(1)).sum() / width
    value = graph_field.energy(weights, u, width)
    assert value == pytest.approx(graph_field.energy(weights, u, math.inf) + float(well))
    s = torch.linspace(0, 1, 9)
    assert torch.allclose(simplex.wells(torch.stack([s, 1 - s, 0 * s], 1)), (s * (1 - s)).square())


def path(n):
    i = np.arange(n - 1)
    one = csr_array((np.ones(n - 1), (i, i + 1)), shape=(n, n))
    return csr_array(one + one.T)


@pytest.mark.parametrize("width", [20.0, 60.0])
def test_eq_graph_wall(width, exactly):
    """Its profile, and its energy to what a lattice of so wide a wall may differ."""
    n = 161
    weights, ends = path(n), torch.tensor([0, n - 1])
    start = torch.stack([torch.arange(n) < n // 2, torch.arange(n) >= n // 2], 1).double()
    u, _ = graph_field.flow(weights, start, ends, torch.tensor([0, 1]), width, steps=1500)
    s = u[:, 1]
    middle = float(np.interp(0.5, s.numpy(), np.arange(n)))
    x = torch.arange(n, dtype=torch.float64) - middle
    assert (s - (1 + torch.tanh(x / math.sqrt(2 * width))) / 2).abs().max() < 0.01
    assert graph_field.energy(weights, u, width) == pytest.approx(2 / (3 * math.sqrt(2 * width)), rel=0.01)


def test_eq_graph_cut(tied):
    """In the corners the energy is the weight of the ties that are cut, at every width."""
    weights, corners = tied[0].weights, torch.randint(CLASSES, (60,), generator=torch.Generator().manual_seed(3))
    full = torch.from_numpy(weights.toarray())
    cut = torch.triu(full * (corners[:, None] != corners), 1).sum()
    for width in (0.01, 100.0):
        assert graph_field.energy(weights, one_hot(corners), width) == pytest.approx(float(cut))


def test_eq_graph_fall():
    """Down the wells' slope, kept on the simplex, two entries part as it says, and the end is the largest's corner."""
    u = drawn(200, 4)
    slope = simplex.slope(u)
    for a in range(CLASSES):
        for b in range(CLASSES):
            expected = 2 * simplex.wells(u) * (1 / (1 - u[:, a]) - 1 / (1 - u[:, b]))
            assert torch.allclose(slope[:, b] - slope[:, a], expected)
            assert (expected[u[:, a] > u[:, b]] > 0).all()
    largest = u.argmax(1)
    for _ in range(1000):
        u = simplex.project(u - 0.3 * simplex.slope(u))
    assert (u - one_hot(largest)).abs().max() < 0.01


def test_eq_graph_cuts(tied, exactly):
    """One step against the dense solution, with and without sizes; then it is repeated until nothing moves."""
    graph, _, index, labels = tied
    operator, degrees = laplacian(graph.weights), torch.from_numpy(graph.weights.sum(1))[:, None]
    start, shares = drawn(60, 5), torch.tensor([0.5, 0.3, 0.2])
    for kept in (None, shares):
        before = graph_field.answers(start, kept)
        before[index] = labels[index]
        v = torch.linalg.solve(degrees.squeeze(1).diag() + 4.0 * operator, degrees * one_hot(before))
        v[index] = graph_field.FAST * one_hot(labels[index])
        expected = v.argmax(1) if kept is None else (v + simplex.offsets(v, kept)).argmax(1)
        found, _ = graph_field.threshold(graph.weights, start, index, labels[index], 4.0, kept, steps=1)
        assert torch.equal(found, expected)
    found, steps = graph_field.threshold(graph.weights, start, index, labels[index], 4.0)
    again, _ = graph_field.threshold(graph.weights, one_hot(found), index, labels[index], 4.0, steps=1)
    assert steps < graph_field.STEPS and torch.equal(found, again)


def test_eq_graph_pinned(tied, exactly):
    """Below a time of one no node changes its mind, whatever its neighbours say; above, some do."""
    graph, _, index, labels = tied
    start = one_hot(torch.randint(CLASSES, (60,), generator=torch.Generator().manual_seed(6)))
    start[index] = one_hot(labels[index])
    moved = {}
    for time in (0.5, 0.99, 3.0):
        found, _ = graph_field.threshold(graph.weights, start, index, labels[index], time, steps=1)
        moved[time] = int((found != start.argmax(1)).sum())
    assert moved[0.5] == moved[0.99] == 0 < moved[3.0]
    # A node whose neighbours are tied to it alone: what comes back from them adds to the least of its own class.
    star = csr_array(np.array([[0.0, *[1.0] * 9], *[[1.0, *[0.0] * 9]] * 9]))
    alone = torch.zeros(10, 2).double()
    alone[0, 0] = alone[1:, 1] = 1.0
    degrees = torch.from_numpy(star.sum(1))
    v = torch.linalg.solve(degrees.diag() + 0.9 * laplacian(star), degrees[:, None] * alone)
    assert float(v[0, 0]) == pytest.approx(1.9 / 2.8) and float(v[0, 0]) > 1 / 1.9


def test_eq_graph_downhill(tied, exactly):
    """What the cuts go down, and what it is where the time is short: twice the time times the weight of what is cut."""
    graph, _, index, labels = tied
    operator, degrees = laplacian(graph.weights), torch.from_numpy(graph.weights.sum(1))[:, None]

    def height(corners, time):
        u = one_hot(corners)
        v = torch.linalg.solve(degrees.squeeze(1).diag() + time * operator, degrees * u)
        return float((degrees * u * (u - v)).sum())

    start = torch.randint(CLASSES, (60,), generator=torch.Generator().manual_seed(7))
    start[index] = labels[index]
    passed = [start] + [
        graph_field.threshold(graph.weights, one_hot(start), index, labels[index], 10.0, steps=steps)[0]
        for steps in (1, 2, 3, 4)
    ]
    heights = [height(each, 10.0) for each in passed]
    assert all(after <= before + 1e-9 for before, after in pairwise(heights)) and heights[1] < heights[0]
    cut = graph_field.energy(graph.weights, one_hot(start), 1.0)
    assert height(start, 1e-5) == pytest.approx(2e-5 * cut, rel=1e-3)


def test_eq_graph_flow(tied, exactly):
    """One step against the dense solution; with sizes the field has them, weighted by the degrees."""
    graph, _, index, labels = tied
    operator, degrees = laplacian(graph.weights), torch.from_numpy(graph.weights.sum(1))[:, None]
    start, width = one_hot(drawn(60, 8).argmax(1)), 5.0
    start[index] = one_hot(labels[index])
    keep = 2 / width
    once, _ = graph_field.flow(graph.weights, start, index, labels[index], width, steps=1)
    twice, _ = graph_field.flow(graph.weights, start, index, labels[index], width, steps=2)
    left = (1 + keep) * degrees.squeeze(1).diag() + operator
    # The operator of the code: the degrees once for the step, once in the Laplacian.
    v = torch.linalg.solve(left, degrees * ((1 + keep) * once - simplex.slope(once) / width))
    expected = simplex.project(v)
    expected[index] = one_hot(labels[index])
    assert torch.allclose(twice, expected, atol=1e-7)
    shares = torch.tensor([0.5, 0.3, 0.2]).double()
    u, _ = graph_field.flow(graph.weights, start, index, labels[index], width, shares, steps=300)
    assert ((degrees * u).sum(0) / degrees.sum() - shares).abs().max() < 0.01


@pytest.fixture(scope="module")
def recorded():
    study = Study("graph-field")
    rows = final_rows(study)
    values = dict(iter(rows.assign(percent=100 * rows.accuracy).set_index("seed").groupby("arm").percent))

    def gap(labels, first, second):
        return stats.paired_difference(*(values[f"{labels} per class: {arm}"] for arm in (first, second)))

    return study, values, gap


def test_what_the_text_says_of_the_four_parts(recorded):
    """It says which of them add; only sizes at one label per class are not seen to."""
    _, _, gap = recorded
    for labels in (1, 5, 10, 50, 250):
        graph = gap(labels, "Poisson", "nearest image")
        sizes = gap(labels, "Poisson, sizes", "Poisson")
        wells, alone = gap(labels, "cuts, sizes", "Poisson, sizes"), gap(labels, "cuts", "Poisson")
        assert min(graph.low, wells.low, alone.low) > 0 and graph.mean > sizes.mean + wells.mean
        assert (sizes.low > 0) == (labels > 1)


def test_what_the_text_says_of_many_labels_and_of_sizes_that_are_wrong(recorded):
    _, values, gap = recorded
    assert gap(250, "Laplace", "cuts, sizes").low > 0
    without = max(values[f"250 per class: {arm}"].mean() for arm in ("Laplace", "Laplace, sizes", "Poisson, sizes"))
    ahead = [arm for arm, rows in values.items() if arm.startswith("250") and rows.mean() > without]
    assert ahead == ["250 per class: smooth wells, sizes"]
    assert gap(250, "smooth wells, sizes", "Laplace, sizes").low > 0
    wrong = [gap(labels, "cuts, equal sizes", "cuts") for labels in (1, 10, 250)]
    assert wrong[0].low < 0 < wrong[0].high and wrong[1].mean < 0 and wrong[2].high < 0
    assert gap(1, "cuts, equal sizes", "cuts, sizes").high < 0


def test_what_the_text_says_of_the_time(recorded):
    """One time for cuts with sizes at every number of labels, and smooth wells at their narrowest in three of five."""
    study, _, _ = recorded
    chosen = study.tuned(study.table()).lr
    assert {chosen[arm] for arm in chosen.index if arm.endswith(": cuts, sizes")} == {30}
    narrow = [arm for arm in chosen.index if arm.endswith("smooth wells, sizes") and chosen[arm] == 2]
    assert len(narrow) == 3
