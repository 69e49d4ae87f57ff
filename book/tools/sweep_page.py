"""Record a sweep for the book, ``python -m book.tools.sweep_page runs/signs``, and draw its page from the record.

The record in ``results/sweep`` is what was asked (``sweep.json``) and the rows of the points, one a line, without the
name of the machine, and without a commit that is not in this history, where nobody could find it. The notebooks and
logs of the points are not part of it. Whenever the book is built the page is drawn, and lies beside the book's pages
by ``html_extra_path`` in ``_config.yml``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from book.tools.project import HERE, BookError
from physnn.lab.running import command, files
from physnn.lab.sweeping import asked
from physnn.lab.sweeping.notebook import SweepError
from physnn.lab.sweeping.show import show
from physnn.lab.sweeping.store import Folder

RECORD = Path("results/sweep")
BESIDE = Path("beside")  # in the staged book: what is published beside its pages
PLACE = "sweep"
ROWS = "rows.jsonl"
PRIVATE = ("host",)


def record(sweep: Path, target: Path) -> None:
    """Record a finished sweep.

    Raises:
        BookError: not all of its points are done.
        SweepError: the folder holds no sweep.
    """
    folder = Folder(sweep)
    told = asked.read(folder)
    rows = [row for row in asked.rows(told, folder) if row["point"] in told.points]
    if [row["point"] for row in rows if row["status"] == "done"] != told.points:
        raise BookError(f"{asked.count(told, rows)} in {sweep}: only a sweep without gaps is recorded")
    commits = {name: name if in_history(name) else "" for name in {row["commit"] for row in rows}}
    public = [{name: cell for name, cell in row.items() if name not in PRIVATE} for row in rows]
    lines = [row | {"commit": commits[row["commit"]]} for row in public]
    target.mkdir(parents=True, exist_ok=True)
    files.write(target / ROWS, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
    told.keep(Folder(target))


def in_history(commit: str) -> bool:
    """Tell whether a commit is one of those that led to this checkout."""
    command = ["git", "--no-optional-locks", "merge-base", "--is-ancestor", commit, "HEAD"]
    return bool(commit) and not subprocess.run(command, cwd=HERE, capture_output=True).returncode


def draw(source: Path, target: Path) -> None:
    """Write the page and the tables of a recorded sweep into ``target``, as a sweep leaves them.

    Raises:
        BookError: the record cannot be read or shown.
    """
    try:
        told = asked.read(Folder(source))
        rows = [json.loads(line) for line in (source / ROWS).read_text(encoding="utf-8").splitlines()]
    except (SweepError, OSError, ValueError) as error:
        raise BookError(f"the sweep recorded in {source} cannot be read: {error}") from error
    target.mkdir(parents=True, exist_ok=True)
    if not show(told, rows, Folder(target)):
        raise BookError(f"the sweep recorded in {source} cannot be shown")


def main() -> int:
    """Record the sweep that the command line names; return the exit status, the reason for a failure last."""
    parser = argparse.ArgumentParser(description="Record a sweep for the book.")
    parser.add_argument("sweep", type=Path, help="the --out of a sweep all of whose points are done")
    sweep = parser.parse_args().sweep
    return command.run("book.tools.sweep_page", lambda: _main(sweep), "the record is as it was")


def _main(sweep: Path) -> int:
    try:
        record(sweep, HERE / RECORD)
    except (BookError, SweepError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{sweep} is recorded in {RECORD}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
