"""The notebooks' pairs: written from their sources, never over what somebody made, and taken back into the sources."""

import json
import shutil
from pathlib import Path

import jupytext
import nbformat
import pytest

from book.tools import back, pairs, plain
from book.tools.project import BookError

ROOT = Path(__file__).resolve().parents[2]
new = nbformat.v4

SOURCE = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A title

A sentence with {glue:text}`number`.

:::{admonition} In short
:class: brief

Question
: Is it?

Answer
: No.
:::

The last word, of {cite:p}`post2024`.

```{code-cell} python
:tags: [parameters]

lr: float = 0.1  # a rate
```

A second text.

+++

A third.

```{code-cell} python
---
mystnb:
  figure:
    caption: |
      A caption that is set on a line of its own, and that is longer than what a YAML library would leave on one line
    name: fig-one
---
1 + 1
```
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder with one source and its pair."""
    (tmp_path / "a.md").write_text(SOURCE)
    assert pairs.main(["--folder", str(tmp_path)]) == 0
    return tmp_path


def edit(path: Path, change) -> None:
    """Change a notebook in place."""
    notebook = json.loads(path.read_text())
    change(notebook)
    path.write_text(json.dumps(notebook))


def taken_back(folder: Path, *arguments) -> str:
    assert back.main(["a", *map(str, arguments), "--folder", str(folder)]) == 0
    return (folder / "a.md").read_text()


def test_the_committed_pairs_follow_from_their_sources():
    assert pairs.stale(ROOT / "notebooks") == []


def test_pairs_are_deterministic_and_drift_is_found(folder, capsys):
    source, pair = folder / "a.md", folder / "a.ipynb"
    first = pair.read_bytes()
    assert b'"id": "a-00"' in first
    assert pairs.main(["--folder", str(folder), "--check"]) == 0

    pair.unlink()
    assert pairs.main(["--folder", str(folder), "--check"]) == 1
    assert "make notebooks" in capsys.readouterr().err
    pairs.write(folder)
    assert pair.read_bytes() == first
    source.write_text(SOURCE.replace("1 + 1", "1 + 2"))
    assert pairs.main(["--folder", str(folder), "--check"]) == 1
    assert pairs.write(folder) == [pair]


def test_the_pair_of_a_deleted_source_is_deleted(folder, capsys):
    (folder / "a.md").rename(folder / "b.md")
    assert pairs.main(["--folder", str(folder), "--check"]) == 1
    assert pairs.main(["--folder", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["b.ipynb", "b.md"]


def test_a_notebook_of_somebody_is_neither_touched_nor_complained_about(folder, capsys):
    own = {"my-experiment.ipynb": b'{"cells": []}', "half.ipynb": b"{", "copy.ipynb": (folder / "a.ipynb").read_bytes()}
    for name, content in own.items():
        (folder / name).write_bytes(content)
    assert pairs.main(["--folder", str(folder), "--check"]) == 0
    assert pairs.main(["--folder", str(folder)]) == 0
    assert {name: (folder / name).read_bytes() for name in own} == own
    assert capsys.readouterr() == ("", "")


CHANGES = {
    "output": lambda notebook: notebook["cells"][1].update(outputs=[new.new_output("stream", text="0.1")]),
    "count": lambda notebook: notebook["cells"][1].update(execution_count=3),
    "metadata": lambda notebook: notebook["metadata"].update(widgets={}),
    "source": lambda notebook: notebook["cells"][1].update(source="lr = 1"),
    "format": lambda notebook: None,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("with_source", [True, False], ids=["", "without source"])
def test_a_pair_that_somebody_changed_is_left_alone(folder, change, with_source, capsys):
    pair, other = folder / "a.ipynb", folder / "b.md"
    edit(pair, change)
    kept = pair.read_bytes()
    other.write_text(SOURCE)  # what else there is to do is done
    source = folder / "a.md"
    source.write_text(SOURCE.replace("1 + 1", "1 + 2")) if with_source else source.unlink()
    assert pairs.main(["--folder", str(folder)]) == int(with_source)
    assert pair.read_bytes() == kept
    assert other.with_suffix(".ipynb").exists()
    if with_source:
        assert "make notebook-back NAME=a" in capsys.readouterr().err
        assert pairs.main(["--folder", str(folder), "--check"]) == 1


def test_a_notebook_in_the_place_of_a_pair_is_left_alone(folder, capsys):
    (folder / "a.ipynb").write_text('{"cells": []}')
    for arguments in ([], ["--check"]):
        assert pairs.main(["--folder", str(folder), *arguments]) == 1
        assert "a.ipynb was not written from a.md: give it another name" in capsys.readouterr().err
    assert (folder / "a.ipynb").read_text() == '{"cells": []}'


def test_a_source_may_begin_with_a_byte_order_mark(folder):
    before = (folder / "a.ipynb").read_bytes()
    (folder / "a.md").write_text(SOURCE, encoding="utf-8-sig")
    assert pairs.write(folder) == []
    assert (folder / "a.ipynb").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# A page\n", "header of a notebook"),
        (b"", "header of a notebook"),
        (b"---\nkernelspec: [\n---\n", "cannot be read"),
        (SOURCE.replace("number", "größe").encode("latin-1"), "cannot be read"),
    ],
    ids=["no header", "empty", "no YAML", "other encoding"],
)
def test_a_source_that_is_no_notebook_is_named(folder, content, said, capsys):
    (folder / "b.md").write_bytes(content)
    assert pairs.main(["--folder", str(folder)]) == 1
    printed = capsys.readouterr().err
    assert "b.md" in printed and said in printed
    assert printed.count("\n") == 1


def test_what_editors_leave_is_no_source(folder):
    (folder / ".#a.md").symlink_to("somebody@here.123")
    (folder / ".b.md").write_text(SOURCE)
    (folder / "a.md~").write_text(SOURCE)
    assert pairs.write(folder) == []


def test_a_folder_that_cannot_be_written_is_one_line(folder, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device", "a.ipynb")

    monkeypatch.setattr(pairs.files, "write", full)
    (folder / "a.ipynb").unlink()
    assert pairs.main(["--folder", str(folder)]) == 1
    assert capsys.readouterr().err.startswith("make notebooks: a.ipynb: No space left on device; ")


def test_every_chapter_comes_back_as_it_was(tmp_path):
    for source in pairs.sources(ROOT / "notebooks"):
        assert back.taken_back(source, source.with_suffix(".ipynb")) == (source.read_text(), [])


def test_a_source_that_is_set_in_another_way_comes_back_as_it_was(folder):
    (folder / "a.md").write_text(SOURCE.replace("\n1 + 1", "\n\n1 + 1").replace("# A title", "# A title\n\n\n"))
    pairs.write(folder)
    before = (folder / "a.md").read_text()
    edit(folder / "a.ipynb", CHANGES["output"])
    assert taken_back(folder) == before


def test_code_comes_back_exactly(folder, capsys):
    """With its options as they are written, without outputs, and the pair follows from it again."""

    def ran(notebook):
        notebook["cells"][1].update(source="lr: float = 0.5  # another", outputs=[new.new_output("stream", text="x")])
        notebook["cells"].insert(2, new.new_code_cell("lr = 0.7", metadata={"tags": ["injected-parameters"]}))

    edit(folder / "a.ipynb", ran)
    assert taken_back(folder) == SOURCE.replace("lr: float = 0.1  # a rate", "lr: float = 0.5  # another")
    assert capsys.readouterr().out == "wrote a.md\nwrote a.ipynb, without outputs\n"
    assert pairs.main(["--folder", str(folder), "--check"]) == 0


def test_a_copy_from_elsewhere_comes_back(folder, tmp_path_factory):
    """As Colab writes it: ids in the metadata, a cell with its badge, no minor version, lines in lists."""
    copy = tmp_path_factory.mktemp("downloads") / "a (1).ipynb"
    shutil.copy(folder / "a.ipynb", copy)

    def on_colab(notebook):
        for cell in notebook["cells"]:
            cell["metadata"]["id"] = cell.pop("id")
            cell["source"] = [line + "\n" for line in "".join(cell["source"]).split("\n")]
            cell["source"][-1] = cell["source"][-1][:-1]
        notebook["cells"].insert(0, {"cell_type": "markdown", "metadata": {"id": "view-in-github"}, "source": ["<a>"]})
        notebook["cells"][-1]["source"] = ["1 + 1\n", "2 + 2"]
        notebook["nbformat_minor"] = 0
        notebook["metadata"]["colab"] = {}

    edit(copy, on_colab)
    assert taken_back(folder, copy) == SOURCE.replace("1 + 1", "1 + 1\n2 + 2")
    assert pairs.stale(folder) == []


def test_of_a_changed_text_the_other_paragraphs_keep_their_myst(folder, capsys):
    def change(notebook):
        first = notebook["cells"][0]
        first["source"] = "".join(first["source"]).replace("The last word, of", "The very last word, of")

    edit(folder / "a.ipynb", change)
    assert plain.NOTE in (folder / "a.ipynb").read_text()
    text = taken_back(folder)
    before, after = SOURCE.split("The last word, of {cite:p}`post2024`.")
    assert text.startswith(before + "The very last word, of [post2024](https://")
    assert text.endswith(after)
    assert "cell 0: text was changed" in capsys.readouterr().out


def test_cells_may_be_added_moved_and_deleted(folder, capsys):
    def change(notebook):
        cells = notebook["cells"]
        cells[1], cells[2] = cells[2], cells[1]
        del cells[3]
        cells.append(new.new_code_cell("3 + 3", metadata={"tags": ["hide-input"], "collapsed": True}))
        cells.append(new.new_markdown_cell("The end."))
        cells.append(new.new_code_cell(""))

    edit(folder / "a.ipynb", change)
    text = taken_back(folder)
    assert "A third." not in text
    assert text.index("A second text.") < text.index(":tags: [parameters]\n\nlr: float = 0.1") < text.index("mystnb:")
    assert text.endswith("1 + 1\n```\n\n```{code-cell} python\n:tags: [hide-input]\n\n3 + 3\n```\n\nThe end.\n")
    told = capsys.readouterr().out
    assert "cell a-03 is gone: 'A third.'" in told
    assert "cell 4 is new: '3 + 3'" in told
    assert "cell 5 is new: 'The end.'" in told
    cells = jupytext.reads(text, fmt="md:myst").cells
    assert [cell.cell_type for cell in cells] == ["markdown", "markdown", "code", "code", "code", "markdown"]


def test_a_notebook_of_another_source_or_state_is_refused(folder, capsys):
    (folder / "b.md").write_text(SOURCE)
    pairs.write(folder)
    assert back.main(["b", str(folder / "a.ipynb"), "--folder", str(folder)]) == 1
    assert "was made from a.md, not from b.md" in capsys.readouterr().err
    (folder / "a.md").write_text(SOURCE.replace("1 + 1", "1 + 2"))
    assert back.main(["a", "--folder", str(folder)]) == 1
    assert "a.md has changed since" in capsys.readouterr().err
    assert "1 + 2" in (folder / "a.md").read_text()
    assert back.main(["c", "--folder", str(folder)]) == 1
    assert "there are a, b" in capsys.readouterr().err
    (folder / "c.ipynb").write_text("{")
    with pytest.raises(BookError, match="is no notebook"):
        back.taken_back(folder / "b.md", folder / "c.ipynb")


def test_what_does_not_say_where_it_is_from_is_taken_with_a_word(folder, capsys):
    edit(folder / "a.ipynb", lambda notebook: notebook["metadata"].pop("pair"))
    assert taken_back(folder) == SOURCE
    assert "does not say what it was made from" in capsys.readouterr().out
    assert pairs.stale(folder) == []


def test_another_folder_s_pair_is_not_replaced_while_it_holds_changes(folder, tmp_path_factory, capsys):
    copy = tmp_path_factory.mktemp("downloads") / "a.ipynb"
    shutil.copy(folder / "a.ipynb", copy)
    edit(copy, CHANGES["source"])
    edit(folder / "a.ipynb", CHANGES["output"])
    kept = (folder / "a.ipynb").read_bytes()
    assert "lr = 1\n" in taken_back(folder, copy)
    assert (folder / "a.ipynb").read_bytes() == kept
