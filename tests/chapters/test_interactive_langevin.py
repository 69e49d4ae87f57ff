"""The figure of the chapter on Langevin dynamics that a reader pushes, and its film, in Chromium."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from book.tools import pairs
from physnn.lab.figures import film as films
from physnn.lab.figures import interactive as interactives
from physnn.lab.figures import plots
from physnn.lab.physics import kramers
from tests.reading import CHROMIUM, Complaints, opened, served

ROOT = Path(__file__).resolve().parents[2]
MARKS = ("def double_well", "from bokeh.layouts", "START =", "ADVANCE =", "SHOW =", "RUN =")
MARKS += ("heat_slider =", "wells = figure(", "layout = column(")  # the cells that make the figure
VALUE = "name => Bokeh.documents[0].get_model_by_name(name)"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


def boltzmann_square(temperature: float) -> tuple[float, float]:
    """Return mean and standard deviation of theta^2 in the double well."""
    x = np.linspace(-3, 3, 4001)
    weight = np.exp(-((x * x - 1) ** 2) / 4 / temperature)
    mean = (x**2 * weight).sum() / weight.sum()
    return mean, math.sqrt((x**4 * weight).sum() / weight.sum() - mean**2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Make the two outputs as the chapter does, each on a page of its own."""
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interactives, "display", lambda output: shown.append(output.data))
        patch.setattr(films, "display", lambda output: shown.append(output.data))
        names = {"math": math, "np": np, "kramers": kramers, "plots": plots, "seed": 0, "glue": lambda *_: None}
        notebook = pairs.notebook(ROOT / "notebooks" / "langevin.md")
        for mark in MARKS:
            (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and mark in cell.source]
            exec(compile(cell.source, mark, "exec"), names)
        x = np.linspace(-1, 1, 5)[:, None] * np.ones(3)
        curve = np.linspace(-1, 1, 9)
        films.film(x, x**2, (curve, curve**2), [f"frame {i}" for i in range(5)], alt="three dots", seconds=0.5)
    out = tmp_path_factory.mktemp("interactive")
    head = '<!doctype html><html data-theme="light"><meta charset="utf-8"><link rel="icon" href="data:,">'
    for name, body in zip(("push", "film"), shown, strict=True):
        (out / f"{name}.html").write_text(f"{head}<body>{body}</body></html>", encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def address(folder):
    with served(folder) as address:
        yield address


@pytest.fixture
def page(browser, address):
    with opened(browser, f"{address}push.html") as (page, complaints):
        page.wait_for_selector(".noUi-handle[aria-label]")
        yield page
        assert complaints == Complaints()


def value(page, name: str, attribute: str):
    return page.evaluate(f"([name, attribute]) => ({VALUE})(name)[attribute]", [name, attribute])


def run(page) -> dict[str, float]:
    """Press the button by keyboard, wait, and return what the figure measured."""
    page.get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"(({VALUE})('result')).data.square", timeout=60_000)
    return {key: items[0] for key, items in page.evaluate(f"({VALUE})('result').data").items()}


def test_nothing_runs_until_the_button_is_pressed(page):
    page.wait_for_timeout(500)
    assert page.evaluate(f"Object.keys(({VALUE})('result').data)") == []
    assert value(page, "words", "text") == "Nothing has run yet."


