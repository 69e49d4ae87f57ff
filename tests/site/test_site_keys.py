"""The book without a mouse: what reacts is reached, moved and left by keys alone."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

from tests.reading import CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)"),
    pytest.mark.usefixtures("book"),
]

# The focused element, wherever it hides, and how it looks.
FOCUSED = """() => {
    let node = document.activeElement;
    while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    const box = node.getBoundingClientRect(), style = getComputedStyle(node);
    return {
        tag: node.tagName, kind: node.type ?? "", classes: node.className, sentinel: node.dataset.sentinel ?? "",
        role: node.getAttribute("role") ?? "", text: node.innerText ?? "",
        name: node.getAttribute("aria-label") ?? (node.labels?.[0] ?? node).textContent,
        value: node.getAttribute("aria-valuetext") ?? node.value ?? "",
        box: [box.x, box.y, box.width, box.height],
        ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
        seen: node.checkVisibility() && box.width > 0 && box.height > 0,
    };
}"""
# Two places to stand on, before and after a figure, and the controls between them.
FENCE = """figure => {
    for (const [where, name] of [["beforebegin", "before"], ["afterend", "after"]]) {
        const post = document.createElement("button");
        post.dataset.sentinel = name;
        figure.insertAdjacentElement(where, post);
    }
}"""
CONTROLS = """figure => {
    const found = [], look = root => {
        for (const node of root.querySelectorAll("*")) {
            if (node.matches("input, select, button:not(.copybtn), summary, .noUi-handle") && node.checkVisibility()
                && getComputedStyle(node).visibility !== "hidden") found.push(node.tagName);
            if (node.shadowRoot) look(node.shadowRoot);
        }
    };
    look(figure);
    return found.sort();
}"""


@dataclass
class Walk:
    """What the tab key met in one figure."""

    stops: list[dict]
    controls: list[str]
    left: bool  # forwards and backwards


def walk(page, figure) -> Walk:
    figure.evaluate(FENCE)
    controls = figure.evaluate(CONTROLS)
    page.locator("[data-sentinel=before]").focus()
    stops = []
    for _ in range(len(controls) + 20):
        page.keyboard.press("Tab")
        if (stop := page.evaluate(FOCUSED))["sentinel"] == "after":
            break
        stops.append(stop)
        if "noUi-handle" in stop["classes"] or stop["kind"] == "range":
            page.keyboard.press("ArrowRight")
            stop["moved"] = page.evaluate(FOCUSED)["value"] != stop["value"]
            if not stop["moved"]:  # it may have stood at its end
                page.keyboard.press("ArrowLeft")
                stop["moved"] = page.evaluate(FOCUSED)["value"] != stop["value"]
    forwards = page.evaluate(FOCUSED)["sentinel"] == "after"
    for _ in stops:
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    backwards = page.evaluate(FOCUSED)["sentinel"] == "before"
    page.evaluate("document.querySelectorAll('[data-sentinel]').forEach(node => node.remove())")
    return Walk(stops, controls, forwards and backwards)


LIVE = ":is([id^=interactive-], [id^=film-], [id^=field-film-])"


@pytest.mark.parametrize("name", CHAPTERS)
def test_keys_reach_move_and_leave_whatever_reacts(turn_to, name):
    page, _ = turn_to(name)
    figures = page.locator(f"article {LIVE}")
    if figures.count() == 0:
        pytest.skip("nothing on this page reacts")
    if page.locator("article [id^=interactive-]").count():
        page.wait_for_function("window.Bokeh?.documents.length > 0")
        page.wait_for_selector(".noUi-handle")
    for index in range(figures.count()):
        seen = walk(page, figures.nth(index))
        assert seen.controls, "a figure that reacts has nothing to push"
        assert seen.left, f"the focus does not leave: {seen.stops}"
        assert len(seen.stops) >= len(seen.controls), (seen.controls, seen.stops)
        for stop in seen.stops:
            assert stop["seen"], stop
            assert stop["ring"], f"nothing shows that the focus is here: {stop}"
            assert stop["name"].strip(), f"a control without a name: {stop}"
            assert stop.get("moved", True), f"the arrow keys do not move it: {stop}"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_film_is_played_and_stopped_by_keys(turn_to, name):
    page, _ = turn_to(name)
    films = page.locator("article :is([id^=film-], [id^=field-film-])")
    if films.count() == 0:
        pytest.skip("no film on this page")
    for index in range(films.count()):
        films.nth(index).locator("input").focus()
        page.keyboard.press("Home")  # near its end a film stops by itself, while one looks
        button = films.nth(index).locator("button")
        button.focus()
        page.keyboard.press("Space")
        assert button.inner_text() == "Pause"
        page.keyboard.press("Enter")
        assert button.inner_text() == "Play"


@pytest.mark.parametrize("name", PAGES)
def test_the_first_tab_skips_to_the_text(turn_to, name):
    page, _ = turn_to(name)
    page.keyboard.press("Tab")
    assert "skip" in page.evaluate(FOCUSED)["text"].lower()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main, article')")


def test_the_explorer_is_worked_by_keys(turn_to):
    page, _ = turn_to("notebooks/explorer")
    drawn = "document.querySelectorAll('#explorer .forest tbody tr').length"
    study = page.locator("#explorer select[name=study]")
    study.focus()
    before = study.input_value()
    page.keyboard.press("ArrowDown")
    assert study.input_value() != before
    page.keyboard.press("ArrowUp")
    assert study.input_value() == before
    walked = walk(page, page.locator("#explorer"))
    assert walked.left and len(walked.stops) >= len(walked.controls) > 10
    for stop in walked.stops:
        assert stop["seen"] and stop["ring"] and stop["name"].strip(), stop
    rows = page.evaluate(drawn)
    tick = page.locator("#explorer fieldset input").first
    tick.focus()
    page.keyboard.press("Space")
    assert page.evaluate(drawn) == rows - 1
    page.keyboard.press("Space")
    assert page.evaluate(drawn) == rows
    arm = page.locator("#explorer .forest button").first
    arm.focus()
    page.keyboard.press("Enter")
    assert arm.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Enter")
    assert arm.get_attribute("aria-pressed") == "false"
