"""The house figures: readable colours, one look, spread always drawn, and no silent nonsense."""

import itertools
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")


from physnn.lab.figures import plots
from physnn.lab.figures.palette import ROLES, TOKENS
from physnn.lab.figures.style import COLORS, FONT_SIZE, WIDTH, svg
from physnn.lab.statistics import stats, survival
from physnn.lab.statistics.survival import Duration


@pytest.fixture
def history() -> pd.DataFrame:
    rows = [
        (arm, seed, epoch, level + seed + epoch)
        for arm, level in [("proposal", 0), ("CE", 1)]
        for seed in range(3)
        for epoch in range(1, 5)
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "epoch", "accuracy"])


def linear(color: str) -> np.ndarray:
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    """Return WCAG's contrast ratio."""
    low, high = sorted(float(np.dot([0.2126, 0.7152, 0.0722], linear(color))) for color in (a, b))
    return (high + 0.05) / (low + 0.05)


# The grid alone is exempt: it is decoration, every value can be read from the axis.
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("page", ["light", "dark"])
def test_every_line_and_label_is_readable_on_its_paper(role, page):
    assert contrast(getattr(TOKENS[role], page), getattr(TOKENS["paper"], page)) >= 4.5


# Machado, Oliveira & Fernandes (2009), severity 1: what the two common colour-blind readers see.
COLOUR_BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


@pytest.mark.parametrize("reader", COLOUR_BLIND)
@pytest.mark.parametrize("page", ["light", "dark"])
def test_roles_stay_apart_for_colour_blind_readers(reader, page):
    def lab(color):
        seen = np.clip(np.array(COLOUR_BLIND[reader]) @ linear(color), 0, 1)
        to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
        x, y, z = np.cbrt(to_xyz @ seen / np.array([0.9505, 1, 1.089]))
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    for a, b in itertools.combinations(["proposal", "baseline", "corrected", "theory"], 2):
        distance = np.linalg.norm(lab(getattr(TOKENS[a], page)) - lab(getattr(TOKENS[b], page)))
        assert distance > 15, f"{a} and {b} look alike ({distance:.0f}) to a {reader} reader on the {page} page"


def test_style_is_idempotent():
    once = dict(mpl.rcParams)
    plots.style()
    assert dict(mpl.rcParams) == once


def test_what_a_matplotlibrc_says_does_not_count():
    expected = dict(mpl.rcParams)
    reader = {"text.usetex": True, "axes.titlelocation": "right", "lines.marker": "o", "font.size": 3.0}
    with mpl.rc_context(reader):
        plots.style()
        assert dict(mpl.rcParams) == expected


def test_text_is_readable_on_a_phone():
    page = 330  # px left for the figure on a 360 px screen
    assert FONT_SIZE * page / (72 * WIDTH) >= 10


def test_svg_swaps_every_token_and_nothing_else(history):
    fig, _ax = plots.learning_curves(history, roles={"CE": "baseline"})
    text = svg(fig)
    ET.fromstring(text)
    embedded, drawn = text.split("</style>", 1)[0], text.split("</style>", 1)[1]
    used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", drawn))
    assert {COLORS["proposal"], COLORS["baseline"], COLORS["paper"]} <= used
    assert used <= {token.light for token in TOKENS.values()}, (
        "a colour outside the palette stays light on the dark page"
    )
    for color in used:
        assert f'[style*="fill: {color}"]' in embedded and f'[style*="stroke: {color}"]' in embedded
    assert "<text" not in text, "letters must be outlines: an image cannot load the page's fonts"


def test_svg_is_the_same_bytes_for_the_same_figure(history):
    first, second = (svg(plots.learning_curves(history, roles={"CE": "baseline"})[0]) for _ in range(2))
    assert first == second


def test_rasters_keep_their_pixels():
    fig, _ = plots.images(np.arange(49.0).reshape(1, 7, 7))
    assert svg(fig).count("<image") >= 1


def test_learning_curves_draw_the_median_and_the_whole_range(history):
    _, ax = plots.learning_curves(history, roles={"CE": "baseline"}, xlabel="epoch", ylabel="accuracy (%)")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [2, 3, 4, 5])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == 1 and band.max() == 6
    assert ax.get_ylabel() == "accuracy (%)" and ax.get_legend() is None


