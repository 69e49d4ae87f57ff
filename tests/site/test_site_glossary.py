"""What a link means, shown beside it: by a pointer and by keys, and gone by Escape; a finger follows the link."""

import html
import re

import pytest

from tests.reading import CHROMIUM, opened, rest

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)"),
    pytest.mark.usefixtures("book"),
]

PAGE = "notebooks/accuracy"  # which has terms, citations, and a reference to a formula of its own
TERM = "article a.term"
SEEN = "() => document.querySelector('.definition')?.checkVisibility() ?? false"
SAID = "() => document.querySelector('.definition').textContent"
WITHIN = """() => {
    const {left, right, top, bottom} = document.querySelector('.definition').getBoundingClientRect();
    return left >= 0 && right <= innerWidth && top >= 0 && bottom <= innerHeight;
}"""
TOUCH = "link => link.dispatchEvent(new PointerEvent('pointerenter', {pointerType: 'touch'}))"


@pytest.fixture(scope="module")
def tab(browser, address):
    """Open the page in a tab of its own, for one test leaves it."""
    with opened(browser, f"{address}{PAGE}.html") as (tab, _):
        yield tab


@pytest.fixture
def page(tab):
    tab.mouse.move(0, 0)
    rest(tab)
    return tab


def test_every_term_links_to_what_it_shows(book):
    """On all pages: each entry at most once, and the link's title is the meaning that stands there."""
    text = (book / "book" / "glossary.html").read_text(encoding="utf-8")
    entries = re.findall(r'<dt id="(term-[^"]+)".*?</dt><dd>(?:<!--.*?-->)?\s*<p>(.*?)</p>', text, re.DOTALL)
    meant = {anchor: " ".join(html.unescape(meaning).split()) for anchor, meaning in entries}
    assert len(meant) > 50
    link = re.compile(r'<a class="term reference internal" href="([^"#]*)#([^"]+)" title="([^"]+)"')
    linked = set()
    for path in sorted(book.glob("[!_]*/*.html")):
        found = link.findall(path.read_text(encoding="utf-8"))
        anchors = [anchor for _, anchor, _ in found]
        assert len(set(anchors)) == len(anchors), f"{path.name} links a term twice"
        for address, anchor, title in found:
            assert (path.parent / address).resolve() == (book / "book" / "glossary.html").resolve()
            assert html.unescape(title) == meant[anchor]
        linked.update(anchors)
    assert len(linked) > 0.8 * len(meant), f"no page uses {sorted(meant.keys() - linked)}"


@pytest.mark.parametrize("width", [1280, 390])
def test_the_keyboard_reads_a_definition_and_escape_closes_it(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    page.locator(TERM).nth(3).focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    title = page.locator(TERM).nth(3).get_attribute("title")
    page.wait_for_function(WITHIN)  # once it has been scrolled to
    assert page.evaluate(SEEN) and page.evaluate(SAID) == title and page.evaluate(WITHIN)
    page.keyboard.press("Escape")
    assert not page.evaluate(SEEN)
    assert page.evaluate("() => document.activeElement.matches('a.term')")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(SEEN)
    page.keyboard.press("Tab")  # the definition itself is no stop, and goes with the focus
    assert page.evaluate("() => document.activeElement.closest('.definition')") is None


def test_a_pointer_reads_a_definition_and_may_rest_on_it(page):
    link = page.locator(TERM).first
    title = link.get_attribute("title")
    link.hover()
    page.wait_for_function(SEEN)
    assert page.evaluate(SAID) == title
    assert link.get_attribute("title") is None, "the browser would show it as well"
    page.locator(".definition").hover()
    page.wait_for_timeout(400)
    assert page.evaluate(SEEN)
    page.mouse.move(0, 0)
    page.wait_for_function("() => !document.querySelector('.definition').checkVisibility()")
    assert link.get_attribute("title") == title


def test_citations_and_formulas_are_shown_too(page):
    cited = page.locator("article .bibtex-citation a").first
    title = cited.get_attribute("title")
    cited.hover()
    page.wait_for_function(SEEN)
    assert page.evaluate(SAID) == title
    page.keyboard.press("Escape")
    page.locator("article a.reference[href^='#equation-']").first.hover()
    page.wait_for_function(SEEN)
    assert page.locator(".definition mjx-container").count() == 1


def test_a_finger_follows_the_link(page):
    page.locator(TERM).first.evaluate(TOUCH)
    page.wait_for_timeout(300)
    assert not page.evaluate(SEEN)
    page.locator(TERM).first.click()
    page.wait_for_url("**/glossary.html#term-*")
