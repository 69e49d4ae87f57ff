"""What a sweep leaves on disk: per point an executed notebook, a log and a row, each whole or not there."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from physnn.lab.running import files


class Folder:
    """The folder of a sweep. A point is there when its row is; the row is written last, and carries its checksum."""

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

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one sweep at a time into the folder, and delete what one that was killed left half-written."""
        with files.alone(self.path, "sweep"):
            files.tidy(self.path)
            files.tidy(self.points)
            yield


def _checksum(row: dict) -> str:
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()
