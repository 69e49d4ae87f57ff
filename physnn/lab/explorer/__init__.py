"""The recorded studies as one output that its reader explores: :func:`explorer` shows what :func:`recorded` reads."""

from physnn.lab.explorer.grid import MEASURES, Grid, Measure, recorded
from physnn.lab.explorer.page import explorer

__all__ = ["MEASURES", "Grid", "Measure", "explorer", "recorded"]
