"""How the built site presents itself: its root, a page for lost readers, search, and what machines read."""

import json
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

from tests.reading import CHROMIUM, opened

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
ADDRESS = CONFIG["html"]["baseurl"]
PLACE = urlsplit(ADDRESS).path

# The search is over, and every page that it found shows its text; an object of the package shows its page instead
SEARCHED = """() => {
    const found = [...document.querySelectorAll("#search-results ul.search > li:not(:has(> span))")];
    return document.querySelector("#search-results h2")?.innerText === "Search Results" && found.length > 0
        && found.every(item => item.querySelector("p.context"));
}"""
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


def soup(path: Path) -> BeautifulSoup:
    text = re.sub(
        r"<script(?! type=\"application)\b.*?</script>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    return BeautifulSoup(text, "html.parser")


@pytest.fixture(scope="module")
def page(book):
    """Return a function that reads a page once."""
    read = {}
    return lambda name: read.setdefault(name, soup(book / f"{name}.html"))


def test_the_root_says_what_it_is_and_sends_on(book):
    root = soup(book / "index.html")
    assert root.html["lang"] == "en" and CONFIG["title"] in root.title.string
    assert root.find("meta", {"http-equiv": "refresh"})["content"] == f"0; url={PAGES[0]}.html"
    assert root.body.a["href"] == f"{PAGES[0]}.html"
    assert root.find("link", rel="canonical")["href"] == f"{ADDRESS}{PAGES[0]}.html"
    said = {tag.get("property") or tag.get("name"): tag.get("content") for tag in root.find_all("meta")}
    assert said["og:site_name"] == CONFIG["title"] and said["og:image"].startswith(ADDRESS)
    assert len(said["description"].split()) > 8 and "robots" not in said
    assert (book / root.find("link", rel="apple-touch-icon")["href"]).exists()


def test_the_page_for_lost_readers_begins_every_address_at_the_root(book):
    lost = soup(book / "404.html")
    assert lost.find("meta", {"name": "robots"})["content"] == "noindex"
    assert lost.find("link", rel="canonical") is None
    places = [node.get("href") or node.get("src") for node in lost.find_all(["a", "link", "img", "script"])]
    own = [place for place in places if place and not re.match(r"https?:|#|data:", place)]
    assert len(own) > len(PAGES)
    for place in own:
        assert place.startswith(PLACE) and (book / urlsplit(place.removeprefix(PLACE)).path).exists(), place
    listed = {link["href"] for link in lost.select("article a[href]")}
    assert {f"{PLACE}{name}" for name in ("book/intro.html", "book/scoreboard.html", "search.html")} <= listed


@pytest.fixture(scope="module")
def as_published(book, tmp_path_factory):
    """Return where the book is served as GitHub Pages does it: below its name, lost readers shown its page."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / PLACE.strip("/")).symlink_to(book)
    lost = (book / "404.html").read_bytes()

    class Pages(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Keep the access log out of the tests' output."""

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(lost)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{PLACE}"
        server.shutdown()
        thread.join()


@in_chromium
def test_a_lost_reader_finds_the_book_from_any_depth(browser, as_published):
    nowhere = f"{as_published}a/deep/place/nowhere.html"
    with opened(browser, nowhere) as (shown, complaints):
        assert complaints.missing == [nowhere] and complaints.foreign == []
        assert shown.locator("article h1").inner_text() == "There is no such page"
        assert "Source Sans" in shown.evaluate("getComputedStyle(document.querySelector('article h1')).fontFamily")
        shown.locator("article a", has_text="Scoreboard").click()
        shown.wait_for_url(f"{as_published}book/scoreboard.html", wait_until="commit", timeout=120_000)


@in_chromium
def test_the_search_shows_the_text_around_the_word(browser, address):
    with opened(browser, f"{address}search.html?q=rapidity") as (shown, complaints):
        shown.wait_for_function(SEARCHED, timeout=120_000)
        excerpts = shown.locator("#search-results p.context").all_inner_texts()
        assert complaints.errors == []
    assert sum("rapidity" in excerpt.lower() for excerpt in excerpts) > len(excerpts) / 2
    for excerpt in excerpts:
        assert len(excerpt) < 260
        assert not re.search(r"Show code|Open issue|Repository|\\\(|Print to PDF|Binder|Contents\b.*Contents", excerpt)


def test_the_search_without_a_script_says_what_to_do(book):
    said = soup(book / "search.html").select_one("article noscript, main noscript")
    assert "Error" not in said.get_text()
    for link in said.find_all("a"):
        assert (book / link["href"]).exists()
    assert len(said.find_all("a")) == 2


@pytest.mark.parametrize("name", PAGES)
def test_the_authors_are_named_within_a_sentence(page, name):
    (said,) = page(name).find_all(class_="component-author")
    assert said.get_text().split() == ["By", "the", "physnn", "authors"]


@pytest.mark.parametrize("name", PAGES)
def test_no_two_folds_follow_one_another(page, name):
    for cell in page(name).article.find_all("div", class_="cell"):
        following = cell.find_next_sibling()
        if cell.find("details", class_="above-input") and not cell.find("div", class_="cell_output"):
            assert "tag_hide-input" not in (following.get("class") or [] if following else [])


@pytest.mark.parametrize("name", PAGES)
def test_no_line_ends_between_a_number_and_its_percent_sign(page, name):
    texts = page(name).article.find_all(["p", "li", "dd", "figcaption"])
    prose = [text for text in texts if not text.find_parent(class_=["cell_output", "text_html", "highlight"])]
    assert not [found for text in prose for found in re.findall(r".{20}\d\]? %.{10}", text.get_text())]
    assert not [text.get_text()[:80] for text in prose if re.search(r"=\\\)\s*[\d−]", text.get_text())]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_in_the_words_of_schema_what_it_is(page, name):
    (tag,) = page(name).find_all("script", type="application/ld+json")
    said = json.loads(tag.string)
    assert said["url"] == f"{ADDRESS}{name}.html" and said["license"].endswith("/MIT")
    assert said["author"][0]["name"] == CONFIG["author"]
    assert said["headline"] in page(name).title.string
    assert (said["@type"] == "Book") == (name == PAGES[0])
    assert name == PAGES[0] or said["isPartOf"]["url"] == f"{ADDRESS}{PAGES[0]}.html"


def test_llms_txt_lists_the_text_of_every_page(book):
    text = (book / "llms.txt").read_text(encoding="utf-8")
    assert re.match(r"# .+\n\n> .+\n\n", text)
    listed = re.findall(rf"^- \[.+?\]\({re.escape(ADDRESS)}(.+?)\.md\)(?:: .+)?$", text, re.MULTILINE)
    assert listed == PAGES
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[-1] == "Optional"


@pytest.mark.parametrize("name", PAGES)
def test_the_text_of_a_page_has_its_numbers_and_no_tags(book, page, name):
    text = (book / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith("# ") and len(text) < 400_000
    (link,) = page(name).find_all("link", rel="alternate", type="text/markdown")
    assert (book / name).parent.joinpath(link["href"]) == book / f"{name}.md"
    assert f"{ADDRESS}{name}.html" in text[:500]
    prose = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]+`", "", text, flags=re.DOTALL)
    assert not re.search(r"</?(div|span|details|table|p|figure)\b|\\\(|\{glue|Show code cell", prose)
    numbers = {" ".join(node.get_text().split()) for node in page(name).article.find_all(class_="pasted-text")}
    said = " ".join(text.split())
    assert not [number for number in numbers if number not in said]
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    assert not [target for target in targets if not re.match(r"https?://|mailto:", target)]
    own = [target.removeprefix(ADDRESS) for target in targets if target.startswith(ADDRESS)]
    beside = ("physnn-book.",)  # published with the pages, and made of them
    dead = [each for each in own if not each.startswith(beside) and not (book / each.partition("#")[0]).exists()]
    assert not dead
