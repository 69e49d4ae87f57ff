"""Take what was changed in a chapter's ``.ipynb`` into its ``.md``: ``python -m book.tools.back NAME [FILE]``.

``FILE`` is the pair itself, or a copy of it that was worked on elsewhere: in Jupyter, on Colab, by papermill. Code
comes back as it stands there. Of text, a paragraph that was not changed keeps its MyST; one that was comes back in the
plain Markdown of the pair, and its cell is named, for its roles are lost. Cells are known by their ids: they may be
added, moved and deleted. Outputs, captions, which are options of their figures in the source, and cells that papermill
and Colab add stay behind. The pair is then written anew.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from book.tools import pairs, plain
from book.tools.project import HERE, BookError
from physnn.lab.running import command, files

# The options of each code cell, which jupytext would set in its own way.
OPTIONS = re.compile(r"^```\{code-cell\}[^\n]*\n(---\n.*?^---\n|(?::[\w-]+:[^\n]*\n)+\n?)?", re.MULTILINE | re.DOTALL)
ADDED = {"injected-parameters", "papermill-error-cell-tag", "papermill-error-message"}  # by papermill, as tags
BADGE = "view-in-github"  # the id of the cell that Colab adds


def taken_back(source: Path, edited: Path) -> tuple[str, list[str]]:
    """Return the text of ``source`` with what was changed in ``edited``, and what to look at.

    Raises:
        BookError: ``edited`` is no notebook, or one that was not made from ``source`` as it is now.
    """
    notebook, notes, text = _read(edited), _belongs(source, edited), source.read_text(encoding="utf-8-sig")
    was, made = pairs.read(source), pairs.pair(source)
    _reads_alike(source, edited, made)
    shown = [cell for cell in made.cells if not pairs.is_caption(cell.id)]
    captions = {cell.id: cell.source for cell in made.cells if pairs.is_caption(cell.id)}
    before = _content(was.cells)
    heads = OPTIONS.findall(text)
    places = [i for i, cell in enumerate(was.cells) if cell.cell_type == "code"]
    options = dict(zip(places, heads, strict=True))
    cells, seen = [], set()
    for number, cell in enumerate(notebook.cells):
        if ADDED & set(cell.metadata.get("tags", [])) or _id(cell) == BADGE:
            continue
        if _id(cell) in captions or (cell.cell_type == "markdown" and cell.source in captions.values()):
            if cell.source not in captions.values():
                notes.append(f"cell {number}: a caption is an option of its figure in {source.name}; not taken")
            continue
        place = _place(cell, shown, notebook.cells, seen)
        if place is not None:
            seen.add(place)
            kept = was.cells[place]
            if cell.cell_type == "code":
                kept.source = cell.source
            elif cell.source != shown[place].source:
                kept.source = _merged(plain.of(source), kept.source, cell.source)
                notes.append(f"cell {number}: text was changed; look whether it had roles: {_opening(cell)}")
            if options.get(place):
                kept.metadata = NotebookNode(tags=[f"cell-{place}"])
            cells.append(kept)
        elif cell.source.strip():
            metadata = NotebookNode(tags=cell.metadata.tags) if cell.metadata.get("tags") else NotebookNode()
            cells.append(NotebookNode(cell_type=cell.cell_type, source=cell.source, metadata=metadata))
            if cell.cell_type == "code":
                cells[-1] |= {"outputs": [], "execution_count": None}
            notes.append(f"cell {number} is new: {_opening(cell)}")
    notes += [f"cell {cell.id} is gone: {_opening(cell)}" for i, cell in enumerate(shown) if i not in seen]
    if _content(cells) == before:
        return text, notes
    was.cells = cells
    body = jupytext.writes(was, fmt="md:myst").split("\n---\n", 1)[1]
    for place, head in options.items():
        body = body.replace(f":tags: [cell-{place}]\n\n", head)
    return "\n---\n".join([text.split("\n---\n", 1)[0], body]), notes


def _content(cells: list[NotebookNode]) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in cells]


def _read(edited: Path) -> NotebookNode:
    try:
        return nbformat.v4.reads(edited.read_text(encoding="utf-8-sig"))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BookError(f"{edited} is no notebook: {error}") from error


def _belongs(source: Path, edited: Path) -> list[str]:
    """Say what cannot be known of where ``edited`` comes from."""
    said = pairs.mark(edited)
    if not said:
        return [f"{edited.name} does not say what it was made from: it is taken for a copy of {source.stem}.ipynb"]
    if said["source"] != source.name:
        raise BookError(f"{edited} was made from {said['source']}, not from {source.name}")
    if said["source_sha256"] != pairs.digest(source):
        raise BookError(
            f"{source.name} has changed since {edited} was made from it: put that change aside (git stash), or check "
            "out the commit of then; take the notebook back; and join the two with git"
        )
    return []


def _reads_alike(source: Path, edited: Path, made: NotebookNode) -> None:
    """Refuse a notebook whose text would read otherwise if it were written now, though its source is the same."""
    said = pairs.mark(edited)
    if said and said.get("text_sha256") != made.metadata[pairs.MARK].text_sha256:
        raise BookError(
            f"{edited} names numbers, figures or works as the book had them when it was made from {source.name}, and "
            "they have changed: check out the commit of then, take the notebook back there, and join the two with git"
        )


def _id(cell: NotebookNode) -> str | None:
    return cell.get("id") or cell.metadata.get("id")  # Colab keeps it in the metadata


def _place(cell: NotebookNode, shown: list[NotebookNode], among: list[NotebookNode], seen: set[int]) -> int | None:
    """Return which cell of the pair this one is: by its id, or else by its text; None where it is new."""
    present = {_id(other) for other in among}
    same = [i for i, old in enumerate(shown) if i not in seen and old.cell_type == cell.cell_type]
    by_id = (i for i in same if shown[i].id == _id(cell))
    by_text = (i for i in same if shown[i].source == cell.source and shown[i].id not in present)
    return next(by_id, next(by_text, None))


def _merged(reads: plain.Plain, myst: str, edited: str) -> str:
    """Return the edited text of a cell, the paragraphs that were not changed in MyST."""
    paragraphs = []
    for part in myst.split("\n\n"):
        if paragraphs and paragraphs[-1].startswith(":::{") and not paragraphs[-1].endswith("\n:::"):
            paragraphs[-1] += f"\n\n{part}"
        else:
            paragraphs.append(part)
    now = edited.replace(f"{reads.note}\n\n", "").split("\n\n")
    matcher = SequenceMatcher(None, [reads.markdown(part) for part in paragraphs], now, autojunk=False)
    merged = []
    for kind, first, last, begin, end in matcher.get_opcodes():
        merged += paragraphs[first:last] if kind == "equal" else now[begin:end]
    return "\n\n".join(merged)


def _opening(cell: NotebookNode) -> str:
    return repr(cell.source.strip().partition("\n")[0][:60])


def main(arguments: Iterable[str] | None = None) -> int:
    """Take a notebook back and say what to look at; return the exit status."""
    parser = argparse.ArgumentParser(description="Take what was changed in a chapter's .ipynb into its .md.")
    parser.add_argument("name", help="the chapter, such as as-printed")
    parser.add_argument("file", type=Path, nargs="?", help="the notebook; by default the chapter's own .ipynb")
    parser.add_argument("--folder", type=Path, default=HERE / "notebooks", help="where the notebooks are")
    options = parser.parse_args(arguments)
    return command.run("make notebook-back", lambda: _main(options), "the .md is as it was, or whole")


def _main(options: argparse.Namespace) -> int:
    source = options.folder / f"{options.name.removesuffix('.md').removesuffix('.ipynb')}.md"
    pair = source.with_suffix(".ipynb")
    edited = options.file.expanduser() if options.file else pair
    try:
        if not source.exists():
            names = ", ".join(path.stem for path in pairs.sources(options.folder))
            raise BookError(f"there is no {source}; there are {names}")
        text, notes = taken_back(source, edited)
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    replaced = not pair.exists() or pairs.untouched(pair) or edited.resolve() == pair.resolve()
    with command.uninterrupted():
        if text != source.read_text(encoding="utf-8-sig"):
            files.write(source, text)
            print(f"wrote {source.name}")
        if replaced:
            files.write(pair, pairs.pair_text(source))
            print(f"wrote {pair.name}, without outputs")
    for note in notes:
        print(note)
    return 0


if __name__ == "__main__":
    sys.exit(main())
