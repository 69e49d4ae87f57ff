"""The tables and the page of a folder, at any time: while its sweep runs, after a kill, with another question."""

from collections.abc import Sequence
from pathlib import Path

from physnn.lab.sweeping import asked as folders
from physnn.lab.sweeping.notebook import SweepError
from physnn.lab.sweeping.question import question
from physnn.lab.sweeping.show import show
from physnn.lab.sweeping.store import Folder


def look(
    path: str | Path, replicates: Sequence[str] = (), baseline: Sequence[str] = (), values: Sequence[str] = ()
) -> bool:
    """Write the tables and the page of what a folder holds now, and say how far its sweep is.

    Runs go on undisturbed. Neither the notebook nor its code is needed. What is not given is as the sweep has asked.

    Returns:
        Whether all is written.

    Raises:
        SweepError: the folder holds no sweep, or no point of it, or the question cannot be asked.
    """
    folder = Folder(path)
    asked = folders.read(folder)
    kept = asked.question
    wanted = question(asked.contract, replicates or kept.replicates, baseline or kept.baseline, values or kept.values)
    asked = asked.about(wanted)
    rows = folders.rows(asked, folder)
    if not rows:
        raise SweepError(
            f"{folder.path} has no finished point yet; the sweep of {asked.notebook} is where they come from"
        )
    shown = show(asked, rows, folder)
    print(f"{folders.count(asked, rows)}: {folder.path}", flush=True)
    return shown
