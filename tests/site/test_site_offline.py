"""The book to take along: one zip, the same bytes each time, that opens from a folder with the network cut."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml
from sphinx_external_toc.parsing import parse_toc_yaml

from book.tools import bundle
from book.tools.project import BookError, Project
from tests.reading import CHROMIUM, DESK

ROOT = Path(__file__).resolve().parents[2]
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def packed(product) -> Path:
    return product("zip")


@pytest.fixture(scope="module")
def folder(packed, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("bundle")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(place)
    return place / bundle.NAME


@pytest.fixture(scope="module")
def offline(browser):
    """Return a function that opens an address without a network, and returns the page and what went wrong."""
    context = browser.new_context(viewport=DESK, color_scheme="light", offline=True)

    def opened(address: str):
        page, wrong = context.new_page(), []
        page.on("request", lambda request: wrong.append(request.url) if not _local(request.url) else None)
        page.on("requestfailed", lambda request: wrong.extend(_missing(request)))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
        page.goto(address, wait_until="load", timeout=120_000)
        page.wait_for_selector("h1", state="attached")  # the first page sends its reader on
        page.evaluate("() => window.MathJax?.startup?.promise")
        page.evaluate("() => document.fonts.ready")
        return page, wrong

    yield opened
    context.close()


def _missing(request) -> list[str]:
    """Name what is not there; what a page that sends its reader on has begun to load is aborted, and is there."""
    return [] if "ERR_ABORTED" in (request.failure or "") else [f"missing: {request.url}"]


def _local(address: str) -> bool:
    return address.startswith(("file:", "data:", "blob:"))


@in_chromium
@pytest.mark.parametrize("name", ["index", *PAGES])
def test_every_page_opens_from_the_folder(folder, offline, name):
    page, wrong = offline((folder / f"{name}.html").as_uri())
    assert wrong == []
    assert page.locator("article h1").first.is_visible()
    assert (
        page.evaluate("[...document.querySelectorAll('article img')].filter(image => !image.naturalWidth).length") == 0
    )
    assert page.evaluate("document.querySelectorAll('.math:not(:has(mjx-container))').length") == 0
    page.close()


@in_chromium
def test_search_works_from_the_folder(folder, offline):
    page, wrong = offline((folder / "search.html").as_uri() + "?q=rapidity")
    page.wait_for_selector("#search-results li a")
    page.wait_for_timeout(500)
    found = page.eval_on_selector_all("#search-results li a", "links => links.map(link => link.href)")
    assert any("book/notation.html" in link for link in found), found
    assert wrong == []
    page.close()


def test_it_holds_the_executed_notebooks_and_the_recorded_results(folder):
    for page in PAGES:
        if page.startswith("notebooks/"):
            notebook = json.loads((folder / "_sources" / f"{page}.ipynb").read_text(encoding="utf-8"))
            assert any(cell.get("outputs") for cell in notebook["cells"]), f"{page} was packed without outputs"
    for recorded in (ROOT / "results").rglob("*.*"):
        assert (folder / recorded.relative_to(ROOT)).read_bytes() == recorded.read_bytes()
    for name in ("README.txt", "LICENSE", "CITATION.cff", "requirements.lock"):
        assert (folder / name).stat().st_size > 100
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_no_link_between_its_pages_is_dead(folder):
    dead = []
    for page in folder.rglob("*.html"):
        text = re.sub(r"<script\b.*?</script>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for link in re.findall(r'(?:href|src)="([^"#?]+)', text):
            if not re.match(r"[a-z]+:|//", link) and not (page.parent / link).exists():
                dead.append(f"{page.relative_to(folder)}: {link}")
    assert not dead


def test_the_same_book_gives_the_same_bytes(book, packed, tmp_path):
    copy = tmp_path / "html"
    shutil.copytree(book, copy, copy_function=shutil.copyfile)  # other times, another place
    (copy / "physnn-book.epub").touch()  # what is published beside the pages
    bundle.bundle(Project(ROOT, tmp_path), copy, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_no_book_is_said_so(tmp_path):
    with pytest.raises(BookError, match="make book"):
        bundle.bundle(Project(ROOT, tmp_path), tmp_path / "html", tmp_path / "book.zip")


def test_what_the_book_links_to_is_what_is_published():
    address = yaml.safe_load((ROOT / "_config.yml").read_text())["html"]["baseurl"]
    workflow = (ROOT / ".github/workflows/publish.yml").read_text()
    assert re.search(r"run: make bundle epub\b", workflow)
    for name in (f"{bundle.NAME}.zip", f"{bundle.NAME}.epub"):
        assert f"{address}{name}" in (ROOT / "book/rerun.md").read_text(encoding="utf-8")
        assert f"_build/{name}" in workflow
