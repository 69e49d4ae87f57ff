"""The tiny book, built once."""

import shutil

import pytest

from book.tools.project import Project
from tests.book import tiny


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
