"""Write each notebook's ``.ipynb`` pair from its ``.md`` source: ``python -m book.tools.pairs [--check]``.

The ``.md`` is the only source. The pair exists for Colab and Binder: its text is plain Markdown, with a cell for the
caption of each figure (:mod:`book.tools.plain`), it carries no outputs, and its cell ids follow from the file's name,
so that the same sources always give the same bytes. It names its source, and carries the digests of that, of its text
and of itself: a pair that somebody changed, and a notebook that somebody put beside the pairs, are never replaced or
deleted. What was changed in one goes into the source by :mod:`book.tools.back`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from book.tools import plain
from book.tools.project import HERE, BookError
from physnn.lab.running import command, files

MARK = "pair"  # where a pair's metadata says what it is
NAME = re.compile(r"[A-Za-z0-9_-]{1,59}")  # an id has 64 of these, and ends in the number of the cell
CAPTION = "c"  # ends the id of the cell with the caption of a figure, which begins as that of the figure
UNKNOWN = "0" * 64  # stands for a pair's digest while the digest is made
KEPT = "what is written is whole, and the same command goes on"


def sources(folder: Path) -> list[Path]:
    """List the MyST sources of a folder; editors' hidden files are none."""
    return sorted(folder.glob("[!.]*.md"))


def read(source: Path) -> NotebookNode:
    """Read a MyST source as it stands.

    Raises:
        BookError: it is no notebook, or its name cannot stand in the ids of cells.
    """
    if not NAME.fullmatch(source.stem):
        raise BookError(f"{source}: the name of a chapter has letters, digits, - and _ (59 at most): give it another")
    try:
        result = jupytext.reads(source.read_text(encoding="utf-8-sig"), fmt="md:myst")
    except Exception as error:  # of jupytext, of YAML, of a text in another encoding
        raise BookError(f"{source} cannot be read as a notebook: {' '.join(str(error).split())}") from error
    if "kernelspec" not in result.metadata:
        raise BookError(
            f"{source} does not begin with the header of a notebook (`---`, `kernelspec:` …): "
            "copy that of another chapter, or move the file to book/ if it is a page without code"
        )
    return result


def notebook(source: Path) -> NotebookNode:
    """Read a MyST source as a notebook without outputs and with stable cell ids.

    Raises:
        BookError: it is no notebook.
    """
    result = read(source)
    for index, cell in enumerate(result.cells):
        cell["id"] = f"{source.stem}-{index:02d}"
    result.metadata = NotebookNode(kernelspec=result.metadata["kernelspec"], language_info={"name": "python"})
    result.nbformat, result.nbformat_minor = 4, 5
    return result


def text(source: Path) -> str:
    """Return ``source`` as the ``.ipynb`` that is executed for the book, its text in MyST."""
    return nbformat.writes(notebook(source), version=4).rstrip("\n") + "\n"


def pair(source: Path) -> NotebookNode:
    """Return the pair of ``source``, its text in plain Markdown."""
    result, reads, cells = notebook(source), plain.of(source), []
    texts = [cell for cell in result.cells if cell.cell_type == "markdown"]
    noted = any(plain.GLUE.search(cell.source) for cell in texts)
    for cell in texts:
        cell.source = reads.markdown(cell.source)
    if noted:
        texts[0].source = texts[0].source.replace("\n\n", f"\n\n{reads.note}\n\n", 1)
    for cell in result.cells:
        cells.append(cell)
        if caption := reads.caption(cell):
            cells.append(nbformat.v4.new_markdown_cell(caption, id=cell["id"] + CAPTION))
    result.cells = cells
    shown = _sha256(json.dumps([[cell["id"], cell.source] for cell in cells if cell.cell_type == "markdown"]))
    result.metadata[MARK] = NotebookNode(
        source=source.name, source_sha256=digest(source), text_sha256=shown, sha256=UNKNOWN
    )
    return result


