"""Name a value of a notebook, so that the book's prose can show it."""

import pandas as pd
from IPython.core.formatters import format_display_data
from IPython.display import display

PREFIX = "application/papermill.record/"
_values: dict[str, object] = {}


def glue(name: str, value: object) -> None:
    """Record ``value`` under ``name`` in the running notebook's outputs.

    The book inserts it into prose with ``{glue:text}``; a sweep collects it as a column.
    It needs IPython alone (Colab has no ``myst_nb``). Pass plain Python floats or formatted
    strings: a NumPy scalar cannot be formatted by the book.

    Raises:
        TypeError: ``value`` is a NumPy or torch scalar, or a tensor.
    """
    if type(value).__module__.split(".")[0] in {"numpy", "torch"}:
        raise TypeError(f"glue({name!r}) got a {type(value).__name__}; pass float(value), int(value) or a string")
    _values[name] = value
    data, metadata = format_display_data(value)
    metadata["scrapbook"] = {"name": name, "mime_prefix": PREFIX}
    display({PREFIX + key: item for key, item in data.items()}, metadata=metadata, raw=True)


def glued() -> pd.DataFrame:
    """Return all values glued so far, one row per name.

    Where prose shows a name and not its value (a notebook opened outside the book), this is where to look it up.
    """
    return pd.DataFrame({"value": pd.Series(_values, dtype=object)})
