"""The race that a reader starts, from the chapter's own cells, in Chromium: who finds what is what paper says."""

import math
from pathlib import Path

import pytest

from physnn.lab.physics import wells
from tests.chapters.pushed import drawn
from tests.reading import CHROMIUM, Complaints, opened, served

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "exploration.md"
BEFORE = """
from types import SimpleNamespace

import numpy as np
import torch

from physnn.lab.figures import plots
from physnn.lab.physics import wells

glue, p, at = lambda *_: None, SimpleNamespace(seed=0), wells.places()
"""
VALUE = "name => Bokeh.documents[0].get_model_by_name(name)"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("race")
    drawn(SOURCE, "from bokeh.layouts", BEFORE, folder)
    with served(folder) as address:
        yield f"{address}index.html"


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as (page, complaints):
        page.emulate_media(reduced_motion="reduce")  # the whole race at once
        page.wait_for_selector(".noUi-handle[aria-label]")
        yield page
        assert complaints == Complaints()


def press(page, slider: str, *keys: str) -> None:
    page.get_by_role("slider", name=slider, exact=True).focus()
    for key in keys:
        page.keyboard.press(key)


def race(page) -> dict[str, float]:
    """Press the button by keyboard, wait, and return what the figure measured."""
    page.get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"(({VALUE})('result')).data.walkers", timeout=60_000)
    return {key: items[0] for key, items in page.evaluate(f"({VALUE})('result').data").items()}


def test_nothing_runs_until_the_button_is_pressed(page):
    page.wait_for_timeout(300)
    assert page.evaluate(f"Object.keys(({VALUE})('result').data)") == []
    assert page.evaluate(f"({VALUE})('words').text") == "Nobody has started yet."


@pytest.mark.parametrize("doublings", [0, 2])
def test_restarts_from_afar_find_what_paper_says(page, doublings):
    """200 searches: 4 standard errors, and 4 points for descents that 25 steps have not brought to their ends."""
    press(page, "starts", "End")
    press(page, "coordinates", *["ArrowRight"] * doublings)
    seen = race(page)
    dimension = 2**doublings
    assert seen["D"] == dimension
    share = wells.restarts("far", dimension, 4 * dimension)
    assert seen["paper"] == pytest.approx(100 * share)
    assert seen["restarts"] == pytest.approx(100 * share, abs=400 * math.sqrt(share * (1 - share) / 200) + 4)
    assert f"{seen['restarts']:.1f} %" in page.evaluate(f"({VALUE})('words').text")
    assert race(page) == seen  # seeded


def test_from_near_noise_leaves_and_the_others_stay(page):
    """At T = 0 next to nobody leaves, at 0.08 as many as the rates say are there at the end, to 4 standard errors.

    10 points are added: the walkers begin near the worse minimum, and not at rest there.
    """
    hot = race(page)
    assert hot["T"] == pytest.approx(0.08) and hot["gamma"] == pytest.approx(10**-0.5)
    share = wells.exact_rates(0.08, 0.1, 10**-0.5).share(100)
    assert hot["now"] / 100 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 200) + 0.1)
    assert hot["walkers"] > 10 and hot["restarts"] < 5
    press(page, "temperature T", "Home")
    assert race(page)["walkers"] < 5


def test_with_motion_the_race_ends_the_same(page):
    seen = race(page)
    page.emulate_media(reduced_motion="no-preference")
    assert race(page) == seen


def test_it_fits_a_phone_and_prints_its_still(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert not page.locator("img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("img").is_visible()
    assert len(page.locator("img").get_attribute("alt").split()) > 10
