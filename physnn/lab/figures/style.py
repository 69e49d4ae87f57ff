"""The house style of figures: matplotlib's defaults, and SVG that follows the page's theme."""

import io

import matplotlib as mpl
import matplotlib.style
from matplotlib.figure import Figure

from physnn.lab.figures.palette import ROLES, TOKENS, dark_stylesheet

COLORS = {name: token.light for name, token in TOKENS.items()}
WIDTH = 5.6  # inches; 12 pt then reads as about 10 px on a 360 px phone and 16 px on a desktop
FONT_SIZE = 12.5


def style() -> None:
    """Set matplotlib's defaults to the house style, whatever a matplotlibrc says; in a notebook, show themed SVG.

    Calling it again changes nothing. Outside a notebook only the defaults are set.
    """
    mpl.style.use(SHEETS)
    try:
        shell = get_ipython()  # type: ignore[name-defined]  # IPython puts it into builtins
    except NameError:
        return
    from matplotlib_inline.config import InlineBackend

    # Registering a formatter would not do: the inline backend, set up after the first cell, removes it. It leaves
    # figures without any of its formats to their own representation.
    Figure._repr_svg_ = svg
    InlineBackend.instance(parent=shell).figure_formats = set()


def _rc() -> dict[str, object]:
    ink, muted, paper = COLORS["ink"], COLORS["muted"], COLORS["paper"]
    return {
        "figure.figsize": (WIDTH, 0.62 * WIDTH),
        "figure.constrained_layout.use": True,
        "figure.facecolor": paper,
        "axes.facecolor": paper,
        "savefig.facecolor": paper,
        "savefig.dpi": 200,
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same figure on every machine
        "font.size": FONT_SIZE,
        "axes.labelsize": FONT_SIZE,
        "axes.titlesize": FONT_SIZE,
        "axes.titleweight": "normal",
        "axes.titlelocation": "left",
        "xtick.labelsize": FONT_SIZE - 0.5,
        "ytick.labelsize": FONT_SIZE - 0.5,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "axes.edgecolor": muted,
        "xtick.color": muted,
        "ytick.color": muted,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": COLORS["grid"],
        "grid.linewidth": 0.8,
        "lines.linewidth": 2.2,
        "axes.prop_cycle": mpl.cycler(color=[COLORS[role] for role in ROLES]),
        "image.cmap": "Greys",
        "image.interpolation": "none",
        "image.composite_image": False,  # each raster keeps its own few pixels in the SVG
        "svg.fonttype": "path",
        "svg.hashsalt": "physnn",  # the same figure gives the same bytes
    }


SHEETS = ["default", _rc()]  # matplotlib's own first, so that a reader's settings do not count


def svg(fig: Figure) -> str:
    """Return ``fig`` as an SVG that follows the reader's light or dark page.

    The figure is drawn in the light values; an embedded stylesheet swaps them where the page around
    it (its ``color-scheme``) is dark. The paper is part of the figure, so that where a viewer does
    not tell the picture about its page the result is a readable light card.
    """
    text = io.StringIO()
    fig.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    head, tag, body = text.getvalue().partition(" <defs>")
    return f"{head} <style>{dark_stylesheet()}</style>\n{tag}{body}"
