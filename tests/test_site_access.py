"""The book for everyone: axe-core finds nothing serious, and what reacts is reached and moved by keys alone."""

from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError
from sphinx_external_toc.parsing import parse_toc_yaml

from tests.reading import CHROMIUM

ROOT = Path(__file__).resolve().parents[1]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
EVERY = [*PAGES, "search", "genindex", "py-modindex"]
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)"),
    pytest.mark.usefixtures("book"),
]
GRAVE = ("serious", "critical")
# Reading colours takes axe most of its time, and a page has thousands of texts in few of them. So it is shown, in each
# theme, three of every kind: of one colour, size and weight, on the same grounds. All other rules read everything.
AUDIT = """async themes => {
    const found = [];
    const note = (when, result) => found.push(...result.violations.map(violation => ({...violation, when})));
    const grounds = node => {
        const seen = [];
        for (; node; node = node.parentElement) {
            const style = getComputedStyle(node);
            seen.push(style.backgroundColor, style.backgroundImage, style.opacity);
        }
        return seen.filter(value => !["rgba(0, 0, 0, 0)", "none", "1"].includes(value)).join();
    };
    const samples = () => {
        const kinds = new Map(), says = child => child.nodeType === Node.TEXT_NODE && child.data.trim();
        for (const node of document.body.querySelectorAll("*")) {
            if (!node.checkVisibility() || ![...node.childNodes].some(says)) continue;
            const style = getComputedStyle(node), word = [style.color, style.fontSize, style.fontWeight, grounds(node)];
            kinds.set(word.join(), [...kinds.get(word.join()) ?? [], node].slice(0, 3));
        }
        return [...kinds.values()].flat();
    };
    const contrast = "color-contrast", all = {resultTypes: ["violations"]};
    note("", await axe.run(document, {...all, rules: {[contrast]: {enabled: false}}}));
    for (const theme of themes) {
        document.documentElement.dataset.theme = theme;
        await new Promise(resolve => setTimeout(resolve, 300));  // transitions
        note(theme, await axe.run({include: samples()}, {...all, runOnly: [contrast]}));
    }
    return found;
}"""
SETTLED = "() => [...document.querySelectorAll('pre')].every(n => n.scrollWidth <= n.clientWidth || n.tabIndex === 0)"
# What else depends on the width of the window.
NARROW = """() => axe.run(document, {resultTypes: ["violations"], runOnly: [
    "scrollable-region-focusable", "target-size", "aria-hidden-focus", "button-name", "link-name", "label",
]}).then(result => result.violations)"""


@pytest.fixture(scope="module")
def audits(turn_to):
    """Return a function that audits a page, and has the next one audited meanwhile: each has a process of its own."""
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    begun = {}

    def begin(name: str):
        if name not in begun:
            begun[name], _ = turn_to(name)
            begun[name].evaluate(axe)
            begun[name].evaluate(f"themes => {{ window.audit = ({AUDIT})(themes) }}", ["light", "dark"])
        return begun[name]

    def audit(name: str) -> list[dict]:
        page = begin(name)
        for following in EVERY[EVERY.index(name) + 1 :][:1]:
            begin(following)
        found = page.evaluate("() => window.audit")
        page.set_viewport_size({"width": 390, "height": 900})
        with suppress(TimeoutError):  # the theme's script makes what scrolls a stop of the tab key, a moment later
            page.wait_for_function(SETTLED, timeout=3000)
        return found + page.evaluate(NARROW)

    return audit


@pytest.mark.parametrize("name", EVERY)
def test_axe_finds_nothing_serious(audits, name):
    assert not [
        (
            violation.get("when"),
            violation["help"],
            [(node["target"], node["html"][:150]) for node in violation["nodes"]],
        )
        for violation in audits(name)
        if violation["impact"] in GRAVE
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
    page, _ = turn_to("notebooks/09-explorer")
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
