"""The walkers that a reader moves, from the chapter's own cells, in Chromium: cold they stay, and warm they find."""

from pathlib import Path

import numpy as np
import pytest

from book.tools import pairs
from physnn.lab.physics import densities
from tests.chapters.pushed import drawn
from tests.reading import CHROMIUM, Complaints, opened, served

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "extensions.md"
BEFORE = """
import json
from types import SimpleNamespace

import numpy as np
import torch

from physnn import Langevin
from physnn.lab.figures import plots
from physnn.lab.metrics.coverage import counts, covered, total_variation
from physnn.lab.physics import densities

glue, p = lambda *_: None, SimpleNamespace(seed=0)
"""
VALUE = "name => Bokeh.documents[0].get_model_by_name(name)"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowd")
    cells = pairs.notebook(SOURCE).cells
    (judged,) = [cell.source for cell in cells if cell.cell_type == "code" and "def judged(" in cell.source]
    drawn(SOURCE, "from bokeh.layouts", BEFORE + judged, folder)
    with served(folder) as address:
        yield f"{address}index.html"


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as (page, complaints):
        page.emulate_media(reduced_motion="reduce")  # the whole walk at once
        page.wait_for_selector(".noUi-handle[aria-label]")
        yield page
        assert complaints == Complaints()


def walk(page, **chosen) -> dict[str, float]:
    """Set the sliders, press the button by keyboard, wait, and return what the figure measured."""
    for name, value in chosen.items():
        page.evaluate(f"([name, value]) => {{ (({VALUE})(name)).value = value }}", [name, value])
    page.get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"(({VALUE})('result')).data.share", timeout=60_000)
    return {key: items[0] for key, items in page.evaluate(f"({VALUE})('result').data").items()}


def test_cold_walkers_stay_and_warm_ones_find_the_modes(page):
    cold = walk(page, heat=0.0)
    assert cold["share"] == 12.5 and cold["step"] == 2000
    assert walk(page, heat=1.0)["share"] >= 87.5


def test_the_other_density_has_its_own_modes(page):
    cold = walk(page, kind=1, heat=0.0)
    asked = int((densities.shares("rugged") >= densities.FEW).sum())
    assert cold["which"] == 1 and cold["share"] == pytest.approx(100 / asked)
    assert walk(page, kind=1, heat=1.0)["share"] > 50


def test_walkers_move_as_the_optimizer_does(page):
    """Many walks of 300 in the browser are one crowd: the width of a mode at T = 1 on the ring, at high damping."""
    walk(page, kind=0, heat=0.3, brake=0.0)
    x, y = (np.array(page.evaluate(f"Array.from(({VALUE})('walkers').data.{k})")) for k in "xy")
    own = np.hypot(x - 4, y) < 1.5
    variance = 0.3 * 0.25 / (1 - 0.1 * 4 / 2)  # at damping 1 and rate 0.1, with the known error of the step
    found = np.concatenate([x[own] - x[own].mean(), y[own]]).var()
    assert own.sum() > 100 and found == pytest.approx(variance, rel=4 * (2 / (2 * own.sum())) ** 0.5 + 0.05)
