"""Decide with which parameters each notebook runs: its own defaults, a profile, and the data."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from book.tools import pairs
from book.tools.project import BookError, Project, read_yaml


def declared(notebook: NotebookNode) -> list[str]:
    """Name the parameters a notebook declares in its cell tagged ``parameters``."""
    names = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            for statement in ast.parse(cell.source).body:
                names += [node.id for node in ast.walk(statement) if isinstance(getattr(node, "ctx", None), ast.Store)]
    return names


def profiles(root: Path) -> dict[str, dict[str, dict]]:
    """Read ``notebooks/profiles.yml``: profile -> notebook -> parameter -> value."""
    path = root / "notebooks" / "profiles.yml"
    return read_yaml(path) or {} if path.exists() else {}


def chosen(project: Project, profile: str, data: str | None = None) -> dict[str, dict]:
    """Return the parameters of every notebook, by its stem.

    ``data`` forces "mnist" or "digits" on every notebook that declares the parameter; without it
    the package says once which is available. Small images bring the values of the ``digits``
    profile with them, and ``profile="test"`` has the last word.

    Raises:
        BookError: a profile names a notebook or a parameter that does not exist.
    """
    known = profiles(project.root)
    notebooks = {source.stem: pairs.notebook(source) for source in project.sources}
    names = {stem: declared(notebook) for stem, notebook in notebooks.items()}
    _check(known, names)
    available = cache(lambda: data or _available())
    result = {}
    for stem, parameters in names.items():
        tiny = (known.get("test") or {}).get(stem) or {} if profile == "test" else {}
        values = {}
        if "data" in parameters:
            values["data"] = data or tiny.get("data") or available()
            if values["data"] == "digits":
                values |= (known.get("digits") or {}).get(stem) or {}
        result[stem] = values | {name: value for name, value in tiny.items() if name != "data"}
    return result


def _available() -> str:
    from physnn.lab.data.images import available  # here, because it imports torch, and not every book needs it
    from physnn.lab.data.mnist import DataError

    try:
        return available()
    except DataError as error:
        raise BookError(str(error)) from error


def _check(known: dict, names: dict[str, list[str]]) -> None:
    for profile, notebooks in known.items():
        for stem, values in (notebooks or {}).items():
            if stem not in names:
                raise BookError(
                    f"notebooks/profiles.yml, {profile}: there is no notebook {stem!r}; there are {', '.join(names)}"
                )
            for name in values or {}:
                if name not in names[stem]:
                    raise BookError(
                        f"notebooks/profiles.yml, {profile}, {stem}: the notebook declares no parameter {name!r}; "
                        f"it declares {', '.join(names[stem]) or 'none'}"
                    )
