"""What the experiments share: data, training, notebook parameters, provenance, figures, statistics, studies, sweeps."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from physnn.lab.chapter.contract import parameters
    from physnn.lab.chapter.naming import glue, glued
    from physnn.lab.records.closing import numbers, provenance
    from physnn.lab.sweeping.drive import sweep
    from physnn.lab.sweeping.notebook import SweepError

__all__ = ["SweepError", "glue", "glued", "numbers", "parameters", "provenance", "sweep"]

_HOME = {
    "SweepError": "sweeping.notebook",
    "glue": "chapter.naming",
    "glued": "chapter.naming",
    "numbers": "records.closing",
    "parameters": "chapter.contract",
    "provenance": "records.closing",
    "sweep": "sweeping.drive",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: a sweep needs neither torch nor IPython."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
