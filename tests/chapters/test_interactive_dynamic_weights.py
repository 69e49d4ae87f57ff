"""The chapter's figure to push, from its own cells, in Chromium: what is drawn is what the formula says."""

import math
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from book.tools import pairs
from physnn import DynamicLinear
from physnn.lab.figures import interactive as module
from physnn.lab.figures import plots
from tests.reading import CHROMIUM, Complaints, opened, served

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "dynamic-weights.md"
SIDE, SHOWN, BETA = 8, 2, 0.1
TRAIN = torch.rand(50, SIDE * SIDE, generator=torch.Generator().manual_seed(0))

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")

DRAWN = """() => {
    const named = name => [...Bokeh.documents[0].all_models].find(model => model.name === name);
    const {g, black, white} = named("profile").data;
    return {g: [...g], black: [...black], white: [...white], image: [...named("picture").data.image[0]],
        values: ["beta", "t", "brightness"].map(name => named(name).value), says: named("reading").text};
}"""
HANDLES = ".live .noUi-handle"
STILL, LIVE = "[role=group] > img", "[role=group] > div"


@pytest.fixture(scope="module")
def weight():
    torch.manual_seed(0)
    return DynamicLinear(SIDE * SIDE, 10).weight


@pytest.fixture(scope="module")
def shown(weight, tmp_path_factory):
    """Run the cells of the figure on small weights; return the folder of a page that holds their output alone."""
    layer = DynamicLinear(SIDE * SIDE, 10)
    layer.weight = torch.nn.Parameter(weight)
    shown = []
    names = {"np": np, "math": math, "plots": plots, "pixels": SIDE * SIDE, "square": (SIDE, SIDE), "beta": BETA}
    names |= {"layers": {("post's loss", 0): layer}, "shown": SHOWN, "train": TRAIN, "interactive": module.interactive}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "display", lambda output: shown.append(output.data))
        for cell in pairs.notebook(SOURCE).cells:
            if "interactive" in cell.metadata.get("tags", []):
                exec(cell.source, names)
    assert not plt.get_fignums(), "the fallback is still open and would be shown twice"
    folder = tmp_path_factory.mktemp("push")
    page = "<!doctype html><html data-theme='light'><head><meta charset='utf-8'><link rel='icon' href='data:,'></head>"
    (folder / "page.html").write_text(f"{page}<body>{''.join(shown)}</body></html>", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(shown):
    with served(shown) as address:
        yield f"{address}page.html"


def check(drawn, weight):
    """Compare what is drawn with the formula, at the values of the sliders."""
    beta, t, brightness = drawn["values"]

    def factors(m):
        return np.arange(SIDE * SIDE) * math.cosh(5 * beta) + t / (1 + math.exp(-m)) * math.sinh(5 * beta)

    for name, m in (("g", brightness), ("black", 0), ("white", 1)):
        np.testing.assert_allclose(drawn[name], factors(m), rtol=1e-12, atol=1e-12)
    weights = (weight[SHOWN].detach().double().numpy() * factors(brightness)).reshape(SIDE, SIDE)
    image = np.array(drawn["image"]).reshape(SIDE, SIDE)[::-1]  # Bokeh draws the first row at the bottom
    np.testing.assert_allclose(image, weights / abs(weights).max(), rtol=1e-12, atol=1e-12)
    rms = math.sqrt((factors(brightness) ** 2).mean())
    share = 100 * abs(factors(1) - factors(0))[0] / rms
    said = [float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", drawn["says"])]
    assert said == pytest.approx([rms, share], rel=0.05)


def test_the_keyboard_moves_the_weights_to_where_the_formula_says(browser, address, weight):
    with opened(browser, address) as (page, complaints):
        page.wait_for_selector(f"{HANDLES}[aria-label]")
        check(start := page.evaluate(DRAWN), weight)
        assert start["values"] == pytest.approx([BETA, 1, TRAIN.mean().item()], abs=0.006)
        labels = page.locator(HANDLES).evaluate_all("handles => handles.map(handle => handle.ariaLabel)")
        assert labels == ["β", "t", "mean brightness"]
        for handle, key, sign in (
            (0, "ArrowLeft", -1),
            (1, "PageUp", 1),
            (2, "ArrowRight", 1),
            (0, "Home", -1),
            (1, "End", 1),
        ):
            before = page.evaluate(DRAWN)
            page.locator(HANDLES).nth(handle).focus()
            page.keyboard.press(key)
            after = page.evaluate(DRAWN)
            assert sign * (after["values"][handle] - before["values"][handle]) > 0
            assert after["g"] != before["g"]
            check(after, weight)
        assert max(after["g"]) < 0  # at the ends of beta and t every weight has changed its sign
        assert complaints == Complaints()


def test_it_follows_the_theme_and_fits_a_phone(browser, address):
    colour = """() => [...Bokeh.documents[0].all_models].filter(m => m.type === "Line").map(m => m.line_color.value)"""
    with opened(browser, address) as (page, complaints):
        page.set_viewport_size({"width": 360, "height": 800})
        for theme, value in (("dark", "#ff8f52"), ("light", "#b84a00")):
            page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            page.wait_for_function(f"value => ({colour})().includes(value)", arg=value)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert not page.locator(STILL).is_visible()
        page.emulate_media(media="print")
        assert page.locator(STILL).is_visible() and not page.locator(LIVE).is_visible()
        assert complaints == Complaints()


def test_without_javascript_and_from_a_file_there_is_the_picture(browser, shown):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((shown / "page.html").as_uri())
    assert page.locator(STILL).is_visible() and not page.locator(LIVE).is_visible()
    assert len(page.locator(STILL).get_attribute("alt").split()) > 10
    context.close()
    context = browser.new_context()
    page = context.new_page()
    page.goto((shown / "page.html").as_uri())
    page.wait_for_selector(HANDLES)
    context.close()
