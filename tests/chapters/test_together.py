"""The equations of the chapter on loss, layer and optimizer together, each by its label."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from physnn import DynamicLinear
from physnn.lab.records.studies import Study
from physnn.lab.statistics import factorial
from physnn.lab.statistics.budget import expected_best

FACTORS = ["A", "B", "C"]


@pytest.fixture
def cells():
    """One seed: the accuracy of eight cells, at random."""
    on = list(itertools.product((True, False), repeat=3))
    y = np.random.default_rng(3).normal(90, 2, size=8)
    return pd.DataFrame(on, columns=FACTORS).assign(seed=0, y=y)


def effect(cells, *factors):
    return factorial.effects(cells, FACTORS, "y").loc[0, " × ".join(factors)]


def test_eq_together_effect(cells):
    """A quarter of the signed sum: the mean of the four cells with the factor less that of the four without."""
    for factor in FACTORS:
        means = cells.groupby(factor).y.mean()
        assert effect(cells, factor) == pytest.approx(means[True] - means[False])
        signs = cells[factor].map({True: 1, False: -1})
        assert effect(cells, factor) == pytest.approx((signs * cells.y).sum() / 4)


def test_eq_together_interaction(cells):
    """Half of what one effect changes when another factor is switched on; for three, half of what that of two does."""
    signs = cells[FACTORS].astype(int) * 2 - 1

    def within(rows, *factors):
        """The effect in the cells of a half: a factorial with one factor less."""
        left = [f for f in FACTORS if rows[f].nunique() > 1]
        return factorial.effects(rows, left, "y").loc[0, " × ".join(factors)]

    assert effect(cells, "A", "B") == pytest.approx((within(cells[cells.B], "A") - within(cells[~cells.B], "A")) / 2)
    assert effect(cells, "A", "B") == pytest.approx((signs.A * signs.B * cells.y).sum() / 4)
    half = (within(cells[cells.C], "A", "B") - within(cells[~cells.C], "A", "B")) / 2
    assert effect(cells, "A", "B", "C") == pytest.approx(half)
    assert effect(cells, "A", "B", "C") == pytest.approx((signs.prod(axis=1) * cells.y).sum() / 4)


def test_eq_together_gap(cells):
    """All three against none: main effects and the interaction of three, and no pair."""
    y = cells.set_index(FACTORS).y
    total = sum(effect(cells, f) for f in FACTORS) + effect(cells, *FACTORS)
    assert y[True, True, True] - y[False, False, False] == pytest.approx(total)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_eq_together_start(beta):
    """The root mean square of a dynamic layer's outputs at its start, for inputs of unequal size, and behind a ReLU."""
    generator = torch.Generator().manual_seed(0)
    sizes = torch.linspace(0.2, 1.0, 784)
    x = sizes * torch.rand(500, 784, generator=generator)
    torch.manual_seed(0)
    first, second = DynamicLinear(784, 1280, beta=beta), DynamicLinear(1280, 1000, beta=beta)

    def expected(layer, q):
        n, m = layer.in_features, layer.out_features
        return math.cosh(5 * beta) * math.sqrt(2 / (n + m) * (torch.arange(n).square() * q).sum())

    with torch.no_grad():
        hidden = first(x)
        size = expected(first, x.square().mean(0))
        assert hidden.square().mean().sqrt().item() == pytest.approx(size, rel=0.05)
        out = second(hidden.relu())
        assert out.square().mean().sqrt().item() == pytest.approx(expected(second, size**2 / 2), rel=0.1)


def test_two_layers_at_beta_ten_leave_single_precision():
    assert math.cosh(50) ** 2 > 1e42 > torch.finfo(torch.float32).max > 3.4e38
    torch.manual_seed(0)
    layers = DynamicLinear(784, 128, beta=10.0), DynamicLinear(128, 10, beta=10.0)
    hidden = layers[0](torch.rand(8, 784)).relu()
    assert hidden.isfinite().all() and not layers[1](hidden).isfinite().all()


def test_eq_together_best():
    """The sum over the ordered trials is the mean over all draws of n of them."""
    y = sorted(np.random.default_rng(4).uniform(size=8))
    found = expected_best(y)["mean"]
    for n in range(1, 9):
        ways = [math.comb(i - 1, n - 1) / math.comb(8, n) for i in range(1, 9)]
        assert found[n] == pytest.approx(sum(p * value for p, value in zip(ways, y, strict=True)))
        assert found[n] == pytest.approx(np.mean([max(draw) for draw in itertools.combinations(y, n)]))


def test_the_design_is_the_factorial_that_the_chapter_reads():
    """Eight cells in each of two models, the proposal first and the baseline last, and one draw of trials for all."""
    study = Study("together")
    cells = list(study.design["arms"])
    parts = {tuple(cell.split(", ")) for cell in cells}
    assert parts == set(itertools.product(("GL", "CE"), ("dynamic", "plain"), ("noise", "T = 0")))
    assert cells[0] == "GL, dynamic, noise" and cells[-1] == "CE, plain, T = 0" and len(study.arms) == 16
    for name, recipe in study.arms.items():
        assert (recipe["loss"] == "ginzburg-landau") == (": GL" in name)
        assert (recipe["layer"] == "dynamic") == ("dynamic" in name)
        assert (recipe["temperature"] == "search") == ("noise" in name)
    rates = [setting["lr"] for setting in study.settings("linear: " + cells[0])]
    assert len(set(rates)) == len(rates) == study.design["tuning"]["trials"]  # a rate names its trial
