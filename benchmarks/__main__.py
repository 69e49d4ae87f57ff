"""``python -m benchmarks``: time everything, print one table, write ``_build/bench.json``."""

import json
import platform
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import torch

from benchmarks import epoch, layer, loss, optimizer
from benchmarks.harness import Row

OUT = Path("_build/bench.json")
PACKAGES = ("torch", "physnn", "posteriors", "torch-uncertainty", "devinterp")


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
    torch.set_num_threads(1)
    torch.manual_seed(0)
    chosen = [module for module in (layer, loss, optimizer, epoch) if module.__name__.split(".")[1] in sys.argv[1:]]
    rows = []
    for module in chosen or (layer, loss, optimizer, epoch):
        for row in module.rows():
            show(row)
            rows.append(row)
    machine = {"processor": platform.processor() or platform.machine(), "system": platform.system(), "threads": 1}
    versions = {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
    OUT.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions, "machine": machine, "rows": [asdict(row) for row in rows]}, indent=1)
    OUT.write_text(text + "\n")
    print(f"written: {OUT}")


if __name__ == "__main__":
    main()
