"""The tiny book, built once, and a source with its pair."""

import shutil
from pathlib import Path

import pytest

from book.tools import pairs
from book.tools.project import Project
from tests.book import tiny
from tests.book.paired import SOURCE


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Project:
    """A project that was built once; tests work on copies of it."""
    project = tiny.write_project(tmp_path_factory.mktemp("built"))
    assert tiny.build_now(project) == 0
    return project


@pytest.fixture
def project(built, tmp_path) -> Project:
    root = tmp_path / "copy"
    shutil.copytree(built.root, root)
    return Project(root, root / "_build")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return a folder with one source and its pair."""
    (tmp_path / "a.md").write_text(SOURCE)
    assert pairs.main(["--folder", str(tmp_path)]) == 0
    return tmp_path
