"""What the commands of ``physnn`` take."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import physnn
from physnn.lab.running.where import add_options

EXAMPLES = """\
examples:
  physnn sweep notebooks/as-printed.ipynb --grid temperature=0,2e-5,1e-3 --grid data=digits --out runs/heat
  physnn sweep chapter.ipynb --grid seed=0:5 --grid "lr=log(1e-3,1)" --trials 20 --out runs/lr
  physnn sweep chapter.ipynb --grid quartic=-5,0 --grid seed=0:5 --replicates seed --baseline quartic=-5 --out runs/q
  physnn sweep chapter.ipynb --grid "lr=log(1e-3,1)" --trials 40 --search tpe --maximize accuracy --out runs/best
  physnn sweep chapter.ipynb --file grid.yml --out runs/grid --dry-run
  physnn sweep chapter.ipynb --file grid.yml --out runs/grid --scheduler tcp://HOST:8786 --timeout 3600 --retries 1

values:
  a,b,c   0:5   0:10:2   uniform(a,b)   log(a,b)   integers(a,b)   choice(a,b,c)
  Lists and ranges (without their end) are crossed with each other. Distributions are drawn --trials times, jointly,
  and every draw is crossed with the lists.

The same command again runs only what is missing or has failed. Exit status: 0 all points are done, 1 not all,
2 nothing ran because something in the command is wrong, 130 interrupted.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    whole = argparse.ArgumentParser(prog="physnn", description="Experiments of the physnn book.")
    whole.add_argument("--version", action="version", version=f"physnn {physnn.__version__}")
    commands = whole.add_subparsers(dest="command", required=True)
    raw = argparse.RawDescriptionHelpFormatter
    told = "run a parameterized notebook over a grid of parameters"
    more = f"{told.capitalize()}, on this machine or on a Dask cluster."
    usage = "physnn sweep NOTEBOOK --out FOLDER [--grid NAME=VALUES ...] [OPTIONS]"
    _sweep(commands.add_parser("sweep", usage=usage, help=told, description=more, epilog=EXAMPLES, formatter_class=raw))
    told = "make the tables and the page of a sweep's folder"
    more = f"{told.capitalize()}, at any time, also while its sweep runs; or compare two of them."
    _report(commands.add_parser("report", help=told, description=more))
    told = "delete the points of a sweep's folder that are of other code than its last command"
    pruned = commands.add_parser("prune", help=told, description=f"{told.capitalize()}.")
    pruned.add_argument("folder", type=Path, help="the --out of a sweep")
    pruned.add_argument("--dry-run", action="store_true", help="say what would be deleted; delete nothing")
    return whole


def names(given: Sequence[str]) -> list[str]:
    """Return the names that are given one by one, or several with commas between."""
    return [name.strip() for some in given for name in some.split(",") if name.strip()]


def _sweep(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("notebook", type=Path, help="an .ipynb with a parameters cell, or its .md source")
    add("--out", type=Path, required=True, metavar="FOLDER", help="where the results go, and are found again")
    grid = command.add_argument_group("what to run").add_argument
    grid("--grid", action="append", default=[], metavar="NAME=VALUES", help="the values of a parameter; repeatable")
    grid("--file", type=Path, metavar="GRID.yml", help="a YAML mapping of names to lists or values as after --grid")
    grid(
        "--points", type=Path, metavar="FILE.csv", help="a line per point under a header of names; crossed with --grid"
    )
    grid(
        "--zip",
        action="append",
        default=[],
        metavar="NAME,NAME",
        help="pair their lists, first value with first value; repeatable",
    )
    grid(
        "--exclude",
        action="append",
        default=[],
        metavar='"NAME=VALUE ..."',
        help="leave out what has all of these; repeatable",
    )
    grid("--trials", type=int, metavar="N", help="draw the parameters that have distributions N times")
    grid("--seed", type=int, default=0, metavar="N", help="draw others (default: 0)")
    grid("--dry-run", action="store_true", help="show the points, their parameters and the estimated time; run nothing")
    _question(command)
    search = command.add_argument_group("what to search for, instead of drawing by chance").add_argument
    search("--search", metavar="SAMPLER", help="Optuna's tpe, gp, qmc or random, for --trials trials")
    search("--maximize", metavar="NAME", help="a glued value that shall be large; of a trial, its points' mean")
    search("--minimize", metavar="NAME", help="or one that shall be small")
    search("--pruner", metavar="NAME", help="give up poor trials before their last point: median or wilcoxon")
    each = command.add_argument_group("how each point runs").add_argument
    each("--timeout", type=float, metavar="SECONDS", help="end a run that takes longer")
    each("--retries", type=int, default=0, metavar="N", help="run a failed point again up to N times (default: 0)")
    each("--max-failures", type=int, metavar="N", help="stop when N points have failed")
    each("--no-retry-failed", action="store_true", help="leave alone what failed in an earlier sweep")
    each("--threads", type=int, default=1, metavar="N", help="OpenMP and MKL threads of each run (default: 1)")
    add_options(command)


def _question(command: argparse.ArgumentParser) -> None:
    add = command.add_argument_group("what to answer").add_argument
    add(
        "--replicates",
        action="append",
        default=[],
        metavar="NAME,...",
        help="what only repeats, such as a seed: means over it",
    )
    add("--baseline", action="append", default=[], metavar="NAME=VALUE", help="differences to it, in pairs; repeatable")
    add("--values", action="append", default=[], metavar="NAME,...", help="glued numbers (default: all)")


def _report(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, help="the --out of a sweep")
    second = "another one, to compare it with the first; the same again compares its old code with the new"
    command.add_argument("second", type=Path, nargs="?", help=second)
    _question(command)
