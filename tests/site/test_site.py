"""The built book, read in Chromium: nothing missing, nothing foreign, readable on a phone and in the dark."""

import io
import re
import tomllib
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from sphinx_external_toc.parsing import parse_toc_yaml

from physnn.lab.figures.palette import TOKENS
from tests.reading import CHROMIUM, COLOURS, CUT, FACTS, OVERHANG, Complaints, opened

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


WIDTHS = (1280, 360)
SIZES = (390, 768, 1280, 1600)  # at which no formula is cut
THEMES = ("light", "dark")


@dataclass
class Visit:
    """Everything the tests need to know about a page, from one visit."""

    facts: dict
    complaints: Complaints
    overhang: dict[int, list]  # by width
    cut: dict[int, list]  # by width: formulas that are wider than their place
    colours: dict[str, list]  # by theme
    ground: dict[str, str]  # by theme: the page's background
    corners: dict[str, list]  # by theme: the colour in each SVG figure's corner


@pytest.fixture(scope="module")
def visit(turn_to):
    """Read each page once, at every width and in every theme."""
    visits = {}

    def visit(name: str) -> Visit:
        if name not in visits:
            page, complaints = turn_to(name)
            seen = Visit(page.evaluate(FACTS), complaints, {}, {}, {}, {}, {})
            for theme in THEMES:
                page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
                seen.colours[theme] = page.evaluate(COLOURS)
                seen.ground[theme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
                figures = page.query_selector_all("article figure img[src$='.svg']")
                seen.corners[theme] = [corner(figure.screenshot()) for figure in figures]
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                seen.overhang[width] = page.evaluate(OVERHANG)
            for width in SIZES if seen.facts["formulas"] else ():
                page.set_viewport_size({"width": width, "height": 900})
                seen.cut[width] = page.evaluate(CUT)
            visits[name] = seen
        return visits[name]

    return visit


def corner(png: bytes) -> tuple[int, int, int]:
    return Image.open(io.BytesIO(png)).convert("RGB").getpixel((2, 2))


@in_chromium
@pytest.mark.parametrize("name", PAGES)
def test_page_loads_completely_and_from_here(visit, name):
    assert visit(name).complaints == Complaints()


@in_chromium
@pytest.mark.parametrize("name", PAGES)
def test_mathematics_is_typeset(visit, name):
    facts = visit(name).facts
    assert facts["typeset"] >= facts["formulas"]
    assert facts["failed"] == 0
    assert not re.findall(r"\$[^$\n]+\$|\\\(|\\\[|\\begin\{|\{glue", facts["prose"])


@in_chromium
def test_some_page_has_mathematics_and_some_a_figure(visit):
    """Guards the two tests around it: they would pass on a book that lost both."""
    everything = [visit(name).facts for name in PAGES]
    assert sum(facts["typeset"] for facts in everything) > 20
    assert sum(len(facts["images"]) for facts in everything) > 0


@in_chromium
@pytest.mark.parametrize("name", PAGES)
def test_every_image_has_a_caption_and_says_what_it_shows(visit, name):
    for image in visit(name).facts["images"]:
        assert image["loaded"], image
        assert len(image["caption"]) > 20, f"no caption that states a finding: {image}"
        assert len(image["alt"].split()) >= 5 and not re.search(r"\.(svg|png|jpe?g)$", image["alt"]), (
            f"the alt text does not describe the picture: {image}"
        )


@in_chromium
@pytest.mark.parametrize("name", PAGES)
def test_no_formula_is_cut_and_none_is_a_stop(visit, name):
    assert not any(visit(name).cut.values()), visit(name).cut


@in_chromium
@pytest.mark.parametrize("name", PAGES)
def test_mathjax_comes_where_there_is_a_formula(visit, name):
    facts = visit(name).facts
    assert facts["mathjax"] == bool(facts["formulas"])


@in_chromium
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_does_not_scroll_sideways(visit, name, width):
    assert visit(name).overhang[width] == [0, []]


@in_chromium
def test_search_finds_the_page_where_a_word_stands(browser, address):
    with opened(browser, f"{address}search.html?q=rapidity") as (page, complaints):
        page.wait_for_selector("#search-results li a")
        found = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.href)")
        assert any("book/notation.html" in link for link in found), found
        assert complaints == Complaints()


@in_chromium
@pytest.mark.parametrize("name", CHAPTERS)
def test_launch_buttons_open_the_committed_notebook(visit, name):
    repository = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    owner_and_name = repository.removeprefix("https://github.com/")
    links = visit(name).facts["links"]
    assert f"https://colab.research.google.com/github/{owner_and_name}/blob/main/{name}.ipynb" in links
    assert any(link.startswith(f"https://mybinder.org/v2/gh/{owner_and_name}/main") and name in link for link in links)
    assert (ROOT / f"{name}.ipynb").exists(), "the button points to a pair that is not there: run `make notebooks`"


def channels(color: str) -> list[float]:
    return [float(number) for number in re.findall(r"[\d.]+", color)][:3]


def contrast(a: str, b: str) -> float:
    def luminance(color: str) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in channels(color))
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def rgb(color: str) -> tuple[int, ...]:
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))


@in_chromium
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PAGES)
def test_text_is_readable_in_both_themes(visit, name, theme):
    seen = visit(name)
    assert channels(seen.ground[theme]) == list(rgb(getattr(TOKENS["paper"], theme)))
    faint = [node for node, text, ground in seen.colours[theme] if contrast(text, ground) < 4.5]
    assert not faint, faint[:5]


@in_chromium
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", CHAPTERS)
def test_figures_follow_the_theme(visit, name, theme):
    paper = rgb(getattr(TOKENS["paper"], theme))
    for shown in visit(name).corners[theme]:
        difference = max(abs(a - b) for a, b in zip(shown, paper, strict=True))
        assert difference <= 2, f"a figure is {shown} on the {theme} page: call physnn.lab.figures.plots.style()"


@in_chromium
def test_the_button_changes_the_theme(browser, address):
    with opened(browser, f"{address}{PAGES[0]}.html") as (page, _):
        themes = {page.evaluate("document.documentElement.dataset.theme")}
        for _ in range(2):  # auto, light and dark take turns
            page.locator(".theme-switch-button:visible").first.click()
            themes.add(page.evaluate("document.documentElement.dataset.theme"))
        assert themes == set(THEMES)


class _Foreign(HTMLParser):
    """Collect what a browser would fetch from elsewhere. Links to follow are the reader's choice and fine."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        fetched = values.get("src") or values.get("poster") or values.get("data")
        if tag == "link" and values.get("rel") not in ("canonical", "license"):
            fetched = values.get("href")
        if fetched and re.match(r"(https?:)?//", fetched):
            self.found.append(f"<{tag}> {fetched}")


def test_no_page_or_stylesheet_names_a_foreign_resource(book):
    found = []
    for page in book.rglob("*.html"):
        parser = _Foreign()
        parser.feed(page.read_text(encoding="utf-8"))
        found += [f"{page.relative_to(book)}: {entry}" for entry in parser.found]
    for sheet in book.rglob("*.css"):
        urls = re.findall(r"(?:url\(|@import )['\"]?((?:https?:)?//[^'\")]+)", sheet.read_text(encoding="utf-8"))
        found += [f"{sheet.relative_to(book)}: {url}" for url in urls]
    assert not found
