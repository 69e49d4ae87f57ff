"""The command line: ``physnn sweep NOTEBOOK --grid NAME=VALUES ... --out FOLDER`` and ``physnn report FOLDER``."""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from physnn.lab.running.command import run
from physnn.lab.running.where import INSTALL, ClusterError, connection, elsewhere
from physnn.lab.sweeping.options import names, parser

if TYPE_CHECKING:
    from physnn.lab.sweeping.search import Goal

NEEDED = ("distributed", "ipykernel", "nbformat", "pandas", "papermill", "scipy", "tqdm", "yaml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    options = parser().parse_args(arguments)
    program = f"physnn {options.command}"
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        print(f"{program} needs {', '.join(missing)}, which this Python has not: {INSTALL}", file=sys.stderr)
        return 2
    work, kept = COMMANDS[options.command]

    def checked() -> int:
        from physnn.lab.sweeping.notebook import SweepError

        try:
            return work(options)
        except (ClusterError, SweepError) as error:
            print(f"{program}: {error}", file=sys.stderr)
            return 2

    return run(program, checked, kept)


def _sweep(options: argparse.Namespace) -> int:
    from physnn.lab.sweeping.combinations import Choice
    from physnn.lab.sweeping.drive import drive
    from physnn.lab.sweeping.outlook import failures, outlook
    from physnn.lab.sweeping.plan import How, make_plan
    from physnn.lab.sweeping.typed import typed

    how = How(options.retries, options.timeout, options.threads, options.max_failures, not options.no_retry_failed)
    plan = make_plan(
        options.notebook,
        typed(options.file, options.grid),
        options.out,
        trials=options.trials,
        seed=options.seed,
        choice=Choice([names([group]) for group in options.zip], options.exclude, options.points),
        replicates=names(options.replicates),
        baseline=options.baseline,
        values=names(options.values),
        how=how,
        goal=_goal(options),
    )
    if options.dry_run:
        print(outlook(plan, options.workers, remote=elsewhere(options)), flush=True)
        return 0
    rows, shown = drive(plan, connection(options))
    done = sum(row["status"] == "done" for row in rows.values())
    print(f"{done} of {len(plan.points)} points are done: {plan.folder.path}", flush=True)
    if failed := failures(plan, rows):
        print(failed, file=sys.stderr)
    return 1 if done < len(plan.points) or not shown else 0


def _goal(options: argparse.Namespace) -> "Goal | None":
    """Return what is searched for; None where nothing is."""
    from physnn.lab.sweeping.notebook import SweepError
    from physnn.lab.sweeping.search import Goal

    named = [name for name in (options.maximize, options.minimize) if name]
    if not options.search and (named or options.pruner):
        raise SweepError("--maximize, --minimize and --pruner are for a search; add --search tpe")
    if options.search and len(named) != 1:
        raise SweepError("--search needs --maximize NAME or --minimize NAME, with the name of a glued value")
    if not options.search:
        return None
    return Goal(options.search, named[0], bool(options.maximize), options.pruner or "none")


def _report(options: argparse.Namespace) -> int:
    from physnn.lab.sweeping.look import look
    from physnn.lab.sweeping.notebook import SweepError

    if options.second:
        from physnn.lab.sweeping.against import against

        if options.baseline:
            raise SweepError("--baseline is for one folder; of two the first is what the second is compared with")
        print(against(options.folder, options.second, names(options.replicates), names(options.values)), flush=True)
        return 0
    shown = look(options.folder, names(options.replicates), options.baseline, names(options.values))
    return 0 if shown else 1


def _prune(options: argparse.Namespace) -> int:
    from physnn.lab.sweeping.prune import prune

    print(prune(options.folder, options.dry_run), flush=True)
    return 0


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "sweep": (_sweep, "what is finished is kept, and the same command continues"),
    "report": (_report, "the results are kept"),
    "prune": (_prune, "what is left is whole, and the same command continues"),
}

if __name__ == "__main__":
    sys.exit(main())
