"""The finished replicas of a study that is not at its end: a file for each, whole, and checked when it is read."""

import hashlib
import io
import json
import math
import re
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from physnn.lab.records.design import SEARCH
from physnn.lab.running import files
from physnn.lab.running.command import uninterrupted
from physnn.lab.training.replicas import chunks
from physnn.lab.training.task import Replica

if TYPE_CHECKING:
    from physnn.lab.records.studies import Study


def finish(study: "Study", phase: str, replicas: list[Replica], folder: Path, **processes: Any) -> pd.DataFrame:
    """Run the replicas of a phase that have no part in a folder, and return the rows of all, in their order.

    A part is one replica, written as a whole when those computed with it are finished.

    Args:
        processes: ``workers`` and ``client``, as in :func:`physnn.lab.training.replicas.chunks`.

    Raises:
        KeyboardInterrupt: also where the workers have stopped for it; what is finished is kept.
    """
    path = [folder / f"{_key(phase, replica)}.csv" for replica in replicas]
    todo = [i for i, part in enumerate(path) if not whole(part)]
    left, others = len(todo), [name for name in study.hyperparameters if name != "lr"]
    several, budget = [replicas[i] for i in todo], study.budget(phase)
    with closing(chunks(several, budget, task=study.task_name, **processes)) as finished:
        for chunk in finished if todo else ():
            if not chunk.complete:
                raise KeyboardInterrupt
            with uninterrupted():
                for member, rows in pd.DataFrame(chunk.rows).groupby("replica") if chunk.rows else ():
                    recipe = study.arms[(replica := several[member]).arm]
                    searched = {k: replica.recipe[k] if recipe.get(k) == SEARCH else math.nan for k in others}
                    rows = rows.drop(columns="replica").assign(phase=phase, **searched)
                    write(path[todo[member]], rows)
            left -= len(chunk.members)
            if chunk.members:
                print(f"{time.strftime('%H:%M:%S')} {study.name}, {phase}: {left} replicas to go", flush=True)
            if chunk.interrupted:
                raise KeyboardInterrupt
    table = pd.concat([read(part) for part in path], ignore_index=True)
    first = ["phase", "arm", "lr", *others]
    return table[[*first, *table.columns.drop(first)]]


def write(path: Path, rows: pd.DataFrame) -> None:
    """Write the rows of a replica, under a line with their digest."""
    text = rows.to_csv(index=False, lineterminator="\n")
    files.write(path, f"{_digest(text)}\n{text}")


def read(path: Path) -> pd.DataFrame:
    """Return the rows of a replica.

    Raises:
        FileNotFoundError: it is not finished.
        ValueError: the file is not what was written, as after a power cut.
    """
    digest, _, text = path.read_bytes().decode(errors="replace").partition("\n")
    if digest != _digest(text):
        raise ValueError(f"{path} is damaged")
    return pd.read_csv(io.StringIO(text))


def whole(path: Path) -> bool:
    """Tell whether a replica is finished; of a damaged file, say that it does not count."""
    try:
        read(path)
    except FileNotFoundError:
        return False
    except ValueError as damaged:
        print(f"{damaged}: its replica is trained again", flush=True)
        return False
    return True


def elsewhere(folder: Path, name: str) -> dict[Path, int]:
    """Return the other folders of a study beside ``folder``, and how many replicas each holds."""
    found = [
        path for path in folder.parent.glob(f"{name}-*") if re.fullmatch(r"(-[0-9a-f]{12}){2}", path.name[len(name) :])
    ]
    counts = {path: sum(1 for _ in path.glob("*.csv")) for path in sorted(found) if path != folder}
    return {path: count for path, count in counts.items() if count}


def _key(phase: str, replica: Replica) -> str:
    return hashlib.sha256(json.dumps([phase, vars(replica)], sort_keys=True).encode()).hexdigest()[:20]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
