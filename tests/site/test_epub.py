"""The EPUB: whole, well-formed, without a script or anything foreign, its figures still, its formulas MathML."""

import importlib.util
import posixpath
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import unquote, urldefrag
from xml.etree import ElementTree

import nbformat
import pytest

from book.tools import epub, epub_access, stills
from book.tools.project import BookError, Project
from tests.reading import CHROMIUM, OVERHANG

ROOT = Path(__file__).resolve().parents[2]
PROJECT = Project(ROOT, ROOT / "_build")
PAGES = PROJECT.pages
MIMETYPE = "application/epub+zip"
X, OPF = "{http://www.w3.org/1999/xhtml}", "{http://www.idpf.org/2007/opf}"
MATH = "{http://www.w3.org/1998/Math/MathML}math"


@pytest.fixture(scope="module")
def made(product) -> Path:
    return product("epub")


@pytest.fixture(scope="module")
def contents(made) -> dict[str, bytes]:
    with zipfile.ZipFile(made) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def pages(contents) -> dict[str, ElementTree.Element]:
    return {name: ElementTree.fromstring(data) for name, data in contents.items() if name.endswith(".xhtml")}


@pytest.fixture(scope="module")
def package(contents) -> ElementTree.Element:
    (rootfile,) = ElementTree.fromstring(contents["META-INF/container.xml"]).iter(
        "{urn:oasis:names:tc:opendocument:xmlns:container}rootfile"
    )
    return ElementTree.fromstring(contents[rootfile.get("full-path")])


def test_the_container_says_what_it_is_before_anything_else(made):
    with zipfile.ZipFile(made) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type, first.extra) == ("mimetype", zipfile.ZIP_STORED, b"")
        assert archive.read(first).decode() == MIMETYPE
        assert archive.testzip() is None


def test_the_manifest_is_complete(contents, package):
    listed = [item.get("href") for item in package.iter(f"{OPF}item")]
    assert len(set(listed)) == len(listed)
    there = {name for name in contents if name != "mimetype" and not name.startswith("META-INF/")}
    assert set(listed) == {name for name in there if not name.endswith(".opf")}
    assert not [name for name in listed if name.endswith(".js")]


def test_the_manifest_says_what_each_page_holds(pages, package):
    said = {item.get("href"): set((item.get("properties") or "").split()) for item in package.iter(f"{OPF}item")}
    for name, page in pages.items():
        assert ("mathml" in said[name]) == (page.find(f".//{MATH}") is not None), name
    assert sum("nav" in properties for properties in said.values()) == 1
    assert sum("cover-image" in properties for properties in said.values()) == 1


def test_the_package_says_who_can_read_it(package):
    said = [(each.get("property"), each.text) for each in package.find(f"{OPF}metadata").iter(f"{OPF}meta")]
    ours = [(name.removeprefix("schema:"), text) for name, text in said if (name or "").startswith("schema:")]
    assert ours == [(name, value) for name, values in epub_access.SAID.items() for value in values]


def test_code_has_the_size_of_the_text(contents):
    rules = dict(re.findall(r"^(code|pre|dl\.py > dt) \{(.*?)\}", contents["_static/epub.css"].decode(), re.MULTILINE))
    assert len(rules) == 3 and all("font-size: 1em;" in rule for rule in rules.values())


def test_every_page_of_the_book_is_read_in_its_order(pages, package):
    places = {item.get("id"): item.get("href") for item in package.iter(f"{OPF}item")}
    read = [places[ref.get("idref")] for ref in package.iter(f"{OPF}itemref")]
    assert [name for name in read if name.removesuffix(".xhtml") in PAGES] == [f"{page}.xhtml" for page in PAGES]
    assert {f"{page}.xhtml" for page in PAGES} <= {
        urldefrag(link.get("href"))[0] for link in pages["nav.xhtml"].iter(f"{X}a")
    }


