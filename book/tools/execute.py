"""Execute one notebook in a process of its own: ``python -m book.tools.execute SOURCE OUT --parameters JSON``.

The result appears under its name only when it is whole and clean, and carries the fingerprint of
what it was made from; an interruption therefore leaves the previous result or none, never half of one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat

from book.tools import outcome, pairs
from book.tools.project import BookError


def execute(source: Path, target: Path, parameters: dict, fingerprint: str) -> None:
    """Run the notebook with papermill and put the result at ``target``.

    The working directory is the notebook's own folder, as in Jupyter. The result's metadata
    ``physnn`` holds the fingerprint, the parameters and the seconds taken.

    Raises:
        BookError: a cell raised, wrote to stderr, or the kernel was lost.
    """
    import papermill  # takes seconds, and only this process needs it

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{source.stem}-") as work:
        clean, ran = Path(work) / "clean.ipynb", Path(work) / "ran.ipynb"
        clean.write_text(pairs.text(source), encoding="utf-8")
        start = time.monotonic()
        lost = None
        try:
            papermill.execute_notebook(
                clean,
                ran,
                parameters=parameters,
                kernel_name="python3",
                cwd=source.parent,
                progress_bar=False,
                extra_arguments=["--IPKernelApp.log_level=50"],  # else the kernel's own chatter reaches the terminal
            )
        except Exception as error:  # whatever papermill raises, the notebook it left tells more
            lost = error
        if not ran.exists():
            raise BookError(f"notebook {source.stem} did not start\n{type(lost).__name__}: {lost}") from lost
        notebook = nbformat.read(ran, as_version=4)
        notebook.cells = [c for c in notebook.cells if not papermill_marker(c)]
        problem = outcome.failure(source.stem, notebook) or (lost and outcome.unfinished(source.stem, notebook, lost))
        if problem:
            raise BookError(problem)
        # papermill notes absolute paths of this machine, which are nobody else's business
        notebook.metadata.pop("papermill", None)
        notebook.metadata["physnn"] = {
            "fingerprint": fingerprint,
            "parameters": parameters,
            "seconds": round(time.monotonic() - start, 1),
        }
        nbformat.write(notebook, ran)
        os.replace(ran, target)


def papermill_marker(cell: nbformat.NotebookNode) -> bool:
    """Tell whether papermill added the cell to point at an error."""
    return "papermill-error-cell-tag" in cell.metadata.get("tags", [])


def leave_with_parent() -> None:
    """End this process when the builder that holds its stdin dies, so that no orphan computes on."""

    def watch() -> None:
        os.read(0, 1)  # not sys.stdin: Python cannot end while a thread holds its lock
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> int:
    """Execute one notebook as told on the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Execute one notebook.")
    parser.add_argument("source", type=Path, help="the notebook's .md source")
    parser.add_argument("target", type=Path, help="where the executed .ipynb goes")
    parser.add_argument("--parameters", type=json.loads, default={}, help="a JSON object")
    parser.add_argument("--fingerprint", default="", help="what the result is made from")
    parser.add_argument("--watched", action="store_true", help="stop when stdin is closed")
    options = parser.parse_args()
    if options.watched:
        leave_with_parent()
    try:
        execute(options.source.resolve(), options.target.resolve(), options.parameters, options.fingerprint)
    except BookError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
