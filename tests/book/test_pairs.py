"""The notebooks' pairs: written from their sources, and never over what somebody made."""

from pathlib import Path

import pytest

from book.tools import pairs
from tests.book.paired import CHANGES, SOURCE, edit

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.parametrize("name", ["a (copy)", "été", "v1.2", "a" * 61])
def test_a_name_that_no_cell_can_have_is_refused(folder, name, capsys):
    (folder / f"{name}.md").write_text(SOURCE)
    assert pairs.main(["--folder", str(folder)]) == 1
    assert "the name of a chapter has letters, digits, - and _" in capsys.readouterr().err


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
