"""Lay out the folder Sphinx reads: the prose pages as they are, the scoreboard as made, the notebooks as executed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nbformat

from book.tools import claims, dates, sweep_page
from book.tools.project import BookError, Project, read_yaml
from physnn.lab.running.closure import of_an_editor

# matplotlib's animations ask a foreign host for an icon font; the theme's own icons serve as well
ICON_LINK = re.compile(r"<link[^>]*font-awesome[^>]*>\s*", re.IGNORECASE)

CITATION = "CITATION.cff"  # what the pages tell machines of the whole book


def pages(project: Project) -> list[str]:
    """List the pages of ``_toc.yml``, and insist that every notebook is one of them.

    Raises:
        BookError: a notebook is missing from the table of contents, a page has no source, or a setting stands twice.
    """
    for name in ("_config.yml", "_toc.yml"):
        read_yaml(project.root / name)
    listed = project.pages
    for source in project.sources:
        if f"notebooks/{source.stem}" not in listed:
            raise BookError(f"notebooks/{source.name} is not in _toc.yml: add `- file: notebooks/{source.stem}`")
    for page in listed:
        if not (project.root / f"{page}.md").exists() and page != claims.PAGE:
            raise BookError(f"_toc.yml lists {page}, but there is no {page}.md: write it or take the line out")
    return listed


def stage(project: Project, folder: Path | None = None) -> None:
    """Fill ``folder``, by default ``project.stage``, from nothing, so that nothing stale survives in it."""
    folder = folder or project.stage
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project.root / "book", folder / "book", ignore=_left_out)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(project.root / name, folder / name)
    if (project.root / CITATION).exists():
        shutil.copy2(project.root / CITATION, folder / CITATION)
    (folder / dates.FILE).write_text(json.dumps(dates.of_pages(project)), encoding="utf-8")
    if (project.root / "book" / "claims.yml").exists():
        claims.write(project, folder)
    if (recorded := project.root / sweep_page.RECORD).exists():
        sweep_page.draw(recorded, folder / sweep_page.BESIDE / sweep_page.PLACE)
    (folder / "notebooks").mkdir()
    for source in project.sources:
        notebook = nbformat.read(project.executed / f"{source.stem}.ipynb", as_version=4)
        for cell in notebook.cells:
            _tidy(cell)
        nbformat.write(notebook, folder / "notebooks" / f"{source.stem}.ipynb")


def _left_out(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name in ("tools", "__pycache__") or of_an_editor(name)]


def _tidy(cell: nbformat.NotebookNode) -> None:
    if "injected-parameters" in cell.metadata.get("tags", []):
        cell.metadata.tags.append("remove-cell")
    for output in cell.get("outputs", []):
        if "text/html" in output.get("data", {}):
            output.data["text/html"] = ICON_LINK.sub("", output.data["text/html"])
