"""All that a sweep will do, checked before anything runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from physnn.lab.running.notebook import refuse_another_physnn
from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.combinations import Choice
from physnn.lab.sweeping.grid import EVERYTHING, Point, points
from physnn.lab.sweeping.notebook import Notebook, SweepError, load, made_from
from physnn.lab.sweeping.question import Question, question
from physnn.lab.sweeping.search import Goal, Search, make_search
from physnn.lab.sweeping.store import Folder
from physnn.lab.sweeping.values import kind


@dataclass(frozen=True)
class How:
    """How the points run.

    Attributes:
        retries: how often a failed point is run again before it counts as failed.
        timeout: seconds after which a run is ended.
        threads: of each run, for OpenMP and MKL.
        max_failures: how many failed points end the sweep, with what still runs; None for any number.
        retry_failed: whether points that have failed in an earlier sweep run again.

    Raises:
        SweepError: a number is none that it can be.
    """

    retries: int = 0
    timeout: float | None = None
    threads: int = 1
    max_failures: int | None = None
    retry_failed: bool = True

    def __post_init__(self) -> None:
        if self.max_failures is not None and self.max_failures < 1:
            raise SweepError(f"--max-failures must be at least 1, got {self.max_failures}")
        if self.retries < 0 or self.threads < 1 or (self.timeout is not None and not self.timeout > 0):
            raise SweepError(
                f"retries = {self.retries}, timeout = {self.timeout}, threads = {self.threads}: expected retries from "
                "0, a timeout above 0 s, and threads from 1"
            )


@dataclass(frozen=True)
class Plan:
    """All that a sweep will do: its points, how they are run, where they go, and what they are to answer.

    The points of a search are added as its trials begin.
    """

    notebook: Notebook
    points: list[Point]
    folder: Folder
    asked: Asked
    how: How
    search: Search | None = None

    def fixed(self) -> dict[str, object]:
        """Return the values that are given to every point; of a single point nothing."""
        given = self.search.runs if self.search else [point.given for point in self.points]
        if not self.search and len(given) < 2:
            return {}
        return {name: value for name, value in given[0].items() if all((name, value) in one.items() for one in given)}

    def kept(self) -> dict[str, dict]:
        """Return the rows of the points that need not run, by name: those that are done, or failed where that is so."""
        rows = {point.name: self.folder.row(point.name) for point in self.points}
        wanted = {name: row for name, row in rows.items() if row}
        return {name: row for name, row in wanted.items() if row["status"] == "done" or not self.how.retry_failed}


def make_plan(
    notebook: str | Path,
    grid: Mapping[str, object],
    out: str | Path,
    *,
    trials: int | None = None,
    seed: int = 0,
    choice: Choice = EVERYTHING,
    replicates: Iterable[str] = (),
    baseline: Mapping[str, object] | Sequence[str] = (),
    values: Iterable[str] = (),
    how: How = How(),
    goal: Goal | None = None,
) -> Plan:
    """Check everything that can be checked before the first run.

    Arguments and errors as in :func:`physnn.lab.sweeping.drive.sweep`.
    """
    read, folder = load(notebook), Folder(out)
    wanted = question(read.contract, replicates, baseline, values)
    try:
        refuse_another_physnn(read.path.parent)
    except ImportError as error:
        raise SweepError(str(error)) from error
    package = made_from(read.text, read.path.parent)
    search = make_search(read, package, grid, goal, trials, seed, choice) if goal else None
    found = [] if search else points(read, package, grid, trials, seed, choice)
    if not search:
        _check_baseline(wanted, found)
    folder.check(read)
    drawn = {name: drawn for name, given in grid.items() if (drawn := kind(given))}
    names = [point.name for point in found]
    asked = Asked(read.path.name, read.digest, package, read.contract, names, drawn, wanted)
    return Plan(read, found, folder, asked, how, search)


def _check_baseline(wanted: Question, found: Sequence[Point]) -> None:
    base = wanted.baseline
    if base and not any(all(point.parameters[name] == value for name, value in base.items()) for point in found):
        written = " ".join(f"{name}={value}" for name, value in base.items())
        raise SweepError(f"no point of this sweep has the baseline {written}; add its values to the grid")
