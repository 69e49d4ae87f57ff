"""What a sweep leaves on disk: per point an executed notebook, a log and a row, each whole or not there."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from physnn.lab.running import files
from physnn.lab.running.command import described
from physnn.lab.sweeping.notebook import Notebook, SweepError

OWNER = ".notebook"
SHOWN = ("table.csv", "means.csv", "index.html")


class Folder:
    """The folder of a sweep. A point is there when its row is; the row is written last, and carries its checksum.

    It belongs to one notebook, whose place as seen from the folder it keeps in the file ``.notebook``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.points = self.path / "points"

    def file(self, name: str, suffix: str) -> Path:
        """Return where the point's ``.ipynb``, ``.log`` or ``.json`` is."""
        return self.points / f"{name}{suffix}"

    def row(self, name: str) -> dict | None:
        """Return the point's row; None where it or its notebook is missing, or the row is damaged."""
        try:
            row = json.loads(self.file(name, ".json").read_bytes())
            whole = row.pop("checksum") == _checksum(row) and row["point"] == name
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return None
        return row if whole and self.file(name, ".ipynb").exists() else None

    def rows(self) -> list[dict]:
        """Return every whole row, of whatever notebook and package, in order of their start."""
        found = (self.row(path.stem) for path in self.points.glob("[!.]*.json"))
        return sorted((row for row in found if row), key=lambda row: (row["started"], row["point"]))

    def keep(self, row: dict, notebook: bytes, log: str) -> None:
        """Write a point's three files, the row last."""
        self.points.mkdir(parents=True, exist_ok=True)
        files.write(self.file(row["point"], ".ipynb"), notebook)
        files.write(self.file(row["point"], ".log"), log)
        text = json.dumps({**row, "checksum": _checksum(row)}, indent=1, ensure_ascii=False)
        files.write(self.file(row["point"], ".json"), f"{text}\n")

    def check(self, notebook: Notebook) -> None:
        """Let only the notebook in whose folder this is, or will be, go on.

        It may have been edited, moved, and written as the other of its .md and .ipynb. Renamed and edited, it is
        another one.

        Raises:
            SweepError: the folder is another notebook's, or no sweep's, or a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise SweepError(f"{self.path} is a file; expected a folder, or a name that is free")
        try:
            owner = Path(os.path.normpath(self.path / os.fsdecode((self.path / OWNER).read_bytes())))
        except OSError:  # new, or made by a version that did not keep it
            foreign = [name for name in SHOWN if (self.path / name).exists() and not self.points.exists()]
            if foreign:
                raise SweepError(
                    f"{self.path} has a {foreign[0]} that no sweep wrote; give this one a folder of its own"
                ) from None
            return
        moved = not any(owner.with_suffix(suffix).exists() for suffix in (".md", ".ipynb"))
        same = owner.stem == notebook.path.stem and (moved or owner.parent == notebook.path.parent)
        if not same and all(row["notebook"] != notebook.digest for row in self.rows()):
            raise SweepError(f"{self.path} holds the sweep of {owner}; give this one a folder of its own")

    @contextmanager
    def alone(self, notebook: Notebook) -> Iterator[None]:
        """Let one sweep at a time into the folder, and delete what one that was killed left half-written.

        Raises:
            SweepError: the folder cannot be written, or see :meth:`check`.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(files.alone(self.path, "sweep"))
                self.check(notebook)
                self.points.mkdir(exist_ok=True)
                files.tidy(self.path)
                files.tidy(self.points)
                files.write(self.path / OWNER, os.fsencode(os.path.relpath(notebook.path, self.path)))
            except OSError as error:
                raise SweepError(f"cannot write the results: {described(error)}; choose another --out") from error
            yield


def _checksum(row: dict) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
