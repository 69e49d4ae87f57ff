"""The tables and the page of a sweep, written so that an error in them hides no result."""

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache

from physnn.lab.running import files
from physnn.lab.running.command import TRACEBACK, described
from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.store import Folder


def show(asked: Asked, rows: Sequence[dict], folder: Folder) -> bool:
    """Write ``table.csv``; ``means.csv``, where there are replicates to take means over; then ``index.html``.

    Returns:
        Whether all are written. What is not is said in a line.
    """
    whole = True

    @cache
    def answer():
        from physnn.lab.sweeping.answer import answer

        return answer(rows, asked.question) if asked.question.replicates else None

    def points() -> None:
        from physnn.lab.sweeping.table import table

        _write(folder, "table.csv", table(rows, asked.contract))

    def means() -> None:
        if answer() is None:
            (folder.path / "means.csv").unlink(missing_ok=True)  # of an earlier question
        else:
            _write(folder, "means.csv", answer().table)

    def page() -> None:
        from physnn.lab.sweeping.report import report  # reads matplotlib's settings, which may be broken

        report(asked, rows, answer(), folder)

    steps: dict[str, Callable[[], None]] = {"table.csv": points, "means.csv": means, "index.html": page}
    for name, write in steps.items():
        try:
            write()
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            whole = False
            print(f"{name} is not written: {described(error)}; the results are kept", file=sys.stderr, flush=True)
    return whole


def _write(folder: Folder, name: str, frame) -> None:
    files.write(folder.path / name, frame.to_csv(index=False, lineterminator="\n"))
