"""Figures of paths and of grouped rows: what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from physnn.lab.figures import plots

PATHS = pd.DataFrame({
    "who": ["ridge", "ridge", "ridge", "proposal"], "x": [90.0, 95.0, 94.0, 92.0],
    "mean": [3.0, 2.0, 1.0, 5.0], "low": [2.5, 1.5, 0.5, 4.0], "high": [3.5, 2.5, 1.5, 6.0],
})  # fmt: skip
ROLES = {"ridge": "baseline", "proposal": "proposal"}


def teardown_function():
    plt.close("all")


def test_a_path_is_drawn_in_its_order_and_who_is_alone_as_a_point():
    _, ax = plots.paths(PATHS, x="x", by="who", roles=ROLES, aside={"proposal": (-8, 4)})
    line, *_ = ax.lines
    assert line.get_xdata().tolist() == [90, 95, 94] and line.get_ydata().tolist() == [3, 2, 1]
    alone = ax.lines[-1]
    assert alone.get_xdata().tolist() == [92] and alone.get_markersize() > 8
    places = {text.get_text(): (text.xy, text.get_ha()) for text in ax.texts}
    assert places == {"ridge": ((94, 1), "left"), "proposal": ((92, 5), "right")}
    spread = [segment[:, 1].tolist() for segments in ax.collections for segment in segments.get_segments()]
    assert spread == [[2.5, 3.5], [1.5, 2.5], [0.5, 1.5], [4, 6]]
    with pytest.raises(ValueError, match="role"):
        plots.paths(PATHS, x="x", by="who", roles={"proposal": "proposal"})
    with pytest.raises(ValueError, match="finite"):
        plots.paths(PATHS.assign(low=np.nan), x="x", by="who", roles=ROLES)


def test_the_axis_of_accuracy_is_logarithmic_in_the_error():
    _, ax = plt.subplots()
    plots.percent_ticks(ax, 80, 99)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["80", "85", "90", "93", "95", "97", "98", "99"]
    at = [ax.transData.transform((x, 0))[0] for x in (80, 90, 95)]
    assert at[1] - at[0] == pytest.approx(at[2] - at[1]), "a halved error is one step"


def test_grouped_rows_keep_their_places():
    table = pd.DataFrame({
        "family": ["blur", "blur", "stripe", "stripe"], "arm": ["a", "b"] * 2,
        "mean": [1.0, 2.0, -1.0, 0.5], "low": [0.5, 1.5, -2.0, 0.0], "high": [1.5, 2.5, 0.0, 1.0],
    })  # fmt: skip
    fig, ax = plots.grouped(table, label="family", by="arm", roles={"a": "proposal", "b": "proposal"})
    first, second = ax.lines[1:]
    assert first.get_xdata().tolist() == [1, -1] and second.get_xdata().tolist() == [2, 0.5]
    assert first.get_ydata()[0] < second.get_ydata()[0] < first.get_ydata()[1]
    assert first.get_marker() != second.get_marker(), "one role, two looks"
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["blur", "stripe"]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["a", "b"]
