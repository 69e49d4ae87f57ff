"""What the experiments share: data, training, notebook parameters, provenance, figures, statistics, studies, sweeps."""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from physnn.lab.glue import glue, glued
    from physnn.lab.parameters import parameters
    from physnn.lab.provenance import elapsed, provenance
    from physnn.lab.sweeping.drive import sweep
    from physnn.lab.sweeping.notebook import SweepError

__all__ = ["SweepError", "elapsed", "glue", "glued", "parameters", "provenance", "sweep"]

_HOME = {
    "SweepError": "sweeping.notebook",
    "elapsed": "provenance",
    "glue": "glue",
    "glued": "glue",
    "parameters": "parameters",
    "provenance": "provenance",
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


class _Package(ModuleType):
    """Keeps ``glue``, ``parameters`` and ``provenance`` the functions, whoever imports the modules of these names."""

    def __setattr__(self, name: str, value: object) -> None:
        # The import system sets every submodule as an attribute of its package, over what __getattr__ would find.
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
