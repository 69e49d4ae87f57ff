"""What the built pages say to those that link to them: an address, a description, a picture."""

import re
import tomllib
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from PIL import Image
from sphinx_external_toc.parsing import parse_toc_yaml

from book.figures import card
from tests.reading import CHROMIUM

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
ADDRESS, MOVED = CONFIG["html"]["baseurl"], CONFIG["sphinx"]["config"]["moved"]


def test_the_address_is_that_of_the_repositorys_pages():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    owner, name = urls["Repository"].removeprefix("https://github.com/").split("/")
    assert ADDRESS == urls["Documentation"] == f"https://{owner}.github.io/{name}/"
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["url"] == ADDRESS


def test_the_sitemap_lists_the_root_and_every_page_once(book):
    places = ElementTree.parse(book / "sitemap.xml").iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")
    assert sorted(place.text for place in places) == sorted([ADDRESS, *(f"{ADDRESS}{page}.html" for page in PAGES)])


def tags(page: str) -> dict[str, str]:
    found = re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)"', page)
    ours = [name for name, _ in found if name == "description" or name.startswith(("og:", "twitter:"))]
    assert len(ours) == len(set(ours)), "a tag is there twice"
    return {name: unescape(content) for name, content in found}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_a_card(book, name):
    page = (book / f"{name}.html").read_text(encoding="utf-8")
    said = tags(page)
    assert said["og:title"] in unescape(re.search(r"<title>(.*?)</title>", page)[1])
    assert said["og:site_name"] == CONFIG["title"]
    assert said["og:url"] == f"{ADDRESS}{name}.html"
    assert f'<link rel="canonical" href="{ADDRESS}{name}.html"' in page
    assert said["og:image"] == f"{ADDRESS}_static/card.png" and (book / "_static/card.png").exists()
    assert said["twitter:card"] == "summary_large_image"
    about = said.get("og:description", "")
    assert said.get("description", "") == about
    assert len(about) <= 202 and not re.search(r"\\|\$|\{", about)
    if name != "book/references":  # a list, without a paragraph
        assert len(about.split()) >= 8


@pytest.mark.parametrize("old", MOVED)
def test_an_old_address_names_the_page_that_is_there_now(book, old):
    page = (book / f"{old}.html").read_text(encoding="utf-8")
    (place,) = set(re.findall(r'(?:href=|url=|replace\()"?([\w./-]+\.html)"', page))
    assert (book / old).parent.joinpath(place).resolve() == (book / f"{MOVED[old]}.html").resolve()
    title = re.search(r"<title>(.*?)</title>", page)[1]
    assert title in re.search(r"<title>(.*?)</title>", (book / f"{MOVED[old]}.html").read_text(encoding="utf-8"))[1]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")
@pytest.mark.parametrize("script", [True, False])
def test_an_old_address_leads_to_the_page_and_with_a_script_to_the_place_in_it(browser, address, script):
    old, new = next(iter(MOVED.items()))
    context = browser.new_context(java_script_enabled=script)
    page = context.new_page()
    page.goto(f"{address}{old}.html#what-this-shows", wait_until="commit", timeout=120_000)
    wanted = f"{address}{new}.html#what-this-shows" if script else re.compile(re.escape(f"{address}{new}.html"))
    page.wait_for_url(wanted, wait_until="commit", timeout=120_000)
    context.close()


@pytest.mark.parametrize("picture", card.SIZES, ids=lambda path: path.name)
def test_the_pictures_are_small_and_follow_the_first_image(picture):
    with Image.open(picture) as image:
        assert image.size == card.SIZES[picture]
        assert image.text[card.SOURCE] == card.digest(), "draw it again: python -m book.figures.card"
    assert picture.stat().st_size < 100_000
