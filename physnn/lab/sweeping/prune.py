"""Delete what a folder holds of other code."""

from collections.abc import Iterable
from pathlib import Path

from physnn.lab.running import files
from physnn.lab.sweeping import asked as folders
from physnn.lab.sweeping.store import Folder


def prune(path: str | Path, dry_run: bool = False) -> str:
    """Delete the points of other code than that of the last command, and say how many there were.

    A row goes first: what is interrupted leaves no half of a point. While a sweep runs in the folder this waits for it.

    Raises:
        SweepError: the folder holds no sweep.
    """
    folder = Folder(path)
    folders.read(folder)  # of a folder that is none, nothing is made
    with files.alone(folder.path, "sweep"):
        asked = folders.read(folder)
        code = asked.digest, asked.package
        old = [row["point"] for row in folder.rows() if (row["notebook"], row["package"]) != code]
        parts = {name: [folder.file(name, end) for end in (".json", ".ipynb", ".log")] for name in old}
        size = sum(part.stat().st_size for some in parts.values() for part in some if part.exists())
        if not dry_run:
            _delete(part for some in parts.values() for part in some)
    told = "would be" if dry_run else "are"
    return f"{len(old):,} points of other code {told} deleted, {size / 1e6:.1f} MB: {folder.path}"


def _delete(parts: Iterable[Path]) -> None:
    for part in parts:
        part.unlink(missing_ok=True)
