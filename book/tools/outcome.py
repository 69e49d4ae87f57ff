"""Judge an executed notebook: which cell raised, wrote to stderr or was never finished, and what it named."""

from __future__ import annotations

import re

from nbformat import NotebookNode

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def failure(name: str, notebook: NotebookNode) -> str | None:
    """Describe the first cell that did not run clean, or return None.

    The text ends with the error itself: it is what the last lines of a failed build show.
    """
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                trace = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
                return describe(name, index, cell, "raised", trace)
            if output.output_type == "stream" and output.name == "stderr":
                return describe(name, index, cell, "wrote to stderr (a warning counts)", output.text)
    return None


def unfinished(name: str, notebook: NotebookNode, error: BaseException) -> str:
    """Describe the cell that ran when the kernel was lost."""
    for index, cell in reversed(list(enumerate(notebook.cells))):
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time"):
            return describe(name, index, cell, "did not finish", f"{type(error).__name__}: {error}")
    return f"notebook {name} could not be executed\n{type(error).__name__}: {error}"


def describe(name: str, index: int, cell: NotebookNode, verdict: str, error: str) -> str:
    """Say which cell of which notebook failed, show its source, and end with the error."""
    source = "\n".join(f"    {line}" for line in cell.source.splitlines())
    where = f"notebook {name}, cell {index} ({cell.get('id', 'no id')})"
    return f"{where} {verdict}:\n\n{source}\n\n{ANSI.sub('', error).rstrip()}"


def glued(notebook: NotebookNode) -> set[str]:
    """Name every value the notebook glued."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return {output.metadata["scrapbook"]["name"] for output in outputs if "scrapbook" in output.get("metadata", {})}