def test_sliders_by_keyboard_and_the_stationary_law(page):
    """Set both sliders with the arrows and run: temperature, mean square and share crossed are those of theory.

    Noise is seeded, so that the test always sees the same run. For another seed: 4 standard errors of a snapshot of
    2000 independent walkers (means over 1000 steps have less), plus what a finite step adds at this learning rate
    of 0.02: 2 % of the mean square, 4 % of the rate. False alarms: below 2e-4.
    """
    heat, damping = (page.get_by_label(label) for label in ("temperature T", "damping γ"))
    heat.focus()
    page.keyboard.press("ArrowRight")
    damping.focus()
    page.keyboard.press("ArrowLeft")
    assert value(page, "heat", "value") == pytest.approx(0.08)
    assert value(page, "damping", "value") == pytest.approx(-1.25)
    assert damping.get_attribute("aria-valuetext") == "0.056"
    seen = run(page)
    walkers, steps, gamma, lr = 2000, 2000, 10**-1.25, 0.02
    assert (seen["T"], seen["gamma"]) == (pytest.approx(0.08), pytest.approx(gamma))
    assert seen["kinetic"] == pytest.approx(0.08, rel=4 * math.sqrt(2 / walkers))
    mean, sd = boltzmann_square(0.08)
    assert seen["exact"] == pytest.approx(mean, rel=1e-4)
    assert seen["square"] == pytest.approx(mean, abs=0.02 * mean + 4 * sd / math.sqrt(walkers))
    f, h = gamma / (1 - gamma / 2), math.sqrt(lr / (1 - gamma / 2))
    rate = h * kramers.relaxation_rate(lambda x: (x * x - 1) ** 2 / 4, 0.08, f / h, edge=2.4)
    share = (1 - math.exp(-rate * steps)) / 2
    assert seen["expected"] == pytest.approx(100 * share, rel=0.02)
    slack = 0.04 * rate * steps * math.exp(-rate * steps) / 2
    assert seen["share"] / 100 == pytest.approx(share, abs=slack + 4 * math.sqrt(share * (1 - share) / walkers))
    assert f"{seen['kinetic']:.4f}" in value(page, "words", "text")
    assert run(page) == seen  # seeded


def test_the_run_is_drawn(page):
    """In the plot of the share crossed, the colour of the measured line is there after the run and not before."""
    plot = page.locator(".bk-Figure").nth(1)
    red, green, blue = (int(plots.COLORS["proposal"][i : i + 2], 16) for i in (1, 3, 5))

    def drawn() -> int:
        pixels = np.asarray(Image.open(io.BytesIO(plot.screenshot())).convert("RGB")).astype(int)
        return int((np.abs(pixels - [red, green, blue]).max(-1) < 30).sum())

    assert drawn() == 0
    run(page)
    page.wait_for_timeout(200)
    assert drawn() > 200


def test_less_motion_gives_the_same_result_at_once(page):
    seen = run(page)
    page.emulate_media(reduced_motion="reduce")
    assert run(page) == seen


def test_a_second_press_stops_it(page):
    page.get_by_role("button").click()
    page.get_by_role("button").click()
    page.wait_for_function(f"(({VALUE})('run')).label === 'Run again'")
    assert page.evaluate(f"({VALUE})('result').data.share[0]") < 50


def test_colours_follow_the_page(page):
    background = (
        "() => [...Bokeh.documents[0]._all_models.values()].find(m => m.type === 'Figure').background_fill_color"
    )
    light = page.evaluate(background)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(f"({background})() !== '{light}'")
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    page.wait_for_function(f"({background})() === '{light}'")


def test_it_fits_a_phone_and_prints_its_still(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert not page.locator("img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("img").is_visible()


def test_the_still_stands_where_no_script_runs(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "push.html").as_uri())
    assert page.locator("img").is_visible()
    assert len(page.locator("img").get_attribute("alt").split()) > 10
    context.close()


def test_it_lives_in_a_file(browser, folder):
    page = browser.new_page()
    page.goto((folder / "push.html").as_uri())
    page.wait_for_selector(".noUi-handle[aria-label]")
    page.close()


def test_film_stands_still_until_it_is_started(browser, address):
    with opened(browser, f"{address}film.html") as (page, complaints):
        now = page.locator("text.now")
        page.wait_for_timeout(300)
        assert now.inner_html() == "frame 4"
        page.get_by_label("frame of the film").focus()
        page.keyboard.press("ArrowLeft")
        assert now.inner_html() == "frame 3"
        assert page.locator("circle").first.get_attribute("cx") == "420"
        page.keyboard.press("Home")
        page.get_by_role("button").click()
        page.wait_for_function("document.querySelector('text.now').textContent === 'frame 4'")
        page.wait_for_function("document.querySelector('button').textContent === 'Play'")
        page.emulate_media(reduced_motion="reduce")
        assert not page.get_by_role("button").is_visible()
        assert complaints == Complaints()
