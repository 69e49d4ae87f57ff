"""The physics of phase transitions in a neural network: a layer, a loss and an optimizer for PyTorch."""

import importlib
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from physnn.chains import Chains
    from physnn.dynamic import dynamic_linear
    from physnn.layer import DynamicLinear, ExperimentalLayer
    from physnn.loss import GinzburgLandauLoss, ginzburg_landau_density, ginzburg_landau_loss
    from physnn.optim import Langevin
    from physnn.samples import Samples
    from physnn.sampling import log_predictive, posterior
    from physnn.temperature import (
        TemperatureSchedule,
        Thermometer,
        band,
        cosine,
        exponential,
        logarithmic,
        warm_restarts,
    )

__version__: str

__all__ = [
    "Chains",
    "DynamicLinear",
    "ExperimentalLayer",
    "GinzburgLandauLoss",
    "Langevin",
    "Samples",
    "TemperatureSchedule",
    "Thermometer",
    "band",
    "cosine",
    "dynamic_linear",
    "exponential",
    "ginzburg_landau_density",
    "ginzburg_landau_loss",
    "log_predictive",
    "logarithmic",
    "posterior",
    "warm_restarts",
]

_HOME = {
    "DynamicLinear": "layer",
    "ExperimentalLayer": "layer",
    "dynamic_linear": "dynamic",
    "GinzburgLandauLoss": "loss",
    "ginzburg_landau_density": "loss",
    "ginzburg_landau_loss": "loss",
    "Langevin": "optim",
    "Chains": "chains",
    "Samples": "samples",
    "log_predictive": "sampling",
    "posterior": "sampling",
    "TemperatureSchedule": "temperature",
    "Thermometer": "temperature",
    "band": "temperature",
    "cosine": "temperature",
    "exponential": "temperature",
    "logarithmic": "temperature",
    "warm_restarts": "temperature",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: torch takes seconds, and the command line does without."""
    if name in _HOME or name == "__version__":
        home = _HOME.get(name)
        value = getattr(importlib.import_module(f"{__name__}.{home}"), name) if home else _version()
        globals()[name] = value
        return value
    if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _version() -> str:
    """Return the version that was installed: pyproject.toml has it from the tags."""
    from importlib import metadata

    try:
        return metadata.version(__name__)
    except metadata.PackageNotFoundError:  # run from a folder, and not installed
        return "0.1.1.dev0"
