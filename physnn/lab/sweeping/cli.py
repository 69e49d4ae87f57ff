"""The command line: ``physnn sweep NOTEBOOK --grid NAME=VALUES ... --out FOLDER`` and ``physnn report FOLDER``."""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence

from physnn.lab.running.command import run
from physnn.lab.running.where import INSTALL, ClusterError, connection, elsewhere
from physnn.lab.sweeping.options import names, parser

NEEDED = ("distributed", "ipykernel", "matplotlib", "nbformat", "pandas", "papermill", "tqdm", "yaml")


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
    from physnn.lab.sweeping.drive import drive
    from physnn.lab.sweeping.outlook import failures, outlook
    from physnn.lab.sweeping.plan import How, make_plan
    from physnn.lab.sweeping.typed import typed

    plan = make_plan(
        options.notebook,
        typed(options.file, options.grid),
        options.out,
        trials=options.trials,
        seed=options.seed,
        replicates=names(options.replicates),
        baseline=options.baseline,
        values=names(options.values),
        how=How(options.retries, options.timeout, options.threads),
    )
    if options.dry_run:
        print(outlook(plan, options.workers, remote=elsewhere(options)), flush=True)
        return 0
    rows, shown = drive(plan, connection(options))
    done = sum(row["status"] == "done" for row in rows.values())
    print(f"{done} of {len(rows)} points are done: {plan.folder.path}", flush=True)
    if failed := failures(plan, rows):
        print(failed, file=sys.stderr)
    return 1 if failed or not shown else 0


def _report(options: argparse.Namespace) -> int:
    from physnn.lab.sweeping.look import look

    shown = look(options.folder, names(options.replicates), options.baseline, names(options.values))
    return 0 if shown else 1


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "sweep": (_sweep, "what is finished is kept, and the same command continues"),
    "report": (_report, "the results are kept"),
}

if __name__ == "__main__":
    sys.exit(main())