def test_learning_curves_draw_one_standard_deviation(history):
    _, ax = plots.learning_curves(history, roles={"CE": "baseline"}, spread="sd")
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(1) and band.max() == pytest.approx(6)


def test_a_curve_that_leaves_the_axes_is_named_at_their_edge(history):
    fig, ax = plots.learning_curves(history.assign(accuracy=-1000.0), roles={"CE": "baseline"}, ylim=(0, 10))
    fig.draw_without_rendering()
    assert all(fig.bbox.contains(*text.get_window_extent().min) for text in ax.texts)


def test_whole_numbers_of_epochs_have_whole_ticks(history):
    fig, ax = plots.learning_curves(history[history.epoch <= history.epoch.min() + 1], roles={"CE": "baseline"})
    fig.draw_without_rendering()
    assert all(tick == round(tick) for tick in ax.get_xticks())


def test_names_at_the_ends_do_not_overlap(history):
    arms = [history.assign(arm=f"arm {i}", accuracy=50 + 0.01 * i) for i in range(5)]
    fig, ax = plots.learning_curves(pd.concat(arms), roles={f"arm {i}": "muted" for i in range(5)}, ylim=(0, 100))
    fig.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)
    assert len(boxes) == 5
    assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))
    assert all(0 <= box.x0 and box.x1 <= fig.bbox.x1 for box in boxes), "a name is cut off"


def test_arms_of_one_role_share_the_colour_and_differ_by_dashes(history):
    _, ax = plots.learning_curves(history, roles={"CE": "baseline", "proposal": "baseline"})
    first, second = ax.lines
    assert first.get_color() == second.get_color() == COLORS["baseline"]
    assert first._unscaled_dash_pattern != second._unscaled_dash_pattern


def test_intervals_draw_every_seed_and_the_given_interval(history):
    last = history[history.epoch == 4]
    summary = pd.DataFrame({"mean": [6.0, 5.0], "low": [5.5, 4.0], "high": [6.5, 6.0]}, index=["CE", "proposal"])
    fig, ax = plots.intervals(
        last, summary, roles={"CE": "baseline"}, references={"the post": 5.0, "also the post": 5.1}
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["CE", "proposal"]
    np.testing.assert_array_equal(np.sort(ax.collections[0].get_offsets()[:, 0]), [5, 6, 7])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [5.5, 6.5])
    fig.draw_without_rendering()
    first, second = (text.get_window_extent() for text in ax.texts)
    assert not first.overlaps(second)


@pytest.fixture
def varied(history) -> pd.DataFrame:
    """The mean and interval of two arms at five values of a coefficient."""
    tables = [history.assign(quartic=q, accuracy=history.accuracy + abs(q)) for q in (-50.0, -5.0, 0.0, 5.0, 50.0)]
    return stats.summary(pd.concat(tables), "accuracy", by=["arm", "quartic"])


@pytest.fixture
def contrasts(history) -> pd.DataFrame:
    last = history[history.epoch == 4].assign(
        accuracy=lambda rows: rows.accuracy + 0.1 * rows.seed * (rows.arm == "CE")
    )
    one = stats.comparisons(last, [("CE", "proposal"), ("proposal", "CE")], "accuracy")
    return pd.concat([one.assign(model="small"), one.assign(model="large")])


@pytest.fixture
def curves() -> pd.DataFrame:
    runs = {
        "proposal": [Duration(3, True), Duration(5, True), Duration(9, False)],
        "CE": [Duration(2, True), Duration(4, True), Duration(4, True)],
    }
    return survival.kaplan_meier(pd.concat([pd.DataFrame(runs[arm]).assign(arm=arm) for arm in runs]))


def test_response_draws_every_point_and_its_interval(varied):
    fig, ax = plots.response(varied, x="quartic", roles={"CE": "baseline"}, xlabel="quartic", ylabel="accuracy (%)")
    rows = varied.loc["proposal"]
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), rows["mean"].reset_index())
    np.testing.assert_allclose([line[:, 1] for line in ax.collections[0].get_segments()], rows[["low", "high"]])
    assert ax.lines[0].get_color() == COLORS["proposal"] and ax.get_ylabel() == "accuracy (%)"
    low, high = ax.get_ylim()
    assert low < varied.low.min() and varied.high.max() < high
    left, right = ax.get_xlim()
    assert left < -50 and 50 < right
    fig.draw_without_rendering()
    a, b = (line.get_transform().transform((0, 0))[0] * 72 / fig.dpi for line in (ax.lines[0], ax.lines[2]))
    assert b - a == pytest.approx(4), "points of equal x hide each other"


