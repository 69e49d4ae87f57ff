"""A study recorded by hand, and a rule that judges it: what the scoreboard and the results' diff are tested on."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import yaml

from physnn.lab.records.studies import Study

RULE = {
    "written": "before",
    "headline": ["level"],
    "effects": {
        "level": {"label": "level", "study": "small", "arm": "a", "column": "test_accuracy", "scale": 100},
        "gain": {"label": "gain", "study": "small", "contrast": ["a", "b"], "column": "test_accuracy", "scale": 100},
        "near": {"label": "near", "study": "small", "contrast": ["a", "b"], "measure": "near-best", "within": 1},
        "lost": {"label": "lost", "study": "small", "contrast": ["a", "b"], "measure": "diverged"},
    },
}


def record(folder: Path, a: float, b: float) -> None:
    """Record a study of two arms with these accuracies; of a's four rates one is near its best, two of b's three."""
    design = {
        "arms": {"a": {}, "b": {}}, "tuning": {"lr": [1.0, 2.0, 3.0, 4.0], "seeds": [9], "epochs": 1},
        "final": {"seeds": [0, 1, 2], "epochs": 1},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.yml").write_text(yaml.safe_dump(design))
    reached = {"a": [0.90, 0.5, 0.5, 0.5], "b": [0.901, 0.899, 0.5, None]}
    rows = []
    for arm, values in reached.items():
        for lr, end in zip((1.0, 2.0, 3.0, 4.0), values, strict=True):
            same = {"phase": "tuning", "arm": arm, "lr": lr, "seed": 9, "diverged": end is None}
            rows.append(same | {"epoch": 0, "validation_accuracy": 0.1})
            if end is not None:
                rows.append(same | {"epoch": 1, "validation_accuracy": end})
    for arm, level in {"a": a, "b": b}.items():
        for seed in (0, 1, 2):
            same = {"phase": "final", "arm": arm, "lr": 1.0, "seed": seed, "epoch": 1, "diverged": False}
            rows.append(same | {"validation_accuracy": level, "test_accuracy": level + 0.001 * seed * (arm == "a")})
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    digest = hashlib.sha256((folder / "table.csv").read_bytes()).hexdigest()
    made = {"design": Study(folder.name, folder.parent).digest, "table": digest}
    (folder / "provenance.json").write_text(json.dumps(made))