def is_caption(name: str | None) -> bool:
    """Tell whether a cell of a pair, by its id, holds the caption of the figure before it."""
    return bool(name) and bool(re.fullmatch(rf".*-\d+{CAPTION}", str(name)))


def pair_text(source: Path) -> str:
    """Return the exact contents of the pair of ``source``."""
    unsigned = nbformat.writes(pair(source), version=4).rstrip("\n") + "\n"
    return unsigned.replace(UNKNOWN, _sha256(unsigned))


def digest(source: Path) -> str:
    """Return the digest of a source by which its pair names it."""
    return _sha256(source.read_text(encoding="utf-8-sig"))


def mark(path: Path) -> dict[str, str]:
    """Return what a notebook says of the source it was written from; nothing where it is no pair."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["metadata"][MARK]
    except (ValueError, KeyError, TypeError):
        return {}
    named = isinstance(found, dict) and [found.get(key) for key in ("source", "source_sha256", "sha256")]
    return found if named and all(isinstance(each, str) for each in named) else {}


def untouched(path: Path) -> bool:
    """Tell whether a notebook is a pair that is as it was written, and where it was written."""
    said = mark(path)
    if said.get("source") != f"{path.stem}.md":
        return False
    return _sha256(path.read_text(encoding="utf-8").replace(said["sha256"], UNKNOWN)) == said["sha256"]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def orphans(folder: Path) -> list[Path]:
    """List the pairs whose source is gone; a notebook that is no pair, or was changed, is somebody's own."""
    found = [path for path in sorted(folder.glob("[!.]*.ipynb")) if not path.with_suffix(".md").exists()]
    return [path for path in found if untouched(path)]


def changed(folder: Path) -> dict[str, str]:
    """Say of every source whose pair is not what was written what to do with that."""
    found = {}
    for source in sources(folder):
        path = source.with_suffix(".ipynb")
        if not path.exists() or untouched(path) or path.read_text(encoding="utf-8") == pair_text(source):
            continue
        found[path.name] = (
            f"{path.name} was changed since it was written: take the changes into {source.name} by "
            f"`make notebook-back NAME={source.stem}`, or delete it and run `make notebooks`"
            if mark(path)
            else f"{path.name} was not written from {source.name}: give it another name, and run `make notebooks`"
        )
    return found


def stale(folder: Path) -> list[str]:
    """Say which pairs in ``folder`` do not follow from their sources, or have none, and what to do."""
    found = changed(folder)
    do = "run `make notebooks` and commit the result"
    for source in sources(folder):
        path = source.with_suffix(".ipynb")
        if not path.exists() or path.read_text(encoding="utf-8") != pair_text(source):
            found.setdefault(path.name, f"{path.name} does not follow from {source.name}: {do}")
    return [*found.values(), *(f"{path.name} has no source {path.stem}.md: {do}" for path in orphans(folder))]


def write(folder: Path) -> list[Path]:
    """Write every pair that is out of date, delete those without a source, and return the paths touched.

    Pairs that somebody changed are left alone.
    """
    touched = orphans(folder)
    for path in touched:
        path.unlink()
    left = changed(folder)
    for source in sources(folder):
        path, contents = source.with_suffix(".ipynb"), pair_text(source)
        if path.name not in left and not (path.exists() and path.read_text(encoding="utf-8") == contents):
            files.write(path, contents)
            touched.append(path)
    return touched


def main(arguments: list[str] | None = None) -> int:
    """Write the pairs, or with ``--check`` only compare them; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the .ipynb pairs from the .md sources.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a pair is stale")
    parser.add_argument("--folder", type=Path, default=HERE / "notebooks", help="where the notebooks are")
    options = parser.parse_args(arguments)
    return command.run("make notebooks", lambda: _main(options), KEPT)


def _main(options: argparse.Namespace) -> int:
    try:
        if not options.check:
            for path in write(options.folder):
                print(f"{'wrote' if path.exists() else 'deleted'} {path.name}")
        found = stale(options.folder) if options.check else [*changed(options.folder).values()]
    except BookError as error:
        found = [str(error)]
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