def test_response_takes_columns_and_draws_in_the_order_of_x(varied):
    _, ax = plots.response(varied.reset_index().sample(frac=1, random_state=0), x="quartic", roles={"CE": "baseline"})
    assert all((np.diff(line.get_xdata()) > 0).all() for line in ax.lines)


@pytest.mark.parametrize(
    ("values", "threshold", "expected"),
    [
        ([-50, -5, 0, 5, 50], 0.5, ["−10", "−1", "0", "1", "10"]),
        ([0, 1e-4, 1e-2, 1], 1e-4, ["0", "0.0001", "0.001", "0.01", "0.1", "1"]),
        ([-1e5, 0, 1e5], 1e-3, ["−100000", "−1", "0", "1", "100000"]),
        ([0, 0.01], 1, ["0"]),
    ],
)
def test_ticks_of_a_symmetric_logarithmic_axis_do_not_touch(values, threshold, expected):
    table = pd.DataFrame({"arm": "proposal", "q": values, "mean": 1.0, "low": 0.0, "high": 2.0})
    fig, ax = plots.response(table, x="q", linear_below=threshold, references={"the post": values[-1]})
    fig.draw_without_rendering()
    labels = ax.get_xticklabels()
    assert [label.get_text() for label in labels] == expected
    boxes = [label.get_window_extent() for label in labels]
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    assert ax.get_xlim()[0] < min(values) and max(values) < ax.get_xlim()[1]


def test_differences_draw_intervals_zero_and_the_margin(contrasts):
    fig, axes = plots.differences(contrasts, panel="model", margin=0.2, roles={"proposal": "proposal"})
    assert [ax.get_title(loc="left") for ax in axes] == ["small", "large"]
    first = axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["CE\n− proposal", "proposal\n− CE"]
    lines = {line.get_color(): line for line in first.lines if len(line.get_xdata()) == 2}
    row = contrasts.iloc[1]
    np.testing.assert_array_equal(lines[COLORS["proposal"]].get_xdata(), [row.low, row.high])
    np.testing.assert_array_equal(lines[COLORS["muted"]].get_xdata(), [0, 0])
    assert COLORS["ink"] in lines
    band = first.patches[0]
    assert (band.get_x(), band.get_width()) == pytest.approx((-0.2, 0.4))
    assert [text.get_text() for text in axes[-1].texts] == ["±0.2"]
    fig.draw_without_rendering()
    boxes = [label.get_window_extent() for ax in axes for label in ax.get_yticklabels()]
    assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_differences_may_have_names(contrasts):
    named = contrasts[:2].assign(name=["layer", "loss"])
    _, axes = plots.differences(named, label="name", roles={"layer": "corrected"}, xlabel="points")
    assert len(axes) == 1 and axes[0].get_xlabel() == "points" and not axes[0].patches
    assert [label.get_text() for label in axes[0].get_yticklabels()] == ["layer", "loss"]
    assert axes[0].lines[1].get_color() == COLORS["corrected"]


def test_survival_draws_steps_intervals_and_censored_runs(curves):
    _, ax = plots.survival(curves, roles={"CE": "baseline"}, xlabel="epochs to 97 %")
    steps = [line for line in ax.lines if line.get_marker() == "None"]
    np.testing.assert_allclose(steps[0].get_xydata(), [(0, 1), (3, 2 / 3), (5, 1 / 3), (9, 1 / 3)])
    np.testing.assert_allclose(steps[1].get_xydata(), [(0, 1), (2, 2 / 3), (4, 0), (9, 0)])  # and it stays there
    marks = [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "|"]
    np.testing.assert_allclose(marks[0], [(9, 1 / 3)])
    assert marks[1] == []
    bands = [band.get_paths()[0].get_extents() for band in ax.collections]
    assert [(band.x0, band.x1) for band in bands] == [(3, 9), (2, 4)], "a band covers its steps, and no more"
    assert ax.get_ylim()[0] < 0 and ax.get_ylim()[1] > 1