def test_the_contents_have_the_parts_and_numbers_of_the_book(pages):
    (top,) = pages["nav.xhtml"].iter(f"{X}nav")
    shown = [
        (item.find(f"{X}span").text, item.find(f"{X}ol"))
        for item in top.find(f"{X}ol")
        if item.find(f"{X}span") is not None
    ]
    parts = [(caption, names) for caption, names in PROJECT.parts if caption]
    assert [caption for caption, _ in shown] == [caption for caption, _ in parts]
    for (_, rows), (_, names) in zip(shown, parts, strict=True):
        assert [link.get("href") for link in rows.iter(f"{X}a")] == [f"{name}.xhtml" for name in names]
        for link in rows.iter(f"{X}a"):
            assert link.text == "".join(pages[link.get("href")].find(f".//{X}h1").itertext())
    numbers = [int(found[1]) for link in top.iter(f"{X}a") if (found := re.match(r"(\d+)\. ", link.text))]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 10


def test_no_page_needs_a_script_or_another_place(pages):
    for name, page in pages.items():
        for tag in ("script", "iframe", "object", "video", "audio", "input", "button"):
            assert page.find(f".//{X}{tag}") is None, f"{name} holds <{tag}>"
        fetched = [node.get("src") for node in page.iter() if node.get("src")]
        fetched += [node.get("href") for node in page.iter(f"{X}link")]
        assert not [place for place in fetched if re.match(r"[a-z]+:|//", place)], name


def test_no_picture_and_no_link_leads_nowhere(pages, contents):
    wrong = []
    marks = {name: {node.get("id") for node in page.iter()} for name, page in pages.items()}
    for name, page in pages.items():
        for node in page.iter():
            place = node.get("src") or node.get("href")
            if not place or re.match(r"[a-z]+:", place):
                continue
            path, mark = urldefrag(place)
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(path))) if path else name
            if target not in contents or (mark and target in marks and mark not in marks[target]):
                wrong.append(f"{name}: {place}")
    assert not wrong


def test_every_picture_is_described(pages):
    shown = 0
    for page in PAGES:
        for image in pages[f"{page}.xhtml"].iter(f"{X}img"):
            shown += 1
            assert len((image.get("alt") or "").split()) >= 5, f"{page}: {image.attrib}"
    assert shown > 20


def test_what_moves_on_the_site_stands_still_here(book, pages):
    """Every live figure of the notebooks is a captioned picture, with the words that described the live one."""
    seen = 0
    for page in [page for page in PAGES if page.startswith("notebooks/")]:
        notebook = nbformat.read(book.parent / "executed" / f"{Path(page).name}.ipynb", as_version=4)
        alts = [image.get("alt") for image in pages[f"{page}.xhtml"].iter(f"{X}img")]
        for cell in notebook.cells:
            if any("<script" in output.get("data", {}).get("text/html", "") for output in cell.get("outputs", [])):
                stills.still(cell, page)
                if "image" in cell.metadata.get("mystnb", {}):  # else it was a page of tables
                    assert alts.count(cell.metadata["mystnb"]["image"]["alt"]) == 1
                    seen += 1
    assert seen >= 3


def test_formulas_are_mathml(pages):
    assert sum(len(list(page.iter(MATH))) for page in pages.values()) > 100
    for name, page in pages.items():
        for node in list(page.iter()):
            for child in list(node):
                if child.tag in (f"{X}code", f"{X}pre", MATH):
                    node.remove(child)
        assert not re.search(r"\$[^$\n]+\$|\\\(|\\\[|\\begin\{|\{glue", "".join(page.itertext())), name


@pytest.fixture(scope="module")
def mathematics():
    path = ROOT / "book" / "_ext" / "mathml.py"
    spec = importlib.util.spec_from_file_location("mathml", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("tex", "parts"),
    [
        (r"a = b, \qquad c = d \quad (e)", ["a = b,", "c = d", "(e)"]),
        (r"\begin{cases} a & \quad b \end{cases}", [r"\begin{cases} a & \quad b \end{cases}"]),
        (
            r"\left\{ a \quad b \right\} \leftarrow \text{c \quad d}",
            [r"\left\{ a \quad b \right\} \leftarrow \text{c \quad d}"],
        ),
    ],
)
def test_a_formula_breaks_at_its_wide_spaces_and_nowhere_inside(mathematics, tex, parts):
    assert mathematics.pieces(tex) == parts


