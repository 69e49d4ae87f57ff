"""The recorded studies as one output that its reader explores: :func:`explorer` shows what :func:`read_grids` reads."""

from physnn.lab.explorer.grid import Grid, read_grids
from physnn.lab.explorer.page import explorer

__all__ = ["Grid", "explorer", "read_grids"]
