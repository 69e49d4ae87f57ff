"""How far a sweep is: a bar on a terminal, one line per point elsewhere."""

import sys
from contextlib import suppress
from functools import partial
from statistics import fmean
from types import TracebackType

from tqdm import tqdm

from physnn.lab.sweeping.grid import Point


class Progress:
    """Counts finished points and says how long the rest will take, from the mean of those that ran."""

    def __init__(self, total: int, kept: int) -> None:
        self._total, self._done = total, kept
        self._seconds: list[float] = []
        # Only for points that run: what was kept took no time, and would spoil the estimate.
        self._bar = tqdm(total=total, initial=kept, unit="point", disable=not sys.stderr.isatty() or total == kept)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._bar.close()

    def say(self, text: str) -> None:
        """Print a line, above the bar where there is one; a full disk or a closed pipe does not stop the runs."""
        write = partial(print, flush=True) if self._bar.disable else self._bar.write
        with suppress(OSError):
            try:
                write(text)
            except UnicodeEncodeError:  # what a notebook raised, on a terminal that cannot show it
                write(text.encode("ascii", "backslashreplace").decode())

    def finished(self, point: Point, row: dict, slots: int) -> None:
        """Count a point, and print what the bar does not show; ``slots`` runs go on at once."""
        self._done += 1
        self._seconds.append(row["seconds"])
        with suppress(OSError):
            self._bar.update()
        left = self._total - self._done
        line = f"[{self._done}/{self._total}] {row['status']:<7} {point}  {row['seconds']:.1f} s"
        if row["error"]:
            line += f"  {row['error'][:200]}"
        if self._bar.disable:
            rest = fmean(self._seconds) * left / max(1, min(slots, left))
            self.say(line + (f"  (about {duration(rest)} left)" if left else ""))
        elif row["error"]:
            self.say(line)


def duration(seconds: float) -> str:
    """Write a time with one unit that suits it: ``8 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
