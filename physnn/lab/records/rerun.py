"""Run recorded studies as far as the time allows, and say how far each of them got.

``python -m physnn.lab.records.rerun [NAME ...] [--minutes M] [--again] [--scheduler ADDRESS]``, which is ``make
results``, runs what is missing or stale, cheapest first, and records it. Processes of this machine train, or, with
``--scheduler``, a Dask cluster. With ``--again`` everything runs from nothing in ``_build/results``, and is compared
with the recorded tables, which stay as they are. What was stopped goes on by the same command.
"""

import argparse
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from physnn.lab.data.mnist import DataError
from physnn.lab.records import parts, studies
from physnn.lab.records.design import StudyError
from physnn.lab.records.provenance import recording_minutes
from physnn.lab.records.reproduce import Agreement, agreement
from physnn.lab.records.studies import WORK, Study
from physnn.lab.running import command
from physnn.lab.running.machine import cores
from physnn.lab.running.where import ClusterError, add_options, connection, elsewhere, here

if TYPE_CHECKING:
    from distributed import Client

AGAIN = Path("_build") / "results"
KEPT = "what is finished is kept, and the same command goes on from here"
ENDS = """\
Exit status: 0 all of it is recorded, or the time is over; 1 something went wrong, or what was run again does not agree
with the record; 2 nothing ran because something in the command or in a design is wrong; 130 interrupted (Ctrl-C,
SIGTERM, SIGHUP). The same command goes on with what is not finished.
"""
FOREVER = 1e8  # seconds, about three years: more than that a timer may not take


class Progress(NamedTuple):
    """How far a study got: ``state`` is "recorded" (nothing to do), "complete", "stopped" or "not begun"."""

    name: str
    state: str
    done: int = 0
    planned: int = 0
    minutes: float = 0.0
    agreement: Agreement | str = ""

    def __str__(self) -> str:
        said = {
            "recorded": "recorded, and the design has not changed",
            "complete": f"complete, {self.done:,} replicas, {self.minutes:.1f} minutes",
            "stopped": f"{self.done:,} of {self.planned:,} replicas done, {self.minutes:.1f} minutes",
            "not begun": "not begun" + f", {self.done:,} of {self.planned:,} replicas done before" * bool(self.done),
        }[self.state]
        return f"{self.name}: {said}" + f"\n  {self.agreement}" * bool(self.agreement)


def training_minutes(study: Study) -> float:
    """Return the recorded minutes of training, summed over processes; infinity where there is no sound record."""
    try:
        return study.provenance["seconds_of_training"] / 60
    except (FileNotFoundError, KeyError, StudyError):
        return math.inf


def minutes_recorded() -> pd.DataFrame:
    """Return what the recorded studies took, a row for each, cheapest first.

    The columns are ``replicas``, minutes ``of training``, summed over processes, and minutes ``in all``
    (:func:`physnn.lab.records.provenance.recording_minutes`).
    """
    every = [Study(path.parent.name, studies.RESULTS) for path in studies.RESULTS.glob("*/provenance.json")]
    rows = {
        study.name: [_planned(study), training_minutes(study), recording_minutes(study.provenance)]
        for study in sorted(every, key=training_minutes)
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["replicas", "of training", "in all"])


def chosen(names: list[str]) -> list[Study]:
    """Return the named studies, or all, cheapest first, each once.

    Raises:
        StudyError: there is no study of that name, or its design is none.
    """
    names = names or [path.parent.name for path in studies.RESULTS.glob("*/design.yml")]
    return sorted((Study(name, studies.RESULTS) for name in {*names}), key=lambda s: (training_minutes(s), s.name))