def test_of_curves_that_end_together_the_slower_is_named_above(curves):
    slower = curves[curves.arm == "CE"].assign(arm="slower", epochs=lambda rows: 2 * rows.epochs)
    slower["survival"] = [1, 0.9, 0]
    fig, ax = plots.survival(pd.concat([slower, curves]), roles={"CE": "baseline", "slower": "theory"})
    fig.draw_without_rendering()
    at = {text.get_text(): text.get_window_extent() for text in ax.texts}
    assert at["CE"].y1 <= at["slower"].y0 + 1 and at["slower"].y1 <= at["proposal"].y0 + 1


@pytest.mark.parametrize("kind", ["response", "differences", "survival"])
def test_the_dark_page_knows_every_colour(kind, request):
    fixture = {"response": "varied", "differences": "contrasts", "survival": "curves"}[kind]
    table = request.getfixturevalue(fixture)
    options = {"response": {"x": "quartic", "roles": {"CE": "baseline"}, "references": {"post": -5}},
               "differences": {"margin": 0.2}, "survival": {"roles": {"CE": "baseline"}}}[kind]  # fmt: skip
    drawn = svg(getattr(plots, kind)(table, **options)[0]).split("</style>", 1)[1]
    used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", drawn))
    assert used <= {token.light for token in TOKENS.values()}


def test_images_share_one_symmetric_scale():
    _, axes = plots.images(np.stack([np.full((3, 3), -2.0), np.ones((3, 3))]), titles=["a", "b"])
    assert [ax.images[0].get_clim() for ax in axes.flat] == [(-2, 2), (-2, 2)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda h: plots.learning_curves(h, y="loss", roles={"CE": "baseline"}), r"no column \['loss'\]"),
        (lambda h: plots.learning_curves(h), "arm 'CE' has no role"),
        (lambda h: plots.learning_curves(h, roles={"CE": "baseline"}, spread="iqr"), "spread='iqr'"),
        (lambda h: plots.learning_curves(h[:0]), "no rows"),
        (lambda h: plots.intervals(h, pd.DataFrame({"mean": [1], "low": [0], "high": [2]}, index=["CE"])), "the same"),
        (lambda h: plots.images(np.zeros((3, 3))), r"shape \(3, 3\)"),
        (lambda h: plots.images(np.full((1, 3, 3), np.nan)), "finite"),
        (lambda h: plots.images(np.zeros((2, 3, 3)), titles=["one"]), "1 titles for 2 images"),
        (lambda h: plots.images(np.zeros((2, 3, 3)), scale="log"), "scale='log'"),
    ],
)
def test_bad_input_is_refused_with_the_offending_value(history, call, message):
    with pytest.raises(ValueError, match=message):
        call(history)


@pytest.mark.parametrize(
    ("kind", "change", "options", "message"),
    [
        ("response", {}, {"x": "lr"}, r"no column \['lr'\]"),
        ("response", {"low": np.nan}, {"x": "quartic"}, "'low' must be finite"),
        ("response", {"quartic": 1.0}, {"x": "quartic"}, "several rows of one 'quartic'"),
        ("response", {}, {"x": "quartic"}, "arm 'CE' has no role"),
        ("response", {}, {"x": "quartic", "linear_below": 0}, "linear_below must be positive"),
        ("differences", {}, {"label": "name"}, r"no column \['name'\]"),
        ("differences", {"high": np.inf}, {}, "'high' must be finite"),
        ("differences", {}, {"margin": -0.2}, "margin must be positive, got -0.2"),
        ("differences", {}, {"roles": {"CE": "villain"}}, "arm 'CE' has no role; give"),
        ("survival", {}, {"by": "model"}, r"no column \['model'\]"),
        ("survival", {}, {}, "arm 'CE' has no role"),
    ],
)
def test_bad_summaries_are_refused(kind, change, options, message, request):
    fixture = {"response": "varied", "differences": "contrasts", "survival": "curves"}[kind]
    table = request.getfixturevalue(fixture)
    table = table.reset_index() if kind == "response" else table
    with pytest.raises(ValueError, match=message):
        getattr(plots, kind)(table.assign(**change), **options)
