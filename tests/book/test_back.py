"""What was changed in a notebook's pair comes back into its source, and nothing else changes there."""

import shutil
from pathlib import Path

import jupytext
import nbformat
import pytest

from book.tools import back, pairs, plain, values
from book.tools.project import BookError
from tests.book.paired import CHANGES, SOURCE, edit

ROOT = Path(__file__).resolve().parents[2]
new = nbformat.v4


def taken_back(folder: Path, *arguments) -> str:
    assert back.main(["a", *map(str, arguments), "--folder", str(folder)]) == 0
    return (folder / "a.md").read_text()


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
        notebook["cells"][-2]["source"] = ["1 + 1\n", "2 + 2"]
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
    assert plain.of(folder / "a.md").note in (folder / "a.ipynb").read_text()
    text = taken_back(folder)
    before, after = SOURCE.split("The last word, of {cite:p}`post2024`.")
    assert text.startswith(before + "The very last word, of ([The post, 2024](https://")
    assert text.endswith(after)
    assert "cell 0: text was changed" in capsys.readouterr().out


@pytest.mark.parametrize("named", [True, False], ids=["by its id", "by its text"])
def test_a_caption_stays_behind(folder, named, capsys):
    """It is an option of its figure in the source, and comes back neither as a cell nor as a note, unless changed."""

    def change(notebook):
        caption = notebook["cells"][-1]
        assert "".join(caption["source"]).startswith("**Figure.** A caption") and caption["id"] == "a-04c"
        if not named:
            caption["id"] = "other"
        notebook["cells"][-2]["source"] = "1 + 2"

    edit(folder / "a.ipynb", change)
    assert taken_back(folder) == SOURCE.replace("1 + 1", "1 + 2")
    assert "caption" not in capsys.readouterr().out
    edit(folder / "a.ipynb", lambda notebook: notebook["cells"][-1].update(source="Another."))
    assert taken_back(folder) == SOURCE.replace("1 + 1", "1 + 2")
    assert "a caption is an option of its figure in a.md; not taken" in capsys.readouterr().out


def test_a_text_that_would_read_otherwise_now_is_refused(folder, capsys):
    """Else each of its numbers would look like a change."""
    (folder / values.FILE).write_text('{"a": {"fixed": {"number": 4}, "run": {}}}')
    edit(folder / "a.ipynb", CHANGES["source"])
    assert back.main(["a", "--folder", str(folder)]) == 1
    assert "names numbers, figures or works as the book had them" in capsys.readouterr().err
    assert (folder / "a.md").read_text() == SOURCE


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
    assert "cell 5 is new: '3 + 3'" in told
    assert "cell 6 is new: 'The end.'" in told
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
