"""The image that the reader can push, pushed by keyboard in Chromium: it roughens, smooths, turns black and white."""

from pathlib import Path

import pytest

from tests.chapters.pushed import pushed
from tests.reading import CHROMIUM

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "images.md"
HEAD = """
import numpy as np
import torch
from physnn.lab.data.images import load
from physnn.lab.figures import plots
from physnn.lab.metrics.restored import psnr
from physnn.lab.models.restorers import restore
from physnn.lab.physics import allen_cahn, descent, pixels
from physnn.lab.training.tasks import restoration
class p: data = "digits"
seed, shown, damaged = 7, 0, {"images": 10, "noise_level": 0.3, "method": "nothing"}
"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The figure as the chapter's cells make it, alone on a page."""
    with pushed(SOURCE, "signed = ", HEAD, tmp_path_factory.mktemp("push")) as page:
        yield page


def image(page, name):
    """The gray values of the image that is shown, from 0 to 1, row by row."""
    values = page.evaluate("name => Array.from(Bokeh.documents[0].get_model_by_name(name).data.image[0])", name)
    return [1 - value / 255 for value in values]


def push(page, slider, key, times):
    """Focus the slider's handle, press the key, and return the slider's value."""
    page.locator(".noUi-handle").nth(("sign", "pull", "well").index(slider)).focus()
    for _ in range(times):
        page.keyboard.press(key)
    return page.evaluate("name => Bokeh.documents[0].get_model_by_name(name).value", slider)


def rough(values, side=8):
    rows = [values[i : i + side] for i in range(0, len(values), side)]
    return sum((row[(j + 1) % side] - row[(j - 1) % side]) ** 2 for row in rows for j in range(side))


def test_below_zero_the_image_gets_rougher_and_above_smoother(page):
    start = rough(image(page, "upper shown"))
    assert push(page, "sign", "ArrowLeft", 2) == pytest.approx(-0.5)
    assert rough(image(page, "upper shown")) > start
    assert push(page, "sign", "ArrowRight", 6) == pytest.approx(1.0)
    smooth = rough(image(page, "upper shown"))
    assert smooth < start
    assert push(page, "sign", "End", 1) == 4
    assert rough(image(page, "upper shown")) < smooth


def test_a_deeper_well_makes_it_black_and_white(page):
    def gray(values):
        return sum(0.1 < value < 0.9 for value in values)

    before = gray(image(page, "lower shown"))
    assert push(page, "well", "End", 1) == 8
    assert gray(image(page, "lower shown")) < before / 2
    assert push(page, "pull", "ArrowRight", 1) == pytest.approx(0.3)


def test_the_handles_have_names_and_the_picture_stands_in_without_a_script(page):
    names = page.locator(".noUi-handle").evaluate_all("nodes => nodes.map(node => node.getAttribute('aria-label'))")
    assert names == ["κ of the printed term", "κ of neighbours", "w of the double well"]
    still = page.locator("article img")
    assert not still.is_visible() and len(still.get_attribute("alt").split()) > 10
    page.emulate_media(media="print")
    assert still.is_visible()
    page.emulate_media(media="screen")


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
