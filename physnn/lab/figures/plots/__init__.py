"""The house figures: one style, and the kinds of figure that chapters share.

``style()`` once at the head of a notebook, then each function takes tidy data and returns ``(fig, ax)``. Statistics
come from the caller: a figure draws them and does not choose them. Curves carry their names at their ends instead of
a legend, spread is always drawn, and a role (``"proposal"``, ``"baseline"``, ``"corrected"``, ``"theory"``) has the
same colour in every figure of the book.
"""

import matplotlib.pyplot as plt

from physnn.lab.figures.plots.cells import budgets, importances, outcomes
from physnn.lab.figures.plots.curves import learning_curves, response, survival
from physnn.lab.figures.plots.frame import label_ends
from physnn.lab.figures.plots.grids import DIVERGING, SEQUENTIAL, images, ranges
from physnn.lab.figures.plots.paths import paths, percent_ticks
from physnn.lab.figures.plots.rows import differences, grouped, intervals, symlog_points
from physnn.lab.figures.style import COLORS, FONT_SIZE, WIDTH, style

__all__ = [
    "COLORS",
    "DIVERGING",
    "FONT_SIZE",
    "SEQUENTIAL",
    "WIDTH",
    "budgets",
    "differences",
    "grouped",
    "images",
    "importances",
    "intervals",
    "label_ends",
    "learning_curves",
    "outcomes",
    "paths",
    "percent_ticks",
    "plt",
    "ranges",
    "response",
    "style",
    "survival",
    "symlog_points",
]
