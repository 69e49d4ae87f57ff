"""The way out of Jupyter Book 1: a conf.py that says what _config.yml says, and a build that tells what breaks."""

import re
import runpy
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from jupyter_book.config import get_final_config
from packaging.requirements import Requirement

from book.tools import plain_sphinx
from book.tools.project import BookError, Project

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "title": "A small book",
    "sphinx": {
        "local_extensions": {"mine": "ext"},
        "config": {"extensions": ["myst_nb", "sphinx_external_toc", "mine"]},
    },
}


def config() -> dict:
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def test_it_says_what_jupyter_book_says_to_sphinx():
    ours = plain_sphinx.settings(config())
    theirs, _ = get_final_config(user_yaml=config(), cli_config={"latex_individualpages": False})
    options, wanted = ours.pop("html_theme_options"), theirs.pop("html_theme_options")
    assert options.pop("navbar_persistent") == []
    assert options.pop("launch_buttons").items() <= wanted.pop("launch_buttons").items()
    assert {name: wanted.get(name) for name in options} == options
    assert wanted.keys() - options.keys() <= {"analytics", "announcement", "extra_footer", "use_edit_page_button"}
    loaded, listed = ours.pop("extensions"), list(dict.fromkeys(theirs.pop("extensions")))
    assert loaded == [name for name in listed if name in loaded]
    assert set(listed) - set(loaded) <= {"jupyter_book", "sphinx_jupyterbook_latex", "sphinx_multitoc_numbering"}
    assert {name: theirs[name] for name in ours if name in theirs} == ours
    untold = {name for name in theirs.keys() - ours.keys() if not name.startswith(("latex_", "nb_execution_"))}
    assert untold <= {"use_jupyterbook_latex"}  # with LaTeX and the execution, which this book does without


def test_a_key_that_nothing_translates_is_named():
    with pytest.raises(BookError, match=r"html\.announcement, .*plain_sphinx\.py"):
        plain_sphinx.settings(config() | {"html": {"announcement": "New!"}})
    with pytest.raises(BookError, match=r"sphinx\.config\.extensions"):
        plain_sphinx.settings({"title": "A small book"})


def test_the_documented_code_is_found_last(tmp_path, monkeypatch):
    """Everything of Sphinx is imported before the other environment joins the path."""
    (tmp_path / "conf.py").write_text(plain_sphinx.conf(SMALL, str(tmp_path / "packages")))
    monkeypatch.setattr(sys, "path", before := list(sys.path))
    made = runpy.run_path(str(tmp_path / "conf.py"))
    assert sys.path == [str(tmp_path / "ext"), *before[1:-1], str(tmp_path / "packages")]
    assert made["html_title"] == "A small book" and made["extensions"] == SMALL["sphinx"]["config"]["extensions"]
    (tmp_path / "conf.py").write_text(plain_sphinx.conf({"sphinx": {"config": {"extensions": ["nowhere"]}}}))
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        runpy.run_path(str(tmp_path / "conf.py"))


def staged(folder: Path, page: str) -> Project:
    project = Project(folder, folder / "_build")
    (project.stage / "book").mkdir(parents=True, exist_ok=True)
    (project.stage / "ext").mkdir(exist_ok=True)
    (project.stage / "ext" / "mine.py").write_text("def setup(app): pass\n")
    (project.stage / "_config.yml").write_text(yaml.safe_dump(SMALL))
    (project.stage / "_toc.yml").write_text("format: jb-book\nroot: book/intro\n")
    (project.stage / "book" / "intro.md").write_text(page)
    return project


def test_a_book_is_built_and_what_breaks_is_told(tmp_path):
    with pytest.raises(BookError, match="make book"):
        plain_sphinx.build(Project(tmp_path, tmp_path / "nothing"), Path(sys.executable))
    made = plain_sphinx.build(staged(tmp_path, "# A page\n\nWith $x^2$ in it.\n"), Path(sys.executable))
    assert "<title>A page" in (made / "book/intro.html").read_text(encoding="utf-8")
    with pytest.raises(BookError, match=r"intro\.md:3: WARNING.*nowhere.*\n\nSphinx complained"):
        plain_sphinx.build(staged(tmp_path, "# A page\n\nSee {ref}`nowhere`.\n"), Path(sys.executable))


def test_pages_that_no_longer_say_the_same_are_told(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    pages = {
        "book/same.html": (
            "<article><p>a  b &amp; c</p></article>",
            "<article class='x'><b>a b</b>\n& c</article> new",
        ),
        "book/other.html": ("<article>It is 0.98.</article>", "<article>It is None.</article>"),
        "_static/theme.html": ("<article>old</article>", "<article>new</article>"),
    }
    for name, texts in pages.items():
        for folder, text in zip((before, after), texts, strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    (before / "book/gone.html").touch()
    assert plain_sphinx.changed(before, after) == [
        "book/gone.html is missing",
        "book/other.html said '0.98.' and says 'None.'",
    ]


def test_the_group_holds_every_extension():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    held = {Requirement(text).name for text in groups["plain"]}
    told = config()["sphinx"]
    foreign = [name for name in plain_sphinx.settings(config())["extensions"] if name not in told["local_extensions"]]
    needed = {re.sub(r"[._]", "-", name) for name in foreign if not name.startswith("sphinx.")}
    assert needed <= held, "add them to the group `plain` of pyproject.toml"
    assert set(plain_sphinx.NAMED) - {"docutils"} <= held


def test_the_job_blocks_nothing_and_runs_the_target():
    job = yaml.safe_load((ROOT / ".github/workflows/weekly.yml").read_text())["jobs"]["way-out"]
    assert job["continue-on-error"] is True
    assert "make book-plain DATA=digits" in [step.get("run") for step in job["steps"]]
