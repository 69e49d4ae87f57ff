"""The tree in the disc that the reader can push, pushed by keyboard in Chromium: distances stay, the picture moves."""

from pathlib import Path

import numpy as np
import pytest

from physnn.lab.physics import disc
from tests.chapters.pushed import pushed
from tests.reading import CHROMIUM

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "geometry.md"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The figure as the chapter's cells make it, alone on a page."""
    before = "import numpy as np\nfrom physnn.lab.figures import plots\nfrom physnn.lab.physics import disc\n"
    before += "colors = plots.COLORS\nplaces = disc.tree_layout(2, 7, 1.0)\n"
    with pushed(SOURCE, 'name="nodes"', before, tmp_path_factory.mktemp("push")) as page:
        yield page


def source(page, name, *axes):
    found = page.evaluate(
        "([name, axes]) => axes.map(axis => Array.from(Bokeh.documents[0].get_model_by_name(name).data[axis], "
        "each => each.length ? Array.from(each) : each))",
        [name, list(axes)],
    )
    return np.array(found[0]) + 1j * np.array(found[1])


def push(page, index, key, times):
    page.locator(".noUi-handle").nth(index).focus()
    for _ in range(times):
        page.keyboard.press(key)


def test_the_root_goes_where_it_is_pushed_and_all_distances_stay(page):
    places = disc.tree_layout(2, 7, 1.0)
    assert source(page, "nodes", "x", "y") == pytest.approx(places)
    push(page, 0, "ArrowRight", 8)
    push(page, 1, "ArrowLeft", 4)
    moved = source(page, "nodes", "x", "y")
    assert moved[0] == pytest.approx(0.4 - 0.2j)
    assert moved == pytest.approx(disc.translated(places, 0.4 - 0.2j), abs=1e-12)
    some = np.arange(0, 255, 16)
    assert disc.distance(moved[some, None], moved[some]) == pytest.approx(
        disc.distance(places[some, None], places[some]), rel=1e-6, abs=1e-9
    )
    ways = source(page, "edges", "xs", "ys")
    assert ways[:, 0] == pytest.approx(moved[(np.arange(1, 255) - 1) // 2], abs=1e-9)
    assert ways[:, -1] == pytest.approx(moved[1:], abs=1e-9)


def test_the_title_tells_what_stays_and_what_does_not(page):
    title = page.evaluate("Bokeh.documents[0].roots()[0].children[0].title.text")
    moved = source(page, "pair", "x", "y")
    assert f"{disc.distance(*moved):.2f} in the plane" in title and f"{abs(moved[0] - moved[1]):.2f} on paper" in title
    assert f"{disc.distance(0, disc.tree_layout(2, 7, 1.0)[254]):.2f} in the plane" in title


def test_the_handles_have_names_and_the_picture_stands_in_without_a_script(page):
    names = page.locator(".noUi-handle").evaluate_all("nodes => nodes.map(node => node.getAttribute('aria-label'))")
    assert names == ["right", "up"]
    still = page.locator("article img")
    assert not still.is_visible() and len(still.get_attribute("alt").split()) > 10
    page.emulate_media(media="print")
    assert still.is_visible()
    page.emulate_media(media="screen")


def test_it_fits_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
