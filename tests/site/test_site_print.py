"""The book on paper: the text alone, light, nothing cut, and still pictures where the screen has something to push."""

from pathlib import Path

import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

from physnn.lab.figures.palette import TOKENS
from tests.reading import CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
A4 = {"width": 643, "height": 986}  # in CSS pixels, within the margins that the stylesheet sets

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)"),
    pytest.mark.usefixtures("book"),
]

PRINTED = """() => {
    const shown = node => node.checkVisibility() && node.getBoundingClientRect().height > 0;
    const around = ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header, .bd-header-article, .prev-next-area, " +
        ".bd-footer, .copybtn, .headerlink, article input, article button:not(.forest *)";
    const article = document.querySelector("article");
    const parts = [...article.querySelectorAll("*")].filter(node => shown(node) && !node.closest("mjx-assistive-mml"));
    const scrolls = node => !["visible", "clip"].includes(getComputedStyle(node).overflowX) && node.tagName !== "svg";
    const named = nodes => nodes.map(node => node.outerHTML.slice(0, 90));
    const bright = node => {
        const [r, g, b] = getComputedStyle(node).color.match(/[0-9.]+/g).map(Number);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b > 140;
    };
    return {
        around: named([...document.querySelectorAll(around)].filter(shown)),
        wide: named(parts.filter(node => !node.closest("mjx-container")
            && node.getBoundingClientRect().right > innerWidth + 1)),
        cut: named(parts.filter(node => scrolls(node) && node.scrollWidth > node.clientWidth + 1)),
        faint: named(parts.filter(node => node.matches("p, li, h1, pre, pre span, td, figcaption") && bright(node))),
        live: [...document.querySelectorAll("[id^=interactive-]")].map(
            box => [shown(box.querySelector(":scope > img")), shown(box.querySelector(":scope > div"))]),
        ink: getComputedStyle(article.querySelector("p:not(.admonition-title)")).color,
    };
}"""


@pytest.mark.parametrize("name", PAGES)
def test_the_page_fits_its_paper(turn_to, name):
    """In the dark theme, because paper is light whatever the screen shows."""
    page, _ = turn_to(name)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.set_viewport_size(A4)
    page.emulate_media(media="print")
    page.wait_for_timeout(200)
    printed = page.evaluate(PRINTED)
    light = TOKENS["ink"].light
    assert printed.pop("ink") == f"rgb({int(light[1:3], 16)}, {int(light[3:5], 16)}, {int(light[5:7], 16)})"
    assert all(still and not pushed for still, pushed in printed.pop("live"))
    assert printed == {"around": [], "wide": [], "cut": [], "faint": []}
