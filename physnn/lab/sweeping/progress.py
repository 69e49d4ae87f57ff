"""How far a sweep is: a bar on a terminal, one line per point elsewhere, and between them how far each run is."""

import sys
import time
from collections.abc import Container, Sequence
from contextlib import suppress
from functools import partial
from statistics import fmean
from types import TracebackType

from tqdm import tqdm

from physnn.lab.sweeping.grid import Point

QUIET = 60.0  # seconds without a line, after which one says what runs
NAMED = 4  # of the running points in it
BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


class Progress:
    """Counts finished points and says how long the rest will take, from the mean of those that ran.

    Args:
        total: points of the sweep.
        kept: how many of them were done before.
        seconds: how long those took, which is all that is known before the first one ends.
        fixed: parameters that are the same in all points, and need not be said of each.
    """

    def __init__(
        self, total: int, kept: int, seconds: Sequence[float] = (), fixed: Container[str] = frozenset()
    ) -> None:
        self._total, self._done, self._fixed = total, kept, fixed
        self._before, self._seconds = list(seconds), []
        self._running: dict[str, tuple[Point, float]] = {}
        self._cells: dict[str, tuple[int, int]] = {}
        self._said = time.monotonic()
        # Only for points that run: what was kept took no time, and would spoil the estimate.
        hidden = not sys.stderr.isatty() or total == kept
        self._bar = tqdm(total=total, initial=kept, bar_format=BAR, disable=hidden, dynamic_ncols=True)

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
        self._said = time.monotonic()
        with suppress(OSError):
            try:
                write(text)
            except UnicodeEncodeError:  # what a notebook raised, on a terminal that cannot show it
                write(text.encode("ascii", "backslashreplace").decode())

    def began(self, key: str, point: Point) -> None:
        """Note that a run has been handed out, under the key by which a worker speaks of it."""
        self._running[key] = point, time.monotonic()

    def cells(self, key: str, done: int, of: int) -> None:
        """Note how many cells of a run have ended; another sweep's do not count."""
        if key in self._running:
            self._cells[key] = done, of

    def ended(self, key: str) -> None:
        """Forget a run, however it ended."""
        self._running.pop(key, None)
        self._cells.pop(key, None)

    def resize(self, total: int) -> None:
        """Note that there are more points, or fewer."""
        self._total = self._bar.total = total

    def look(self, slots: int) -> None:
        """Show how far the runs are: in the bar, or in a line where nothing was said for a minute."""
        told = self._left(slots)
        if not self._bar.disable:
            known = [self._cells[key] for key in self._running if key in self._cells]
            cells = f", {sum(done for done, _ in known)}/{sum(of for _, of in known)} cells" if known else ""
            with suppress(OSError):
                self._bar.set_postfix_str(f"{len(self._running)} running{cells}{f', {told}' if told else ''}")
        elif self._running and time.monotonic() - self._said > QUIET:
            self.say(self._line(told))

    def finished(self, point: Point, row: dict, slots: int) -> None:
        """Count a point, and print what the bar does not show; ``slots`` runs go on at once."""
        self._done += 1
        self._seconds.append(row["seconds"])
        with suppress(OSError):
            self._bar.update()
        line = f"[{self._done}/{self._total}] {row['status']:<7} {point.told(self._fixed)}  {row['seconds']:.1f} s"
        if row["error"]:
            line += f"  {row['error'][:200]}"
        if self._bar.disable:
            told = self._left(slots)
            self.say(line + (f"  ({told})" if told else ""))
        elif row["error"]:
            self.say(line)

    def _line(self, told: str) -> str:
        now, parts = time.monotonic(), []
        for key, (point, begin) in list(self._running.items())[:NAMED]:
            done, of = self._cells.get(key, (0, 0))
            cells = f"{done} of {of} cells, " if of else ""
            parts.append(f"{point.told(self._fixed)}  {cells}{duration(now - begin)}")
        more = [f"{len(self._running) - NAMED} more"] if len(self._running) > NAMED else []
        line = f"[{self._done}/{self._total}] running: {'; '.join([*parts, *more])}"
        return f"{line}  ({told})" if told else line

    def _left(self, slots: int) -> str:
        left = self._total - self._done
        known = self._seconds or self._before
        if not left or not known:
            return ""
        each, now = fmean(known), time.monotonic()
        under_way = list(self._running.values())[:left]
        rest = each * (left - len(under_way)) + sum(max(each - (now - begin), 0) for _, begin in under_way)
        return f"about {duration(rest / max(1, min(slots, left)))} left"


def duration(seconds: float) -> str:
    """Write a time with one unit that suits it: ``8 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
