"""Record the book's numbers for its plain notebooks: ``python -m book.tools.record_values [NAME ...]``.

The book must have been built, with its own parameters. The chapters, or those that are named, run once more with the
parameters of the tests, which tells the numbers that depend on them from those that do not (:mod:`book.tools.values`).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import nbformat

from book.tools import run_all, values
from book.tools.parameters import chosen
from book.tools.place import at_work
from book.tools.project import HERE, BookError, Project
from physnn.lab.running import command, files
from physnn.lab.running.outcome import glued

KEPT = "what is recorded stays, and the same command goes on"


def record(project: Project, names: list[str]) -> list[str]:
    """Bring ``values.json`` up to date and return the chapters whose numbers changed.

    Raises:
        BookError: a chapter is unknown, was not built for the book, or fails.
    """
    sources = {source.stem: source for source in project.sources}
    if unknown := sorted(set(names) - sources.keys()):
        raise BookError(f"there is no chapter {', '.join(unknown)}; there are {', '.join(sorted(sources))}")
    wanted = names or list(sources)
    book = {name: _built(project, name) for name in wanted}
    other = replace(project, out=project.out / "values")
    with at_work(other):
        run_all.run_all(other, chosen(other, "test", "digits"), only=set(wanted))
    path = project.root / "notebooks" / values.FILE
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    now = {name: found for name, found in before.items() if name in sources}
    for name in wanted:
        made = glued(nbformat.read(other.executed / f"{name}.ipynb", as_version=4))
        now[name] = asdict(values.parted(sources[name].read_text(encoding="utf-8-sig"), book[name], made))
    files.write(path, json.dumps(dict(sorted(now.items())), ensure_ascii=False, indent=1) + "\n")
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _built(project: Project, name: str) -> dict:
    path = project.executed / f"{name}.ipynb"
    if not path.exists():
        raise BookError(f"{name} has not been executed: run `make book`")
    notebook = nbformat.read(path, as_version=4)
    if notebook.metadata.get("physnn", {}).get("parameters") != chosen(project, "book", "mnist")[name]:
        raise BookError(f"{name} has not been executed with the book's own parameters on MNIST: run `make book`")
    return {key: value for key, value in glued(notebook).items() if value is not None}


def main(arguments: list[str] | None = None) -> int:
    """Record the numbers; return the exit status."""
    parser = argparse.ArgumentParser(description="Record the book's numbers for its plain notebooks.")
    parser.add_argument("names", nargs="*", help="the chapters; by default all")
    parser.add_argument("--out", type=Path, default=HERE / "_build", help="where `make book` has put everything")
    options = parser.parse_args(arguments)
    project = Project(HERE, options.out.resolve())
    return command.run("make values", lambda: _main(project, options.names), KEPT)


def _main(project: Project, names: list[str]) -> int:
    try:
        changed = record(project, names)
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{values.FILE}: {', '.join(changed) or 'nothing'} changed; write the notebooks with `make notebooks`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
