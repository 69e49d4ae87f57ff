"""What an executed notebook says: which of its cells did not run clean, and the values that it named."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nbformat import NotebookNode

ANSI = re.compile(r"\x1b\[[0-9;]*m")
MARKER = "papermill-error-cell-tag"  # of cells that papermill adds to point at an error
RECORD = "application/papermill.record/text/plain"


class Trouble(NamedTuple):
    """A cell that did not run clean.

    Attributes:
        index: of the cell in the notebook.
        verdict: "raised", "wrote to stderr" or "did not finish".
        error: one line for what it raised, else nothing.
        text: the traceback, or what it wrote.
    """

    index: int
    cell: NotebookNode
    verdict: str
    error: str
    text: str


def troubles(notebook: NotebookNode) -> Iterator[Trouble]:
    """Give what cells raised or wrote to stderr, in their order."""
    for index, cell in _cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                error = f"{output.ename}: {output.evalue}"
                yield Trouble(index, cell, "raised", error, ANSI.sub("", "\n".join(output.traceback) or error))
            if output.output_type == "stream" and output.name == "stderr":
                yield Trouble(index, cell, "wrote to stderr", "", ANSI.sub("", output.text))


def unfinished(notebook: NotebookNode) -> Trouble | None:
    """Return the cell that ran when the kernel was lost; None where none had begun."""
    begun = [(i, cell) for i, cell in _cells(notebook) if cell.metadata.get("papermill", {}).get("start_time")]
    return Trouble(*begun[-1], "did not finish", "", "") if begun else None


def glued(notebook: NotebookNode) -> dict[str, object]:
    """Return what a notebook glued, by name: numbers, texts and truth values; None for figures and tables."""
    values: dict[str, object] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name is not None:
                values[name] = _literal(output.get("data", {}).get(RECORD, ""))
    return values


def _literal(text: str) -> object:
    try:
        value = ast.literal_eval(text)
        str(value)  # refuses an int of thousands of digits, which no file of rows could hold
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return float(text) if text in {"nan", "inf", "-inf"} else None
    if isinstance(value, str):  # half a character, as text cut in the middle has it, is none that a file can hold
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value if isinstance(value, (bool, int, float)) else None


def _cells(notebook: NotebookNode) -> Iterator[tuple[int, NotebookNode]]:
    """Give the code cells with their places; what papermill added does not count."""
    own = [cell for cell in notebook.cells if MARKER not in cell.metadata.get("tags", [])]
    return ((i, cell) for i, cell in enumerate(own) if cell.cell_type == "code")
