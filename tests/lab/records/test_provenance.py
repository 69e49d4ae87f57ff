"""Glued values, as a notebook shows them, and the digest of the source."""

import subprocess

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from physnn.lab import glue, glued
from physnn.lab.records import provenance
from physnn.lab.records.provenance import source_digest


@pytest.fixture(autouse=True)
def shell():
    """An IPython, as in a notebook, for the time of a test."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_glue_records_the_value_under_its_name():
    with capture_output() as captured:
        glue("accuracy", 0.5)
    (output,) = captured.outputs
    assert output.metadata["scrapbook"]["name"] == "accuracy"
    assert output.data == {"application/papermill.record/text/plain": "0.5"}
    assert glued().value["accuracy"] == 0.5


@pytest.mark.parametrize("value", [np.float64(0.5), torch.tensor(0.5)])
def test_glue_refuses_what_the_book_cannot_format(value):
    with pytest.raises(TypeError, match=r"glue\('x'\) got a .*pass float\(value\)"):
        glue("x", value)


def test_the_digest_changes_with_the_source(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    (tmp_path / "a.py").write_text("x = 1\n")
    first = source_digest()
    assert first == source_digest() and len(first) == 64
    (tmp_path / "a.py").write_text("x = 2\n")
    second = source_digest()
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert len({first, second, source_digest()}) == 3


def test_line_endings_are_no_change_of_the_source(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    (tmp_path / "a.py").write_bytes(b"x = 1\ny = 2\n")
    first = source_digest()
    (tmp_path / "a.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    assert source_digest() == first


def test_changes_count_in_the_package_and_not_in_the_results_that_are_written(tmp_path, monkeypatch):
    def git(*command):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *command], cwd=tmp_path, check=True)

    for path in ("physnn/a.py", "results/small/table.csv"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("1\n")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "physnn")
    assert (provenance.commit(), provenance.dirty()) == ("", None), "no checkout"
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    assert len(provenance.commit()) == 12 and provenance.dirty() is False
    (tmp_path / "results" / "small" / "table.csv").write_text("2\n")
    (tmp_path / "README.md").write_text("2\n")
    assert provenance.dirty() is False
    (tmp_path / "physnn" / "a.py").write_text("2\n")
    assert provenance.dirty() is True
    monkeypatch.setenv("PATH", "/nowhere")
    assert (provenance.commit(), provenance.dirty()) == ("unknown", None)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"commit": "abc", "dirty": True}, "physnn 1, commit abc with changes, source 000000000000"),
        ({"commit": "abc", "dirty": False}, "physnn 1, commit abc, source 000000000000"),
        ({"commit": "abc"}, "physnn 1, commit abc, source 000000000000"),  # of before this was asked
        ({"commit": "unknown", "dirty": None}, "physnn 1, commit unknown, source 000000000000"),
        ({"commit": "", "dirty": None}, "physnn 1, source 000000000000"),
    ],
)
def test_a_line_says_whether_the_package_had_changes(known, said):
    assert provenance.package({"physnn": "1", "source": "0" * 64, **known}) == said
