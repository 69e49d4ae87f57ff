"""The command line: ``physnn sweep NOTEBOOK --grid NAME=VALUES ... --out FOLDER``."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import physnn
from physnn.lab.running.command import run
from physnn.lab.running.where import INSTALL, ClusterError, add_options, connection, elsewhere

NEEDED = ("distributed", "ipykernel", "matplotlib", "nbformat", "pandas", "papermill", "tqdm", "yaml")
EXAMPLES = """\
examples:
  physnn sweep notebooks/as-printed.ipynb --grid temperature=0,2e-5,1e-3 --grid data=digits --out runs/heat
  physnn sweep chapter.ipynb --grid seed=0:5 --grid "lr=log(1e-3,1)" --trials 20 --out runs/lr
  physnn sweep chapter.ipynb --grid quartic=-5,0 --grid seed=0:5 --replicates seed --baseline quartic=-5 --out runs/q
  physnn sweep chapter.ipynb --file grid.yml --out runs/grid --dry-run
  physnn sweep chapter.ipynb --file grid.yml --out runs/grid --scheduler tcp://HOST:8786 --timeout 3600 --retries 1

values:
  a,b,c   0:5   0:10:2   uniform(a,b)   log(a,b)   integers(a,b)   choice(a,b,c)
  Lists and ranges (without their end) are crossed with each other. Distributions are drawn --trials times, jointly,
  and every draw is crossed with the lists.

The same command again runs only what is missing or has failed. Exit status: 0 all points are done, 1 not all,
2 nothing ran because something in the command is wrong, 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="physnn", description="Experiments of the physnn book.")
    parser.add_argument("--version", action="version", version=f"physnn {physnn.__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "sweep",
        help="run a parameterized notebook over a grid of parameters",
        description="Run a parameterized notebook over a grid of parameters, on this machine or on a Dask cluster.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _arguments(command)
    options = parser.parse_args(arguments)
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        print(f"physnn sweep needs {', '.join(missing)}, which this Python has not: {INSTALL}", file=sys.stderr)
        return 2
    kept = "what is finished is kept, and the same command continues"
    return run("physnn sweep", lambda: _sweep(options), kept)


def _arguments(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("notebook", type=Path, help="an .ipynb with a parameters cell, or its .md source")
    add("--out", type=Path, required=True, metavar="FOLDER", help="where the results go, and are found again")
    grid = command.add_argument_group("what to run").add_argument
    grid("--grid", action="append", default=[], metavar="NAME=VALUES", help="the values of a parameter; repeatable")
    grid("--file", type=Path, metavar="GRID.yml", help="a YAML mapping of names to lists or values as after --grid")
    grid("--trials", type=int, metavar="N", help="draw the parameters that have distributions N times")
    grid("--seed", type=int, default=0, help="of the draws (default: 0)")
    grid("--dry-run", action="store_true", help="show the points, their parameters and the estimated time; run nothing")
    _question(command)
    each = command.add_argument_group("how each point runs").add_argument
    each("--timeout", type=float, metavar="SECONDS", help="end a run that takes longer")
    each("--retries", type=int, default=0, metavar="N", help="run a failed point again up to N times (default: 0)")
    each("--threads", type=int, default=1, metavar="N", help="OpenMP and MKL threads of each run (default: 1)")
    add_options(command)


def _question(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("what to answer").add_argument
    add("--replicates", action="append", default=[], metavar="NAME,...", help="means and intervals over them")
    add("--baseline", action="append", default=[], metavar="NAME=VALUE", help="paired differences to it; repeatable")
    add("--values", action="append", default=[], metavar="NAME,...", help="glued values (default: all numbers)")


def names(given: Sequence[str]) -> list[str]:
    """Return the names that are given one by one, or several with commas between."""
    return [name.strip() for some in given for name in some.split(",") if name.strip()]


def _sweep(options: argparse.Namespace) -> int:
    from physnn.lab.sweeping.drive import drive
    from physnn.lab.sweeping.notebook import SweepError
    from physnn.lab.sweeping.outlook import failures, outlook
    from physnn.lab.sweeping.plan import How, make_plan
    from physnn.lab.sweeping.typed import typed

    try:
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
    except (ClusterError, SweepError) as error:
        print(f"physnn sweep: {error}", file=sys.stderr)
        return 2
    done = sum(row["status"] == "done" for row in rows.values())
    print(f"{done} of {len(rows)} points are done: {plan.folder.path}", flush=True)
    if failed := failures(plan, rows):
        print(failed, file=sys.stderr)
    return 1 if failed or not shown else 0


if __name__ == "__main__":
    sys.exit(main())
