"""Glued values, as a notebook shows them, and the digest of the source."""

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
