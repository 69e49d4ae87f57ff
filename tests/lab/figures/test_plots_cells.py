"""Figures of a factorial's cells: every panel has its name and its curves, and nonsense is refused."""

import itertools

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.colors import to_hex

mpl.use("agg")


from physnn.lab.figures import plots
from physnn.lab.figures.style import COLORS, WIDTH
from physnn.lab.statistics.budget import expected_best

CELLS = ["a, on", "a, off", "b, on", "b, off"]


@pytest.fixture
def errors():
    several = {}
    for i, (arm, model) in enumerate(itertools.product(CELLS, ["linear", "MLP"])):
        best = expected_best([10, 50 + i, 80 + i, 90 + i])
        several[arm, model] = pd.DataFrame({"mean": 100 - best["mean"], "low": 100 - best.high, "high": 100 - best.low})
    return pd.concat(several, names=["arm", "model"]).reset_index()


@pytest.fixture
def weights():
    rows = [(a, m, p) for a, m, p in itertools.product(CELLS, ["linear", "MLP"], ["rate", "damping"])]
    table = pd.DataFrame(rows, columns=["arm", "model", "parameter"])
    return table.assign(mean=0.5, low=0.4, high=0.6, score=0.81)


@pytest.fixture
def runs():
    places = itertools.product([0.001, 0.1, 10.0], [0.1, 1.0], ["GL", "CE"], ["linear", "MLP"], [1, 2])
    return pd.DataFrame(places, columns=["lr", "beta", "loss", "model", "seed"]).assign(outcome="learns")


def test_budgets_have_a_panel_for_each_cell(errors):
    fig, axes = plots.budgets(errors, roles={"a, on": "proposal"}, reference="b, off")
    assert [ax.get_title(loc="left") for ax in axes.flat] == CELLS and fig.get_figwidth() == WIDTH
    # Its own two curves, and the reference's two, thin.
    assert [len(ax.lines) for ax in axes.flat] == [4, 4, 4, 2]
    assert to_hex(axes[0, 0].lines[1].get_color()) == COLORS["proposal"]
    drawn = errors[(errors.arm == "a, on") & (errors.model == "linear")]
    assert axes[0, 0].lines[1].get_ydata().tolist() == drawn["mean"].tolist()
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["linear", "MLP"]
    assert [label.get_text() for label in axes[1, 0].get_xticklabels()] == ["1", "3"]


def test_one_group_needs_no_key(errors):
    fig, axes = plots.budgets(errors[(errors.model == "MLP") & (errors.arm != "b, off")])
    assert not fig.legends and not axes[1, 1].axison


def test_importances_name_their_rows_and_what_the_forest_explains(weights):
    weights.loc[weights.model == "MLP", "score"] = -0.1
    _, axes = plots.importances(weights, roles={"b, off": "baseline"})
    assert [ax.get_title(loc="left") for ax in axes.flat] == [f"{cell}\nR² 0.81, −0.10" for cell in CELLS]
    assert [label.get_text() for label in axes[0, 0].get_yticklabels()] == ["rate", "damping"]
    assert to_hex(axes[1, 1].lines[0].get_color()) == COLORS["baseline"]


def test_of_several_seeds_the_worst_is_drawn_and_marked(runs):
    runs.loc[0, "outcome"] = "diverged"  # the first seed of the smallest rate
    runs.loc[runs.lr == 10, "outcome"] = "at chance"
    _, axes = plots.outcomes(runs, x="lr", y="beta", row="loss")
    assert axes.shape == (2, 2) and [ax.get_title(loc="left") for ax in axes[:, 0]] == ["linear\nGL", "CE"]
    colors = {p.get_xy(): to_hex(p.get_facecolor()) for p in axes[0, 0].patches}
    assert len(colors) == 6 and colors[-0.46, -0.46] == COLORS["ink"] and colors[1.54, 0.54] == COLORS["grid"]
    assert colors[0.54, -0.46] == COLORS["corrected"]
    assert [len(ax.lines) for ax in axes.flat] == [1, 0, 0, 0]


def test_bad_tables_are_refused(errors, weights, runs):
    with pytest.raises(ValueError, match="no column"):
        plots.budgets(errors.drop(columns="low"))
    with pytest.raises(ValueError, match="must be finite"):
        plots.importances(weights.assign(score=float("nan")))
    with pytest.raises(ValueError, match="tell 2 apart"):
        plots.budgets(pd.concat([errors, errors.assign(model="CNN")]))
    with pytest.raises(ValueError, match="outcomes are learns, at chance, diverged, got"):
        plots.outcomes(runs.replace("learns", "wins"), x="lr", y="beta", row="loss")
    with pytest.raises(ValueError, match="every place of the 2 by 2 maps needs a run"):
        plots.outcomes(runs[2:], x="lr", y="beta", row="loss")
