"""When a page was first written and last changed."""

import subprocess

import pytest

from book.tools import dates
from tests.book import tiny

LOG = """@2024-01-01

A\tbook/intro.md
A\tnotebooks/01-first.md
A\tnotebooks/gone.md
@2024-02-02

R096\tnotebooks/01-first.md\tnotebooks/first.md
M\tbook/intro.md
D\tnotebooks/gone.md
@2024-03-03

A\tnotebooks/gone.md
"""


def test_a_page_keeps_its_first_day_when_it_moves_and_loses_it_when_it_goes():
    assert dates.read(LOG) == {
        "book/intro.md": ["2024-01-01", "2024-02-02"],
        "notebooks/first.md": ["2024-01-01", "2024-02-02"],
        "notebooks/gone.md": ["2024-03-03", "2024-03-03"],
    }


@pytest.fixture
def project(tmp_path):
    """Return a project with a history of two commits, a month apart; only the first page is in the second."""
    made = tiny.write_project(tmp_path / "project")
    for day in ("2024-01-05", "2024-02-05"):
        (made.root / "book/intro.md").write_text(f"# Intro\n\nOf {day}.\n")
        when = {"GIT_AUTHOR_DATE": f"{day}T12:00:00Z", "GIT_COMMITTER_DATE": f"{day}T12:00:00Z"}
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        for command in (["init", "-q"], ["add", "book", "notebooks"], [*who, "commit", "-qm", day]):
            subprocess.run(["git", *command], cwd=made.root, env={"PATH": "/usr/bin:/bin"} | when, check=True)
    return made


def test_each_page_has_its_days(project):
    assert dates.of_pages(project) == {
        "book/intro": ["2024-01-05", "2024-02-05"],
        "notebooks/first": ["2024-01-05", "2024-01-05"],
        "notebooks/second": ["2024-01-05", "2024-01-05"],
    }


def test_nothing_is_said_without_the_whole_history(project, tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth=1", project.root.as_uri(), clone], check=True)
    (clone / "_toc.yml").write_text(tiny.TOC)
    assert dates.of_pages(type(project)(clone, clone / "_build")) == {}
    assert dates.of_pages(tiny.write_project(tmp_path / "no-history")) == {}
