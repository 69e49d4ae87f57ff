"""The sweep that the book shows: recorded whole, drawn from its record, and what the page on sweeps says of it."""

import importlib.util
import json
import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document

from book.tools import sweep_page
from book.tools.project import BookError
from physnn.lab.sweeping import asked, options
from physnn.lab.sweeping.notebook import load
from physnn.lab.sweeping.question import question
from physnn.lab.sweeping.store import Folder
from tests.lab.sweeping.pages import asked as asked_of
from tests.lab.sweeping.pages import row
from tests.lab.sweeping.sweeps import make_notebook

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / sweep_page.RECORD
PAGE = (ROOT / "book" / "sweeps.md").read_text(encoding="utf-8")
ADDRESS = "https://physnn.github.io/physnn/"
CELL = re.compile(r"<t[hd]\b[^>]*>(.*?)</t[hd]>")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / sweep_page.PLACE
    sweep_page.draw(RECORD, folder)
    return folder


def test_the_record_is_of_the_command_that_the_page_prints():
    text = PAGE.replace("\\\n", " ")
    (command,) = re.findall(r"physnn (sweep .*--out runs/spatial)$", text, re.MULTILINE)
    told = options.parser().parse_args(shlex.split(command))
    kept = asked.read(Folder(RECORD))
    wanted = question(kept.contract, told.replicates, told.baseline, options.names(told.values))
    assert (kept.notebook, kept.question) == (told.notebook.name, wanted)
    grid = dict(each.split("=") for each in told.grid)
    assert grid.keys() <= kept.contract.keys()
    rows = [json.loads(line) for line in (RECORD / sweep_page.ROWS).read_text(encoding="utf-8").splitlines()]
    assert [row["point"] for row in rows] == kept.points
    assert {row["status"] for row in rows} == {"done"}
    assert {row["commit"] for row in rows} == {rows[0]["commit"]} and not any(row["dirty"] for row in rows)
    seen = {tuple(row["parameters"][name] for name in grid) for row in rows}
    assert len(seen) == len(rows) == 20
    for name, values in grid.items():
        found = {row["parameters"][name] for row in rows}
        start, colon, stop = values.partition(":")
        expected = set(range(int(start), int(stop))) if colon else set(map(float, values.split(",")))
        assert found == expected, name


def test_the_page_is_small_and_names_no_place(drawn):
    text = (drawn / "index.html").read_text(encoding="utf-8")
    assert len(text.encode()) <= 400_000
    assert "20 of 20 points are done" in text
    assert set(re.findall(r'href="([^"]+)"', text)) == {"table.csv", "means.csv"}
    files = {"index.html", "means.csv", "table.csv"} | (
        {"table.parquet"} if importlib.util.find_spec("pyarrow") else set()
    )
    assert {path.name for path in drawn.iterdir()} == files
    for path in [*drawn.glob("*.[hc]*"), *RECORD.iterdir()]:
        assert not re.search(r"/(?:home|root|tmp|work|Users)/", path.read_text(encoding="utf-8")), path.name
    assert "host" not in json.loads((RECORD / sweep_page.ROWS).read_text(encoding="utf-8").splitlines()[0])


def test_the_answer_in_the_text_is_that_of_the_page(drawn):
    text = (drawn / "index.html").read_text(encoding="utf-8")
    (table,) = re.findall(r"<summary>accuracy</summary>(.*?)</details>", text, re.DOTALL)
    heads, *lines = [CELL.findall(line) for line in re.findall(r"<tr>(.*?)</tr>", table)]
    (shown,) = re.findall(r"((?:^\|.*\n)+)\nThe \[page that it left\]", PAGE, re.MULTILINE)
    shown = shown.replace("the baseline", "")
    names, _, *rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in shown.splitlines()]
    places = [heads.index(name) for name in names]
    assert rows == [[line[place] for place in places] for line in lines]


def test_the_links_lead_to_what_is_published(drawn):
    links = re.findall(rf"\({re.escape(ADDRESS)}({sweep_page.PLACE}/[^)]+)\)", PAGE)
    assert {link.partition("/")[2] for link in links} == {"index.html", "table.csv", "means.csv"}
    assert all((drawn.parent / link).is_file() for link in links)


def published():
    spec = importlib.util.spec_from_file_location("published", ROOT / "book" / "_ext" / "published.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        (f"{ADDRESS}sweep/index.html", "../sweep/index.html"),
        (f"{ADDRESS}sweep/none.html", f"{ADDRESS}sweep/none.html"),
        ("https://example.org/sweep/index.html", "https://example.org/sweep/index.html"),
    ],
)
def test_a_link_to_what_lies_beside_the_pages_is_to_the_copy_there(link, leads, tmp_path):
    (tmp_path / "beside" / "sweep").mkdir(parents=True)
    (tmp_path / "beside" / "sweep" / "index.html").touch()
    document = new_document("book/sweeps")
    document += nodes.paragraph("", "", nodes.reference("", "page", refuri=link))
    config = SimpleNamespace(html_baseurl=ADDRESS, html_extra_path=["beside"])
    published().point_beside(SimpleNamespace(confdir=str(tmp_path), config=config), document, "book/sweeps")
    (found,) = document.findall(nodes.reference)
    assert found["refuri"] == leads


def test_a_commit_is_one_that_can_be_found():
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    assert sweep_page.in_history(head.stdout.strip()) == (head.returncode == 0)
    assert not any(map(sweep_page.in_history, ("", "unknown", "0" * 40)))


def test_only_a_whole_sweep_is_recorded_and_its_page_is_drawn_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_page, "in_history", lambda commit: commit == "a" * 12)
    notebook = load(make_notebook(tmp_path))
    folder, target = Folder(tmp_path / "out"), tmp_path / "record"
    rows = [row(number, host="my-laptop", commit=commit * 12) for number, commit in enumerate("aab")]
    for each in rows[:2]:
        folder.keep(each, b"{}", "log")
    told = asked_of(notebook)
    told.points.extend(each["point"] for each in rows)
    told.keep(folder)
    with pytest.raises(BookError, match=r"2 of 3 points are done, 1 have not run in .*out: only a sweep without gaps"):
        sweep_page.record(folder.path, target)
    folder.keep(rows[2], b"{}", "log")
    sweep_page.record(folder.path, target)
    kept = [json.loads(line) for line in (target / sweep_page.ROWS).read_text(encoding="utf-8").splitlines()]
    assert [each["commit"] for each in kept] == ["a" * 12, "a" * 12, ""]
    assert not [path for path in target.iterdir() if "my-laptop" in path.read_text(encoding="utf-8")]
    sweep_page.draw(target, tmp_path / "drawn")
    assert "3 of 3 points are done" in (tmp_path / "drawn" / "index.html").read_text(encoding="utf-8")
    (target / sweep_page.ROWS).write_text("{")
    with pytest.raises(BookError, match="cannot be read"):
        sweep_page.draw(target, tmp_path / "drawn")
