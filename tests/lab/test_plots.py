"""The house figures: readable colours, one look, spread always drawn, and no silent nonsense."""

import itertools
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")

from matplotlib import pyplot as plt  # after the backend is chosen

from physnn.lab import plots
from physnn.lab.palette import ROLES, TOKENS
from physnn.lab.style import COLORS, FONT_SIZE, WIDTH, svg


@pytest.fixture(autouse=True)
def house_style():
    with mpl.rc_context():
        plots.style()
        yield
    plt.close("all")


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
