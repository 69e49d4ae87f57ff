"""Digest whatever a result depends on, so that it is made again exactly when something of it changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from book.tools import pairs
from book.tools.project import Project
from physnn.lab.running import closure
from physnn.lab.running.closure import Closure

EXECUTES = "physnn.lab.running.notebook"
PLACE, STUDIES = "physnn/lab/records/provenance.py", "physnn/lab/records/studies.py"  # of RESULTS, and who reads one
TASK = re.compile(r"""^task: *["']?([\w-]+)""", re.MULTILINE)  # of a design, which YAML would read for a second
FILE = re.compile(r"(?:[\w.*?\[\]-]+/)*[\w*?\[\]-][\w.*?\[\]-]*\.\w+")  # a relative path, or a pattern of some


def notebook(project: Project, source: Path, parameters: dict) -> str:
    """Digest what a chapter's numbers come from.

    That are its cells and parameters, the modules that it reaches (:mod:`physnn.lab.running.closure`), the recorded
    studies that it reads, files that its code names beside it, what executes it, and the lock.
    """
    content = pairs.notebook(source)
    made, records = reached(project, source, content, parameters)
    texts = [nbformat.writes(content), json.dumps(parameters, sort_keys=True)]
    texts += [made.digest(), closure.of_modules(EXECUTES).digest()]
    beside = _named(source.parent, made)
    return _digest([*records, *sorted(beside), project.root / "requirements.lock"], texts)


def reached(project: Project, source: Path, notebook: NotebookNode, parameters: dict) -> tuple[Closure, list[Path]]:
    """Return the modules that a notebook reaches, and those of the recorded studies that it may read.

    A study is read if a string is its name, or an f-string could become it: a string of the cells, of the parameters or
    of a module that they reach. All are, if such a module may read all of them (it uses ``RESULTS``, and is not the one
    that gives out a study by its name), or if the notebook reaches that one, but names no study.
    """
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    values = set(_texts(parameters))
    made = closure.of_cells(cells, source.parent, values, project.root / "physnn")
    every = sorted(path for path in (project.root / "results").glob("[!.]*") if path.is_dir())
    names = made.strings | values
    put_together = re.compile("|".join(sorted(made.patterns)) or "(?!)")
    named = [path for path in every if path.name in names or put_together.fullmatch(path.name)]
    readers = made.naming("RESULTS") - {PLACE}
    if readers - {STUDIES} or (readers and not named):
        named = every
    # A study's design names the task that trains it: the notebook may train it, too.
    designs = [path.read_text(encoding="utf-8") for each in named for path in each.glob("design.yml")]
    tasks = {task for design in designs for task in TASK.findall(design)}
    if tasks:
        made = closure.of_cells(cells, source.parent, values | tasks, project.root / "physnn")
    return made, named


def _texts(value: object) -> Iterator[str]:
    """Give all texts in a parameter's value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _named(folder: Path, made: Closure) -> set[Path]:
    """Return the files that the code names from a folder: by their path, a pattern with ``*``, or an f-string."""
    found = set()
    for text in filter(FILE.fullmatch, made.strings):
        found.update(folder.glob(text) if "*" in text else [folder / text])
    endings = (pattern for pattern in sorted(made.patterns) if re.search(r"\\\.\w+$", pattern))
    put_together = re.compile("|".join(endings) or "(?!)")
    found.update(path for path in folder.iterdir() if put_together.fullmatch(path.name))
    return {path for path in found if path.is_file()}


def site(project: Project) -> str:
    """Digest the staged pages, the package (the API page shows it), the book's tools and the lock."""
    folders = [project.stage, project.root / "physnn", Path(__file__).parent]
    return _digest([*folders, project.root / "requirements.lock"])


def scoreboard(project: Project) -> str:
    """Digest the claims, the pages they can link to, the recorded results, and what judges and writes them."""
    files = [project.root / "book" / name for name in ("claims.yml", "works.yml")] + [project.root / "_toc.yml"]
    files += [Path(__file__).with_name(name) for name in ("claims.py", "cards.py", "front.py")]
    files += [Path(__file__).parents[1] / "figures" / "verdicts.py"]
    return _digest([project.root / "physnn", project.root / "results", *files])


def _digest(paths: Iterable[Path], texts: Iterable[str] = ()) -> str:
    """Digest files, all files of folders, and texts, in their order and wherever the project lies."""
    contents = {f"text {i}": text.encode() for i, text in enumerate(texts)}
    for i, path in enumerate(paths):
        for file in path.rglob("*") if path.is_dir() else [path]:
            name = file.relative_to(path)
            if file.is_file() and "__pycache__" not in name.parts and not any(map(closure.of_an_editor, name.parts)):
                contents[f"{i} {path.name}/{name.as_posix()}"] = file.read_bytes()
    return closure.digest(contents)