def test_large_braces_and_bars_are_signs(mathematics):
    made = ElementTree.fromstring(
        mathematics.mathml(r"\min\Bigl\{ |a|, \bigl\langle b \bigr\rangle \Bigr\}", block=True)
    )
    assert "".join(made.itertext()) == "min{|a|,⟨b⟩}"
    assert made.get("alttext").startswith(r"\min\Bigl\{ |a|")
    bars = [sign for sign in made.iter(f"{MATH.removesuffix('math')}mo") if sign.text == "|"]
    assert [(bar.get("lspace"), bar.get("rspace")) for bar in bars] == [("0", "0")] * 2


@pytest.mark.parametrize("tex", [r"\unheardof{a}", r"\Bigm\{ a"])
def test_a_formula_that_is_not_understood_is_refused(mathematics, tex):
    with pytest.raises(ValueError, match="no MathML"):
        mathematics.mathml(tex, block=False)


@pytest.mark.skipif(
    shutil.which("epubcheck") is None, reason="no epubcheck on the PATH (Debian: apt-get install epubcheck)"
)
def test_epubcheck_agrees(made):
    result = subprocess.run(["epubcheck", "--quiet", made], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")
def test_no_page_is_wider_than_the_reader(browser, made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("read")
    with zipfile.ZipFile(made) as archive:
        archive.extractall(folder)
    context = browser.new_context(offline=True)
    page, wide = context.new_page(), {}
    for name in PAGES:
        page.goto((folder / f"{name}.xhtml").as_uri(), timeout=120_000)
        for width in (800, 390):
            page.set_viewport_size({"width": width, "height": 1100})
            if (over := page.evaluate(OVERHANG.replace("article *", "body *")))[0] > 0:
                wide[name, width] = over
    context.close()
    assert not wide


def test_a_live_output_without_a_picture_is_refused():
    output = nbformat.v4.new_output("display_data", {"text/html": "<div></div><script>go()</script>"})
    cell = nbformat.v4.new_code_cell(outputs=[output])
    with pytest.raises(BookError, match="no picture"):
        stills.still(cell, "01.ipynb")


def test_a_table_keeps_its_cells_and_its_marks_as_xml():
    table = (
        '<style>#T_1_a, #T_1_b {color: red;}</style><table border="1"><tr><td id="T_1_a">a < b<br>c</td></tr></table>'
    )
    made = ElementTree.fromstring(stills.plain(table))
    (cell,) = made.iter("td")
    assert cell.get("style") == "color: red;"
    assert "".join(cell.itertext()) == "a < bc"


def test_an_interval_is_set_apart_and_a_wide_table_is_small():
    cells = "".join(f"<td>1.0 [0.9,\N{NO-BREAK SPACE}1.1], n = {n}</td>" for n in range(5))
    made = ElementTree.fromstring(stills.plain(f"<table class='dataframe'><tr>{cells}</tr></table>"))
    assert made.get("class") == "dataframe wide"
    assert [span.text for span in made.iter("span")] == ["[0.9, 1.1]"] * 5
    assert "".join(next(made.iter("td")).itertext()) == "1.0 [0.9, 1.1], n = 0"


def test_a_page_of_tables_loses_its_script_and_keeps_what_fits():
    keys = ["runs", "lr", "test_accuracy", "test_ece", "test_nll", "loss"]
    kept = {"runs", "test_accuracy", "test_nll"}
    head = "".join(f'<th data-key="{key}"{" data-essential" * (key in kept)}>{key}' for key in keys)
    cells = "".join(f"<td>{key}" for key in keys)
    page = f'<div id="x"><p class="pick live">Pick</p><table><tr><th>arm{head}</tr><tr><th>a{cells}</tr></table>'
    cell = nbformat.v4.new_code_cell(
        outputs=[nbformat.v4.new_output("display_data", {"text/html": f"{page}<script>a < b</script></div>"})]
    )
    stills.still(cell, "09.ipynb")
    made = ElementTree.fromstring(cell.outputs[0].data["text/html"])
    rows = [["".join(cell.itertext()) for cell in row] for row in made.iter("tr")]
    assert rows == [["arm", "runs", "test_accuracy", "test_nll"], ["a", "runs", "test_accuracy", "test_nll"]]
    assert "Pick" not in "".join(made.itertext())


def test_a_page_that_is_not_well_formed_is_refused():
    with pytest.raises(BookError, match=r"page\.xhtml is not well-formed"):
        epub.finished({"page.xhtml": b"<html><br></html>", "content.opf": b"<dc:identifier>x</dc:identifier>"}, [])
