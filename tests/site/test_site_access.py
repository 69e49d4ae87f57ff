"""The book for everyone: axe-core finds nothing serious on any page."""

from contextlib import suppress
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError
from sphinx_external_toc.parsing import parse_toc_yaml

from tests.reading import CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
EVERY = [*PAGES, "search", "genindex", "py-modindex"]
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
SETTLED = (
    "() => [...document.querySelectorAll('pre, .pst-scrollable-table-container')]"
    ".every(n => n.scrollWidth <= n.clientWidth || n.tabIndex === 0)"
)
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
