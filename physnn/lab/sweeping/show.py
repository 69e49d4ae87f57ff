"""The table and the page of a sweep, written so that an error in them hides no result."""

import os
import sys
from collections.abc import Sequence

from physnn.lab.running import files
from physnn.lab.running.command import TRACEBACK, described
from physnn.lab.sweeping.notebook import Notebook
from physnn.lab.sweeping.store import Folder


def show(notebook: Notebook, rows: Sequence[dict], folder: Folder) -> bool:
    """Write ``table.csv``, then ``index.html``.

    Returns:
        Whether both are written. What is not is said in a line.
    """
    whole = True
    for name, write in (("table.csv", _table), ("index.html", _page)):
        try:
            write(notebook, rows, folder)
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            whole = False
            print(f"{name} is not written: {described(error)}; the results are kept", file=sys.stderr, flush=True)
    return whole


def _table(notebook: Notebook, rows: Sequence[dict], folder: Folder) -> None:
    from physnn.lab.sweeping.table import table

    frame = table(rows, notebook.contract)
    files.write(folder.path / "table.csv", frame.to_csv(index=False, lineterminator="\n"))


def _page(notebook: Notebook, rows: Sequence[dict], folder: Folder) -> None:
    from physnn.lab.sweeping.report import report  # reads matplotlib's settings, which may be broken

    report(notebook, rows, folder)
