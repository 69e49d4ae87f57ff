"""Write each notebook's ``.ipynb`` pair from its ``.md`` source: ``python -m book.tools.pairs [--check]``.

The ``.md`` is the only source. The pair exists for Colab and Binder: its text is plain Markdown, it carries no
outputs, and its cell ids follow from the file's name, so that the same source always gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from book.tools import plain
from book.tools.project import HERE
from physnn.lab.running import files


def notebook(source: Path) -> NotebookNode:
    """Read a MyST source as a notebook without outputs and with stable cell ids."""
    result = jupytext.read(source)
    for index, cell in enumerate(result.cells):
        cell["id"] = f"{source.stem}-{index:02d}"
    result.metadata = NotebookNode(kernelspec=result.metadata["kernelspec"], language_info={"name": "python"})
    result.nbformat, result.nbformat_minor = 4, 5
    return result


def text(source: Path) -> str:
    """Return ``source`` as the ``.ipynb`` that is executed for the book, its text in MyST."""
    return nbformat.writes(notebook(source), version=4).rstrip("\n") + "\n"


def pair_text(source: Path) -> str:
    """Return the exact contents of the pair of ``source``, its text in plain Markdown."""
    result = notebook(source)
    texts = [cell for cell in result.cells if cell.cell_type == "markdown"]
    if any(plain.GLUE.search(cell.source) for cell in texts):
        texts[0].source = texts[0].source.replace("\n\n", f"\n\n{plain.NOTE}\n\n", 1)
    for cell in texts:
        cell.source = plain.markdown(cell.source)
    return nbformat.writes(result, version=4).rstrip("\n") + "\n"


def stale(folder: Path) -> list[str]:
    """Say which pairs in ``folder`` do not follow from their sources, and which have none."""
    found = []
    for source in sorted(folder.glob("*.md")):
        pair = source.with_suffix(".ipynb")
        if not pair.exists() or pair.read_text(encoding="utf-8") != pair_text(source):
            found.append(f"{pair.name} does not follow from {source.name}")
    return found + [f"{pair.name} has no source {pair.stem}.md" for pair in orphans(folder)]


def orphans(folder: Path) -> list[Path]:
    """List the ``.ipynb`` files whose source is gone."""
    return [pair for pair in sorted(folder.glob("*.ipynb")) if not pair.with_suffix(".md").exists()]


def write(folder: Path) -> list[Path]:
    """Write every pair that changed, delete every orphan, and return the paths touched."""
    touched = orphans(folder)
    for pair in touched:
        pair.unlink()
    for source in sorted(folder.glob("*.md")):
        pair, contents = source.with_suffix(".ipynb"), pair_text(source)
        if not pair.exists() or pair.read_text(encoding="utf-8") != contents:
            files.write(pair, contents)
            touched.append(pair)
    return touched


def main(arguments: list[str] | None = None) -> int:
    """Write the pairs, or with ``--check`` only compare them; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the .ipynb pairs from the .md sources.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a pair is stale")
    parser.add_argument("--folder", type=Path, default=HERE / "notebooks", help="where the notebooks are")
    options = parser.parse_args(arguments)
    if not options.check:
        for pair in write(options.folder):
            print(f"{'wrote' if pair.exists() else 'deleted'} {pair.name}")
        return 0
    found = stale(options.folder)
    for problem in found:
        print(f"{problem}: run `make notebooks` and commit the result", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
