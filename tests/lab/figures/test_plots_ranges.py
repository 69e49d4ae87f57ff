"""The map of arms over settings, and the axis of small and large differences."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

mpl.use("agg")

from matplotlib import pyplot as plt  # after the backend is chosen

from physnn.lab.figures import plots
from physnn.lab.figures.style import COLORS

HEAT = pd.DataFrame([[50, 90, 91, np.nan], [95, 80, 60, 60]], ["as printed", "plain"], [0.01, 0.1, 1.0, 10.0])
GOOD = HEAT.ge(HEAT.max(axis=1) - 1, axis=0)


def drawn(**options):
    same = {"roles": {"plain": "baseline"}, "limits": (50, 100), "ticks": {0: "0.01", 2: "1"}}
    return plots.ranges({"linear": HEAT, "MLP": HEAT}, {"linear": GOOD, "MLP": GOOD}, **same | options)


def test_what_is_good_is_framed_and_what_is_missing_crossed():
    fig, axes = drawn(label="accuracy, %")
    assert [ax.get_title(loc="left") for ax in axes] == ["linear", "MLP"]
    first, crosses, second, none = axes[0].lines
    assert (min(first.get_xdata()), max(first.get_xdata())) == (0.5, 2.5) and set(first.get_ydata()) == {-0.4, 0.4}
    assert (min(second.get_xdata()), max(second.get_xdata())) == (-0.5, 0.5)
    assert [to_hex(line.get_color()) for line in (first, second)] == [COLORS["proposal"], COLORS["baseline"]]
    assert list(crosses.get_xdata()) == [3] and len(none.get_xdata()) == 0
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["0.01", "1"]
    assert fig.axes[-1].get_xlabel() == "accuracy, %"


def test_an_arm_that_is_good_nowhere_is_refused():
    with pytest.raises(ValueError, match="each good somewhere; 'MLP' does not"):
        plots.ranges({"MLP": HEAT}, {"MLP": GOOD & False}, limits=(0, 1), ticks={})


def test_differences_are_marked_on_both_sides_of_zero():
    _, ax = plt.subplots()
    plots.symlog_points(ax, -20, 2)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["−10", "−1", "0", "1"]
    assert ax.get_xscale() == "symlog" and ax.get_xlim() == (-20, 2)
    plots.symlog_points(ax, -5, 50, (1, 3, 30))
    assert list(ax.get_xticks()) == [-3, -1, 0, 1, 3, 30]
    with pytest.raises(ValueError, match="both sides of 0, got 1 to 5"):
        plots.symlog_points(ax, 1, 5)
