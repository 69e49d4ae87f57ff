"""The map of two settings: its shades lie where the settings are, what is missing is crossed, lines keep their dash."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")

from physnn.lab.figures.phase_map import SHADES, phase_map
from physnn.lab.figures.style import COLORS

FREE = pd.DataFrame([[10.0, 20.0, 30.0], [40.0, np.nan, 60.0]], [1.0, 10.0], [0.3, 3.0, 30.0])
KEPT = FREE.fillna(50.0)
X = np.array([0.3, 30.0])
LINES = {"free": {"falls": (X, 2 * X), "sticks": (X, 3 * X)}, "kept": {"sticks": (X, 3 * X)}}


def drawn(maps=None, lines=LINES):
    maps = maps or {"right, %": {"free": FREE, "kept": KEPT}, "largest": {"free": FREE / 100, "kept": KEPT / 100}}
    limits = {name: (0.0, 100.0) for name in maps}
    return phase_map(maps, lines, limits=limits, xlabel="stiffness", ylabel="depth")


def test_shades_lie_where_the_settings_are():
    fig, axes = drawn()
    assert axes.shape == (2, 2) and [ax.get_title(loc="left") for ax in axes[0]] == ["free", "kept"]
    (mesh,) = axes[0, 1].collections
    assert mesh.get_array().ravel().tolist() == [10, 20, 30, 40, 50, 60]
    corners = mesh.get_coordinates()
    for i, depth in enumerate(FREE.index):
        for j, stiffness in enumerate(FREE.columns):
            (left, low), (right, high) = corners[i, j], corners[i + 1, j + 1]
            assert left * right == pytest.approx(stiffness**2) and low * high == pytest.approx(depth**2)
    assert [ax.get_ylabel() for ax in fig.axes[4:]] == ["right, %", "largest"]
    assert [label.get_text() for label in axes[1, 0].get_xticklabels()] == ["0.1", "1", "10"]


def test_what_is_missing_is_crossed_and_not_shaded():
    _, axes = drawn()
    (mesh,) = axes[0, 0].collections
    assert mesh.get_array().mask.ravel().tolist() == [False, False, False, False, True, False]
    crosses, *_ = axes[0, 0].lines
    assert (list(crosses.get_xdata()), list(crosses.get_ydata())) == ([3.0], [10.0])
    assert len(axes[0, 1].lines[0].get_xdata()) == 0
    assert min(SHADES(0.0)[:3]) < 0.95, "the lightest shade would look like the paper"


def test_a_line_has_one_dash_and_the_colour_of_theory():
    fig, axes = drawn()
    _, falls, sticks = axes[0, 0].lines
    (_, alone) = axes[1, 1].lines
    assert sticks._dash_pattern == alone._dash_pattern != falls._dash_pattern
    assert {line.get_color() for line in (falls, sticks, alone)} == {COLORS["theory"]}
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["falls", "sticks"]
    assert not drawn(lines={})[0].legends


def test_panels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="'largest' does not have that"):
        drawn({"right, %": {"free": FREE, "kept": KEPT}, "largest": {"free": FREE}})
    with pytest.raises(ValueError, match="over the same settings"):
        drawn({"right, %": {"free": FREE, "kept": KEPT.iloc[:1]}})
    with pytest.raises(ValueError, match="ascending order, got"):
        drawn({"right, %": {"free": FREE.iloc[:, ::-1]}})
