"""How many cells of a running notebook have ended, from what papermill writes into its log."""

import re
from pathlib import Path

import nbformat

TOPIC = "physnn-cells"  # of the events by which workers tell it
ENDED = re.compile(rb"Ending Cell (\d+)-")


class Cells:
    """Counts the cells with code of a notebook that runs.

    Args:
        notebook: its text, without the cell of parameters that papermill adds.
        log: what its process writes.

    Attributes:
        of: how many cells with code there are; the one that papermill adds does not count.
    """

    def __init__(self, notebook: str, log: Path) -> None:
        cells = nbformat.reads(notebook, as_version=4).cells
        tagged = [i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])]
        added = tagged[0] if tagged else -1  # papermill's cell comes after this one, and theirs is the next number
        self._numbers = [i + 1 + (i > added) for i, cell in enumerate(cells) if cell.cell_type == "code"]
        self._log, self._read, self._last = log, 0, 0
        self.of = len(self._numbers)

    def done(self) -> int:
        """Return how many have ended; what the log held the last time is not read again."""
        with open(self._log, "rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._last = max([self._last, *map(int, ENDED.findall(whole))])
        return sum(number <= self._last for number in self._numbers)