def rerun(
    names: list[str],
    minutes: float = math.inf,
    again: bool = False,
    workers: int | None = None,
    connect: "Callable[[], AbstractContextManager[Client]] | None" = None,
) -> list[Progress]:
    """Run the named studies, or all, and return how far each got, in their order.

    Args:
        minutes: when they are over, training stops after the epoch it is in; finished replicas are kept.
        again: run all of them, from nothing and beside the record, and compare.
        workers: processes of this machine, which all studies share; None for one per core, 1 for the calling process.
        connect: opens a Dask client whose workers train instead; called only if something has to run.

    Raises:
        StudyError: there is no such study, or its design is none: then nothing runs; or its runs give no result.
        ClusterError: the workers cannot start, or are not as they must be.
        OSError: the scheduler was lost, or something cannot be written; finished replicas are kept.
    """
    end, processes, order = time.monotonic() + 60 * minutes, workers or cores(), chosen(names)
    if again:
        known = sum(filter(math.isfinite, map(training_minutes, order)))
        share = "" if connect else f", {known / processes:.0f} in {processes} processes"
        print(f"recorded: {known:.0f} minutes of training{share}", flush=True)
    if processes > 1 and not connect:
        connect = partial(here, processes)
    with ExitStack() as opened:
        open_client = cache(lambda: opened.enter_context(connect()) if connect else None)
        return _run_all(order, end, again, processes, open_client)


def _run_all(
    order: list[Study], end: float, again: bool, workers: int, client: "Callable[[], Client | None]"
) -> list[Progress]:
    made, stopped = [], False
    for study in order:
        reason = "from nothing, beside the record" if again else _stale(study)
        if not reason:
            made.append(Progress(study.name, "recorded"))
            continue
        target, work = (_beside(study), AGAIN / "work") if again else (study, WORK)
        start, state = time.monotonic(), "not begun"
        if not stopped and start < end:
            print(f"{study.name}: {reason}", flush=True)
            try:
                with _alarm(end - start):
                    target.run(workers, work, client())
                state = "complete"
            except KeyboardInterrupt:
                state, stopped = "stopped", True
        spent, done = time.monotonic() - start, list(filter(parts.whole, target.parts(work).glob("*.csv")))
        found = _agreement(study, done) if again and done else ""
        made.append(Progress(study.name, state, len(done), _planned(study), spent / 60, found))
    return made


def _stale(study: Study) -> str:
    """Say why a study must run; nothing where it need not."""
    try:
        study.table()
    except FileNotFoundError:
        return "not recorded yet"
    except StudyError as reason:
        return str(reason)
    return ""


def _beside(study: Study) -> Study:
    """Return the study whose table will stand beside the record."""
    folder = AGAIN / study.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.yml").write_bytes((study.folder / "design.yml").read_bytes())
    return Study(study.name, AGAIN)


def _planned(study: Study) -> int:
    tuning, final = study.design["tuning"]["seeds"], study.design.get("final", {}).get("seeds", [])
    return sum(len(study.settings(arm)) * len(tuning) + len(final) for arm in study.arms)


def _agreement(study: Study, done: list[Path]) -> Agreement | str:
    try:
        recorded = study.table()
    except (FileNotFoundError, StudyError) as reason:
        return f"not compared: {reason}"
    return agreement(study, recorded, pd.concat(map(parts.read, done), ignore_index=True))


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Interrupt what runs inside when the time is over, as Ctrl-C would."""
    if seconds > FOREVER:
        yield
        return

    def over(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main(argv: list[str] | None = None) -> int:
    """Run studies and print one line for each; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m physnn.lab.records.rerun",
        description="Run the recorded studies.",
        epilog=ENDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a study, a folder of results/; none means all")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop when they are over, and keep what is done"
    )
    parser.add_argument("--again", action="store_true", help="from nothing, in _build/results, and compare")
    add_options(parser)
    given = parser.parse_args(argv)
    if not given.minutes > 0:
        parser.error(f"--minutes must be above 0, got {given.minutes:g}")
    return command.run(parser.prog, lambda: _run(given, parser.prog), KEPT)


def _run(given: argparse.Namespace, program: str) -> int:
    end = time.monotonic() + 60 * given.minutes
    try:
        connect = connection(given)
        chosen(given.names)
    except (ClusterError, StudyError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    try:
        made = rerun(given.names, given.minutes, given.again, given.workers, connect if elsewhere(given) else None)
    except (ClusterError, DataError, StudyError) as error:
        print(f"{program}: {error}; {KEPT}", file=sys.stderr)
        return 1
    print(*made, sep="\n", flush=True)
    if any(each.state in ("stopped", "not begun") for each in made):
        if time.monotonic() < end:
            raise KeyboardInterrupt
        print("the time is over; the same command goes on from here")
    if any(isinstance(each.agreement, Agreement) and each.agreement.agrees is False for each in made):
        print(f"{program}: what was run again does not agree with the record", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
