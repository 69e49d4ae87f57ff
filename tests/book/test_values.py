"""The recorded numbers of the book: which are fixed, which are of a run, and what names them."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from book.tools import pairs, record_values, values
from book.tools.project import BookError, Project
from book.tools.values import Values
from tests.book.paired import SOURCE

ROOT = Path(__file__).resolve().parents[2]
TEXT = SOURCE.replace("Answer\n: No.", "Answer\n: {glue:text}`best` in {glue:text}`minutes`.") + "{glue:text}`loss`\n"
BOOK = {"number": 4, "best": "97 %", "minutes": "1.5", "loss": 0.3, "live-n": 4, "unused": 1}


def test_numbers_are_parted_by_what_another_run_has():
    text = TEXT + "{glue:text}`live-n` and {glue:text}`../notebooks/b.ipynb::unused`\n"
    other = BOOK | {"minutes": "0.1", "loss": 0.7}
    assert values.parted(text, BOOK, other) == Values({"best": "97 %", "number": 4}, {"minutes": "1.5"})
    assert values.parted(text, BOOK, {}) == Values({}, {"best": "97 %", "minutes": "1.5"})
    as_long = BOOK | {"minutes": BOOK["minutes"]}  # two runs that took as long by chance
    assert values.parted(text, BOOK, as_long).run == {"minutes": "1.5"}


def test_a_pair_shows_what_is_recorded(folder):
    source = folder / "a.md"
    source.write_text(TEXT)
    assert pairs.write(folder) == [folder / "a.ipynb"]
    shown = nbformat.read(folder / "a.ipynb", as_version=4).cells[0].source
    assert "with `number`." in shown.replace("A sentence with", "with") and "`best` in `minutes`" in shown
    found = {"a": {"fixed": {"number": 4, "best": "97 %"}, "run": {"minutes": "1.5"}}}
    (folder / values.FILE).write_text(json.dumps(found))
    assert pairs.stale(folder) and pairs.write(folder) == [folder / "a.ipynb"] and pairs.stale(folder) == []
    shown = nbformat.read(folder / "a.ipynb", as_version=4).cells[0].source
    assert "A sentence with 4." in shown and "97 % in 1.5." in shown


def test_a_fixed_number_that_is_another_now_is_named(tmp_path):
    (tmp_path / values.FILE).write_text(json.dumps({"a": {"fixed": {"n": 4, "gone": 1}, "run": {"minutes": "1.5"}}}))
    assert values.stale(tmp_path / "a.md", {"n": 4, "minutes": "9"}) == []
    (said,) = values.stale(tmp_path / "a.md", {"n": 5})
    assert said == "a: n is recorded as 4 and is 5: run `make values`"
    assert values.stale(tmp_path / "b.md", {"n": 5}) == []


def test_the_recorded_numbers_are_named_by_their_chapters():
    """None is left of a text that no longer names it, or of a chapter that is gone."""
    known = json.loads((ROOT / "notebooks" / values.FILE).read_text(encoding="utf-8"))
    for chapter, found in known.items():
        text = (ROOT / "notebooks" / f"{chapter}.md").read_text(encoding="utf-8")
        named = {name for document, name, _ in values.GLUE.findall(text) if not document}
        assert found["fixed"].keys() | found["run"].keys() <= named, f"{chapter}: run `make values NAME={chapter}`"
        assert not any(name.startswith(values.LIVE) for name in found["fixed"])
        box = re.search(r":class: brief\n.*?^:::$", text, re.MULTILINE | re.DOTALL)[0]
        assert {name for _, name, _ in values.GLUE.findall(box)} <= found["fixed"].keys() | found["run"].keys(), chapter


def test_recording_needs_the_book_as_it_is_published(tmp_path):
    project = Project(ROOT, tmp_path)
    with pytest.raises(BookError, match="there is no chapter nonsense"):
        record_values.record(project, ["nonsense"])
    with pytest.raises(BookError, match="accuracy has not been executed: run `make book`"):
        record_values.record(project, ["accuracy"])
    project.executed.mkdir()
    notebook = nbformat.v4.new_notebook(metadata={"physnn": {"parameters": {"data": "digits"}}})
    nbformat.write(notebook, project.executed / "accuracy.ipynb")
    with pytest.raises(BookError, match="with the book's own parameters on MNIST"):
        record_values.record(project, ["accuracy"])


def test_a_chapter_is_recorded_by_itself(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for name, text in {"a": TEXT, "b": SOURCE}.items():
        (tmp_path / "notebooks" / f"{name}.md").write_text(text)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: notebooks/a\nchapters: [{file: notebooks/b}]\n")
    path = tmp_path / "notebooks" / values.FILE
    path.write_text(json.dumps({"b": {"fixed": {"number": 1}, "run": {}}, "gone": {"fixed": {}, "run": {}}}))
    project = Project(tmp_path, tmp_path / "_build")

    def executed(project, glued):
        project.executed.mkdir(parents=True)
        kind = "application/papermill.record/text/plain"
        outputs = [
            nbformat.v4.new_output("display_data", {kind: repr(value)}, metadata={"scrapbook": {"name": name}})
            for name, value in glued.items()
        ]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
        notebook.metadata["physnn"] = {"parameters": {}}
        nbformat.write(notebook, project.executed / "a.ipynb")

    def run_all(project, parameters, only):
        assert only == {"a"}
        executed(project, BOOK | {"minutes": "0.1", "loss": 0.7})

    monkeypatch.setattr(record_values.run_all, "run_all", run_all)
    executed(project, BOOK)
    assert record_values.record(project, ["a"]) == ["a", "gone"]
    assert json.loads(path.read_text()) == {
        "a": {"fixed": {"best": "97 %", "number": 4}, "run": {"minutes": "1.5"}},
        "b": {"fixed": {"number": 1}, "run": {}},
    }
