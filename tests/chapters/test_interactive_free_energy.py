"""The energies that the reader can push, pushed by keyboard in Chromium: the minima go where the formula says."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.chapters.pushed import pushed
from tests.reading import CHROMIUM

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "free-energy.md"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The figure as the chapter's cells make it, alone on a page."""
    before = "import numpy as np\nfrom physnn.lab.figures import plots\ncolors = plots.COLORS\n"
    with pushed(SOURCE, 'name="true energy"', before, tmp_path_factory.mktemp("push")) as page:
        yield page


def marked(page, name, axis):
    return page.evaluate(
        "([name, axis]) => Array.from(Bokeh.documents[0].get_model_by_name(name).data[axis])", [name, axis]
    )


def push(page, slider, key, times):
    """Focus the slider's handle, press the key, and return the slider's value."""
    index = ("a", "b", "q2", "q4").index(slider)
    page.locator(".noUi-handle").nth(index).focus()
    for _ in range(times):
        page.keyboard.press(key)
    return page.evaluate("name => Bokeh.documents[0].get_model_by_name(name).value", slider)


def test_the_wells_move_with_a_and_merge(page):
    a, b = push(page, "a", "ArrowLeft", 5), push(page, "b", "ArrowRight", 10)
    assert [a, b] == pytest.approx([-1.5, 2.0])
    wells = marked(page, "wells", "u")
    assert wells == pytest.approx([-math.sqrt(-a / b), math.sqrt(-a / b)])
    assert marked(page, "wells", "f") == pytest.approx([-(a**2) / (4 * b)] * 2)
    u, f = np.array(marked(page, "true energy", "u")), np.array(marked(page, "true energy", "f"))
    assert f == pytest.approx(a / 2 * u**2 + b / 4 * u**4)
    assert abs(u[f.argmin()]) == pytest.approx(wells[1], abs=0.02)
    assert push(page, "a", "ArrowRight", 20) == pytest.approx(0.5)
    assert marked(page, "wells", "u") == [0]


def test_the_lowest_error_is_the_worst_until_q2_exceeds_four_times_q4(page):
    assert marked(page, "lowest", "d") == [-2]
    assert push(page, "q2", "ArrowRight", 19) == 19
    assert marked(page, "lowest", "d") == [-2]
    assert push(page, "q2", "ArrowRight", 1) == 20
    assert sorted(marked(page, "lowest", "d")) == [-2, 0]
    assert push(page, "q2", "ArrowRight", 1) == 21
    assert marked(page, "lowest", "d") == [0]
    d, e = np.array(marked(page, "post's energy", "d")), np.array(marked(page, "post's energy", "e"))
    assert d[e.argmin()] == pytest.approx(0, abs=1e-9)


def test_a_positive_quartic_and_a_negative_quadratic_term_make_the_wells_the_post_wants(page):
    push(page, "q2", "Home", 1)
    assert push(page, "q2", "ArrowRight", 2) == -6
    push(page, "q4", "End", 1)
    assert marked(page, "lowest", "d") == pytest.approx([-math.sqrt(6 / 10), math.sqrt(6 / 10)])


def test_the_handles_have_names_and_the_picture_stands_in_without_a_script(page):
    names = page.locator(".noUi-handle").evaluate_all("nodes => nodes.map(node => node.getAttribute('aria-label'))")
    assert [name[:2] for name in names] == ["a", "b", "q₂", "q₄"]
    still = page.locator("article img")
    assert not still.is_visible() and len(still.get_attribute("alt").split()) > 10
    page.emulate_media(media="print")
    assert still.is_visible()
    page.emulate_media(media="screen")


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
