"""The tables and the page of a sweep, written so that an error in them hides no result."""

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache

from physnn.lab.running import files
from physnn.lab.running.command import TRACEBACK, described
from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.store import Folder


def show(asked: Asked, rows: Sequence[dict], folder: Folder) -> bool:
    """Write ``table.csv``, ``table.parquet`` where pyarrow is installed, ``means.csv`` for replicates, and the page.

    Returns:
        Whether all are written. What is not is said in a line.
    """
    whole = True

    @cache
    def answer():
        from physnn.lab.sweeping.answer import answer

        return answer(rows, asked.question) if asked.question.replicates else None

    @cache
    def frame():
        from physnn.lab.sweeping.table import table

        return table(rows, asked.contract)

    def points() -> None:
        _write(folder, "table.csv", frame())

    def parquet() -> None:
        files.write(folder.path / "table.parquet", _parquet(frame()))

    def means() -> None:
        if answer() is None:
            (folder.path / "means.csv").unlink(missing_ok=True)  # of an earlier question
        else:
            _write(folder, "means.csv", answer().table)

    def page() -> None:
        from physnn.lab.sweeping.report import report  # reads matplotlib's settings, which may be broken

        report(asked, rows, answer(), folder)

    steps: dict[str, Callable[[], None]] = {"table.csv": points, "means.csv": means, "index.html": page}
    if importlib.util.find_spec("pyarrow"):
        steps["table.parquet"] = parquet
    for name, write in steps.items():
        try:
            write()
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            whole = False
            print(f"{name} is not written: {described(error)}; the results are kept", file=sys.stderr, flush=True)
    return whole


def _parquet(frame) -> bytes:
    """Return the table as Parquet, whose columns have one type: what is of several, or too large for it, is text."""
    columns = {name: frame[name] for name in frame if frame[name].dtype == object}
    mixed = [name for name, column in columns.items() if set(map(type, column.dropna())) not in ({str}, {bool})]
    texts = {name: frame[name].map(lambda value: value if value is None else str(value)) for name in mixed}
    return frame.assign(**texts).to_parquet(None, index=False)


def _write(folder: Folder, name: str, frame) -> None:
    files.write(folder.path / name, frame.to_csv(index=False, lineterminator="\n"))
