"""How far recorded replicas drift when they are trained again: ``python -m benchmarks.drift DRAW [DRAW ...]``.

Every draw is three replicas of each phase of every study, and each adds a row to ``_build/drift.csv``; what is there
already is not done again. ``OMP_NUM_THREADS`` sets the threads. Another processor is stood in for by the
instructions of an older one: ``ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2``.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
import torch

from physnn.lab.records.provenance import RESULTS, environment
from physnn.lab.records.reproduce import retrain, sample
from physnn.lab.records.studies import Study
from physnn.lab.running import command

RECORD = Path("_build/drift.csv")
SETTING = ("instructions", "threads", "draw")
AFFORDABLE = 20.0  # seconds that a replica took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description="Train recorded replicas again.")
    parser.add_argument("draws", type=int, nargs="+", metavar="DRAW", help="the seed of a draw")
    draws = parser.parse_args().draws
    return command.run("benchmarks.drift", lambda: _main(draws), f"{RECORD} has what is done, and it is not done again")


def _main(draws: list[int]) -> int:
    made = environment()
    setting = (torch.backends.cpu.get_cpu_capability(), torch.get_num_threads())
    for draw in draws:
        for name in sorted(path.parent.name for path in RESULTS.glob("*/provenance.json")):
            study = Study(name)
            for i, (phase, replica, rows) in enumerate(sample(study, study.table(), draw, affordable=AFFORDABLE)):
                labels = dict(zip(SETTING, (*setting, draw), strict=True)) | {"study": name, "drawn": i}
                if _known(labels):
                    continue
                finding = retrain(study, phase, replica, rows)
                print(finding, flush=True)
                row = labels | {"phase": phase, "arm": replica.arm, "lr": replica.lr, "seed": replica.seed}
                row |= {key: getattr(finding, key) for key in ("verdict", "column", "epoch", "excess")}
                row |= {"torch": made["torch"], "source": made["source"][:12]}
                RECORD.parent.mkdir(parents=True, exist_ok=True)
                text = pd.DataFrame([row]).to_csv(index=False, header=not RECORD.exists(), float_format="%.4g")
                with command.uninterrupted(), RECORD.open("a", encoding="utf-8") as file:
                    file.write(text)
    return 0


def _known(labels: dict) -> bool:
    if not RECORD.exists():
        return False
    found = pd.read_csv(RECORD)
    return any((found[list(labels)] == list(labels.values())).all(axis=1))


if __name__ == "__main__":
    sys.exit(main())
