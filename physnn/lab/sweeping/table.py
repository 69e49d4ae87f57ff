"""The tidy table of a sweep: one row per point, with its parameters, status and glued values."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

RESERVED = ("point", "status", "seconds", "error")  # columns of every table: no parameter is called so


def table(rows: Sequence[dict], names: Iterable[str]) -> "pd.DataFrame":
    """Arrange rows as ``point``, the parameters ``names``, ``status``, ``seconds``, ``error``, and every glued value.

    A value that is called like a column before it becomes ``glued.NAME``.
    """
    import pandas as pd  # whoever only asks which names are reserved does not wait for it

    names = list(names)
    glued = list(dict.fromkeys(name for row in rows for name in row["values"]))
    columns = {"point": [row["point"] for row in rows]}
    columns |= {name: [row["parameters"][name] for row in rows] for name in names}
    columns |= {name: [row[name] for row in rows] for name in RESERVED[1:]}
    for name in glued:
        column = name
        while column in columns:
            column = f"glued.{column}"
        columns[column] = [row["values"].get(name) for row in rows]
    return pd.DataFrame(columns)
