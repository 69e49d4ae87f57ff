"""``python -m benchmarks [--device cuda] [--record] [SUBJECT ...]``: time everything, print a table, write it as JSON.

``--record`` writes it into ``results/speed`` as well, which the book's page on speed shows. On a GPU all that is needed
is a checkout, torch, numpy and pandas.
"""

import argparse
import importlib
import json
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import torch

from benchmarks.harness import Bench, Row
from physnn.lab.records.provenance import environment
from physnn.lab.running import command, files

SUBJECTS = {
    "cpu": ("layer", "loss", "optimizer", "epoch", "replicas", "sweep"),
    "cuda": ("layer", "loss", "optimizer_gpu", "epoch", "replicas"),
}
NAMES = {"cpu": "bench.json", "cuda": "bench-cuda.json"}
RECORD = Path("results/speed")
PEERS = ("posteriors", "torch-uncertainty", "devinterp")


def show(row: Row) -> None:
    wanted = ", ".join(part for part in (row.must and f"must {row.must}", row.aim and f"aim {row.aim}") if part)
    value = "-" if row.ratio is None else f"{row.ratio:.2f} {row.unit}"
    spread = "" if row.low is None else f"{row.low:.2f}..{row.high:.2f}"
    by_bytes = "" if row.bytes is None or row.ratio is None else f"{row.ratio / row.bytes:.2f} by bytes"
    parts = [f"{row.name:<68} {value:>12} {spread:>16}  of {row.against:<16}", by_bytes, wanted, row.note]
    print(*filter(None, parts), sep="  ", flush=True)


def measured(subject: str, bench: Bench) -> Iterator[Row]:
    """Give the rows of a subject; where it fails, a last one that says so."""
    try:
        yield from importlib.import_module(f"benchmarks.{subject}").rows(bench)
    except Exception as error:  # the subjects after it are worth having
        traceback.print_exc()
        yield Row(f"{subject}: all that would follow", "", None, note=f"failed: {type(error).__name__}: {error}"[:300])


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def main(arguments: list[str] | None = None) -> int:
    """Measure as told on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time the package against its peers.")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"some of {', '.join(SUBJECTS['cpu'])}; or all")
    parser.add_argument("--device", choices=SUBJECTS, default="cpu", help="where to measure (cpu)")
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"the JSON to write (_build/{NAMES['cpu']})")
    parser.add_argument("--record", action="store_true", help=f"write it into {RECORD} as well")
    parser.add_argument("--quick", action="store_true", help="measure little, to see whether all of it runs")
    options = parser.parse_args(arguments)
    known, name = SUBJECTS[options.device], NAMES[options.device]
    if unknown := set(options.subjects) - set(known):
        parser.error(f"there is no {' and no '.join(sorted(unknown))}; the subjects are {', '.join(known)}")
    if options.record and (options.subjects or options.quick):
        parser.error("--record takes all subjects, and all the time they need: the page shows all")
    try:
        bench = Bench.on(options.device, options.quick)
    except RuntimeError as error:
        parser.error(str(error))
    out = options.out or Path("_build") / name
    kept = f"the rows up to here are in {out}, and nothing is recorded"
    return command.run("make bench", lambda: _main(options, bench, out), kept)


def _main(options: argparse.Namespace, bench: Bench, out: Path) -> int:
    known, name, rows = SUBJECTS[options.device], NAMES[options.device], []
    torch.set_num_threads(1)
    torch.manual_seed(0)
    out.parent.mkdir(parents=True, exist_ok=True)
    table = {"environment": environment(bench.device), "peers": {package: version(package) for package in PEERS}}
    for subject in options.subjects or known:
        for row in measured(subject, bench):
            show(row)
            rows.append(asdict(row))
            # Row by row: a run that is cut short leaves what it has.
            text = json.dumps({**table, "rows": rows}, indent=1) + "\n"
            files.write(out, text)
    print(f"written: {out}")
    if failed := [row["name"] for row in rows if row["note"].startswith("failed")]:
        said = f"{len(failed)} rows failed{', so nothing is recorded' * options.record}: {'; '.join(failed)}"
        print(said, file=sys.stderr)
        return 1
    if options.record:
        files.write(RECORD / name, text)
        print(f"written: {RECORD / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
