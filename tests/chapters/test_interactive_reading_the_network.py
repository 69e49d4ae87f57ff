"""The classes that the reader can push, pushed by keyboard in Chromium: the others follow as the responses say."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

from book.tools import pairs
from physnn.lab.figures import interactive as module
from physnn.lab.figures import plots
from physnn.lab.physics.screening import green
from tests.reading import CHROMIUM, Complaints, opened, served

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "reading-the-network.md"
NAMES = ["without the quartic term", "as printed", "cross-entropy"]
RESPONSES = dict(zip(NAMES, np.random.default_rng(0).standard_normal((3, 10, 10)) + 3 * np.eye(10), strict=True))

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")

BARS = """name => Array.from(Bokeh.documents[0].get_model_by_name(name).data.u)"""
STILL, LIVE = "[role=group] > img", "[role=group] > div"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Run the cells of the figure on random responses, and serve a page that holds their output alone."""
    shown = []
    names = {
        "np": np,
        "plots": plots,
        "answers": RESPONSES,
        "theory": green(10, 4.0),
        "interactive": module.interactive,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "display", lambda output: shown.append(output.data))
        for cell in pairs.notebook(SOURCE).cells:
            if "interactive" in cell.metadata.get("tags", []):
                exec(cell.source, names)
    assert not plt.get_fignums(), "the fallback is still open and would be shown twice"
    folder = tmp_path_factory.mktemp("push")
    page = "<!doctype html><html data-theme='light'><head><meta charset='utf-8'><link rel='icon' href='data:,'></head>"
    (folder / "page.html").write_text(f"{page}<body>{''.join(shown)}</body></html>", encoding="utf-8")
    with served(folder) as address:
        yield f"{address}page.html"


def check(page, k):
    for name, response in {"on paper": np.array([np.roll(green(10, 4.0), k) for k in range(10)]), **RESPONSES}.items():
        expected = response[:, k] / np.diag(response).mean()
        np.testing.assert_allclose(page.evaluate(BARS, name), expected, atol=1e-12)


def test_the_keyboard_pushes_a_class_and_the_others_follow(browser, address):
    with opened(browser, address) as (page, complaints):
        page.wait_for_selector(".live .noUi-handle[aria-label]")
        check(page, 4)
        handle = page.locator(".live .noUi-handle")
        assert handle.evaluate("handle => handle.ariaLabel") == "class that is pushed"
        for key, k in (("ArrowRight", 5), ("Home", 0), ("End", 9), ("ArrowLeft", 8)):
            handle.focus()
            page.keyboard.press(key)
            page.wait_for_function(f"Bokeh.documents[0].get_model_by_name('pushed').value === {k}")
            check(page, k)
        assert complaints == Complaints()


def test_it_fits_a_phone_and_has_a_picture_for_print(browser, address):
    with opened(browser, address) as (page, complaints):
        page.set_viewport_size({"width": 360, "height": 800})
        page.wait_for_selector(".live .noUi-handle[aria-label]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert not page.locator(STILL).is_visible()
        page.emulate_media(media="print")
        assert page.locator(STILL).is_visible() and not page.locator(LIVE).is_visible()
        assert complaints == Complaints()
