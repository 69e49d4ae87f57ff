"""The cards of the claims in a browser: headings, folds and filters, by keys, on paper and without scripts."""

from itertools import pairwise
from pathlib import Path

import pytest

from book.tools import cards, claims
from tests.reading import CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = claims.read(ROOT / "book/claims.yml")
BOARDS = ("book/scoreboard", "book/intro")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)"),
    pytest.mark.usefixtures("book"),
]
SHOWN = "() => [...document.querySelectorAll('.claim[class*=\"part-\"]')].filter(n => n.checkVisibility()).length"
BADGES = """() => [...document.querySelectorAll('.claim[class*="part-"]')].filter(n => n.checkVisibility())
    .map(n => n.querySelector("strong").textContent)"""


def buttons(page, group: str):
    return page.get_by_role("group", name=group, exact=True)


@pytest.mark.parametrize("name", BOARDS)
def test_the_buttons_show_what_they_say_and_say_how_much(turn_to, name):
    page, _ = turn_to(name)
    every, status = page.evaluate(SHOWN), page.locator(".claim-filters [role=status]")
    assert status.text_content() == f"All {every} claims are shown."
    seen = 0
    verdicts = buttons(page, "Verdict")
    for badge in verdicts.get_by_role("button").all_text_contents()[1:]:
        button = verdicts.get_by_role("button", name=badge, exact=True)
        button.focus()
        page.keyboard.press("Enter")
        shown = page.evaluate(BADGES)
        assert shown and set(shown) == {badge} <= set(cards.BADGES.values())
        assert button.get_attribute("aria-pressed") == "true"
        assert status.text_content() == f"{len(shown)} of {every} claims are shown."
        seen += len(shown)
    assert seen == every
    verdicts.get_by_role("button", name="All").click()
    parts = buttons(page, "Part of the post").get_by_role("button")
    titles = [title.removeprefix("Its ").capitalize() for title, _ in cards.SECTIONS.values()]
    assert parts.all_text_contents() == ["All", *titles]
    parts.nth(1).click()
    assert page.evaluate(SHOWN) == sum(each.section == "Experimental Results" for each in CLAIMS)
    parts.nth(0).click()
    assert page.evaluate(SHOWN) == every


def test_a_link_to_a_card_that_is_filtered_away_shows_it(turn_to):
    page, _ = turn_to("book/scoreboard")
    buttons(page, "Part of the post").get_by_role("button", name="Challenges").click()
    assert not page.locator("#claim-1").is_visible()
    page.evaluate("location.hash = 'claim-1'")
    page.locator("#claim-1").wait_for(state="visible")
    assert page.evaluate(SHOWN) == len(CLAIMS)


@pytest.mark.parametrize("name", BOARDS)
def test_every_card_is_a_heading_in_its_order(turn_to, name):
    page, _ = turn_to(name)
    levels = page.eval_on_selector_all("article :is(h1, h2, h3, h4, h5, h6)", "all => all.map(n => +n.tagName[1])")
    assert levels[0] == 1 and all(after <= before + 1 for before, after in pairwise(levels))
    cards_, headed = (page.locator(f"article .claim{of}").count() for of in ("", " > h3.admonition-title:first-child"))
    assert cards_ == headed >= len(CLAIMS)


def test_folds_open_by_a_key_and_on_paper(turn_to):
    page, _ = turn_to("book/scoreboard")
    fold = page.locator("#claim-2 > details")
    assert not fold.locator("p", has_text="Rule,").is_visible()
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.locator("p", has_text="Rule,").is_visible()
    page.keyboard.press("Enter")
    page.emulate_media(media="print")
    closed = "() => [...document.querySelectorAll('.claim > details p')].filter(n => !n.getBoundingClientRect().height)"
    assert page.evaluate(f"({closed})().length") == 0
    assert not page.locator(".claim-filters").is_visible()


def test_without_scripts_all_cards_are_there_and_no_button(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}book/scoreboard.html", wait_until="domcontentloaded", timeout=120_000)
    assert page.locator(".claim[class*='part-']").count() == len(CLAIMS)
    assert page.locator("#claim-1").is_visible() and page.locator(".claim-filters button").count() == 0
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_the_first_screen_has_the_facts_and_the_figure(turn_to, width):
    page, _ = turn_to("book/intro")
    height = {390: 844, 1280: 800}[width]
    page.set_viewport_size({"width": width, "height": height})
    facts = page.locator(".facts li")
    assert facts.count() == 3
    for place in range(3):
        box = facts.nth(place).bounding_box()
        assert box["y"] + box["height"] <= height
    assert page.locator("#fig-verdicts img").bounding_box()["y"] < height - 100
