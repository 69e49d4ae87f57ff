"""The tidy table of a sweep: one row per point, with its parameters, status and glued values."""

from collections.abc import Iterable, Sequence

import pandas as pd

LEADING = ("point", "status", "seconds", "error")


def table(rows: Sequence[dict], names: Iterable[str]) -> pd.DataFrame:
    """Arrange rows as ``point``, the parameters ``names``, ``status``, ``seconds``, ``error``, and every glued value.

    A value that is called like a column before it becomes ``glued.NAME``.
    """
    names = list(names)
    glued = list(dict.fromkeys(name for row in rows for name in row["values"]))
    taken = {*LEADING, *names}
    columns = {"point": [row["point"] for row in rows]}
    columns |= {name: [row["parameters"][name] for row in rows] for name in names}
    columns |= {name: [row[name] for row in rows] for name in LEADING[1:]}
    for name in glued:
        columns[f"glued.{name}" if name in taken else name] = [row["values"].get(name) for row in rows]
    return pd.DataFrame(columns)
