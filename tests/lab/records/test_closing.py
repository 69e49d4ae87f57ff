"""How a chapter ends: its values by name, the minutes, and the lines of provenance."""

from types import SimpleNamespace

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import physnn
from physnn.lab import glue, numbers, provenance
from physnn.lab.chapter.contract import Parameters
from physnn.lab.records import closing, studies
from physnn.lab.records.provenance import environment
from physnn.lab.records.studies import Study


@pytest.fixture(autouse=True)
def shell():
    """An IPython, as in a notebook, for the time of a test."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_numbers_glues_the_minutes_and_returns_all(monkeypatch):
    monkeypatch.setattr(closing, "elapsed", lambda: 200.0)
    whole = {"seconds_of_this_run": 600, "seconds_of_training": 1100}
    resumed = {"seconds_of_this_run": 5, "seconds_of_training": 180}
    study, other = (SimpleNamespace(provenance=made) for made in (whole, resumed))
    with capture_output():
        glue("accuracy", 0.5)
        table = numbers(study, other)
    values = table.value
    assert (values["accuracy"], values["minutes"], values["study-minutes"]) == (0.5, "3.3", "12")  # 10 and 1.5


def test_a_page_takes_at_least_a_tenth_of_a_minute(monkeypatch):
    monkeypatch.setattr(closing, "elapsed", lambda: 0.5)
    with capture_output() as captured:
        assert numbers().value["minutes"] == "0.1"
    assert [output.metadata["scrapbook"]["name"] for output in captured.outputs] == ["minutes"]


def test_the_lines_name_everything(monkeypatch):
    monkeypatch.setattr(studies, "READ", read := {})
    monkeypatch.setattr(closing, "READ", read)
    with capture_output() as captured:
        Study("coherence")  # which is named and not read
        for name in ("headline", "long", "headline"):
            Study(name).table()
        provenance(Parameters({"epochs": 3, "data": "digits"}), "the digits")
    page, *lines = (output.data["text/markdown"] for output in captured.outputs)
    made = environment()
    wanted = [f"physnn {physnn.__version__}", made["source"][:12], "epochs = 3, data = digits", "the digits"]
    wanted += [f"torch {made['torch']}", made["device"], made["date"], " s", made["commit"]]
    assert all(part in page for part in wanted), page
    for line, name in zip(lines, ("headline", "long"), strict=True):
        assert f"Recorded study `{name}`" in line and Study(name).digest[:12] in line


def test_the_lines_say_that_the_package_had_changes(monkeypatch):
    monkeypatch.setattr(closing, "environment", lambda: {**environment(), "commit": "abc", "dirty": True})
    study = Study("headline")
    monkeypatch.setattr(closing, "READ", {"headline": study.show_provenance})
    monkeypatch.setattr(Study, "provenance", {**study.provenance, "commit": "def", "dirty": True})
    with capture_output() as captured:
        provenance(Parameters({}), "the digits")
    page, line = (output.data["text/markdown"] for output in captured.outputs)
    assert "commit abc with changes" in page and "commit def with changes" in line
