"""``python -m benchmarks [--record] [SUBJECT ...]``: time everything, print one table, write ``_build/bench.json``.

``--record`` writes ``results/speed/bench.json`` as well, which the book's page on speed shows.
"""

import argparse
import json
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import torch

from benchmarks import epoch, layer, loss, optimizer, replicas, sweep
from benchmarks.harness import Row
from physnn.lab.provenance import environment

SUBJECTS = {module.__name__.split(".")[1]: module for module in (layer, loss, optimizer, epoch, replicas, sweep)}
OUT = Path("_build/bench.json")
RECORD = Path("results/speed/bench.json")
PEERS = ("posteriors", "torch-uncertainty", "devinterp")


def show(row: Row) -> None:
    wanted = ", ".join(part for part in (row.must and f"must {row.must}", row.aim and f"aim {row.aim}") if part)
    value = "-" if row.ratio is None else f"{row.ratio:.2f} {row.unit}"
    spread = "" if row.low is None else f"{row.low:.2f}..{row.high:.2f}"
    print(f"{row.name:<68} {value:>12} {spread:>16}  of {row.against:<16} {wanted}  {row.note}", flush=True)


def version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time the package against its peers.")
    parser.add_argument("subjects", nargs="*", choices=[*SUBJECTS, []], help=f"some of {', '.join(SUBJECTS)}; or all")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD} as well")
    options = parser.parse_args()
    if options.record and options.subjects:
        parser.error("--record takes all subjects, for the page shows all")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for subject in options.subjects or SUBJECTS:
        for row in SUBJECTS[subject].rows():
            show(row)
            rows.append(asdict(row))
    peers = {package: version(package) for package in PEERS}
    text = json.dumps({"environment": environment(), "peers": peers, "rows": rows}, indent=1) + "\n"
    for path in (OUT, RECORD) if options.record else (OUT,):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"written: {path}")


if __name__ == "__main__":
    main()
