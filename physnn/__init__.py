"""The physics of phase transitions in a neural network: a layer, a loss and an optimizer for PyTorch."""

from physnn.layer import DynamicLinear, ExperimentalLayer, dynamic_linear
from physnn.loss import GinzburgLandauLoss, ginzburg_landau_density, ginzburg_landau_loss
from physnn.optim import Langevin
from physnn.temperature import TemperatureSchedule, Thermometer

__version__ = "0.1.0"

__all__ = [
    "DynamicLinear",
    "ExperimentalLayer",
    "GinzburgLandauLoss",
    "Langevin",
    "TemperatureSchedule",
    "Thermometer",
    "dynamic_linear",
    "ginzburg_landau_density",
    "ginzburg_landau_loss",
]
