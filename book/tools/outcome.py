"""Judge an executed notebook by the book's rule: nothing may be raised, and nothing written to stderr."""

from __future__ import annotations

from nbformat import NotebookNode

from physnn.lab.running.notebook import Run
from physnn.lab.running.outcome import troubles, unfinished


def failure(name: str, run: Run) -> str | None:
    """Describe the first cell of a finished run that is not clean, or return None.

    The text ends with the error itself: it is what the last lines of a failed build show.
    """
    notebook = run.notebook()
    for trouble in troubles(notebook):
        counts = " (a warning counts)" if trouble.verdict == "wrote to stderr" else ""
        return describe(name, trouble.index, trouble.cell, f"{trouble.verdict}{counts}", trouble.text)
    if run.process.returncode == 0:
        return None
    if lost := unfinished(notebook):
        return describe(name, lost.index, lost.cell, lost.verdict, run.last_words())
    return f"notebook {name} could not be executed\n{run.last_words()}"


def describe(name: str, index: int, cell: NotebookNode, verdict: str, error: str) -> str:
    """Say which cell of which notebook failed, show its source, and end with the error."""
    source = "\n".join(f"    {line}" for line in cell.source.splitlines())
    where = f"notebook {name}, cell {index} ({cell.get('id', 'no id')})"
    return f"{where} {verdict}:\n\n{source}\n\n{error.rstrip()}"
