"""Serve MathJax from the book's own files, so that formulas appear without a network.

Jupyter Book puts every script below a ``_static`` source folder on every page, so MathJax is copied
into the finished site instead. Without the wheel that carries it, Sphinx's default host is used.
"""

import importlib.util
import shutil
from pathlib import Path

PARTS = ["tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions"]  # 2 of the wheel's 24 MB suffice


def copy_mathjax(app, exception):
    """Copy what pages load of MathJax into the site."""
    if exception is not None or app.builder.format != "html":
        return
    source = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copy2(source / part, target / part)


def setup(app):
    """Register with Sphinx."""
    if importlib.util.find_spec("sphinx-mathjax-offline"):
        app.config.mathjax_path = "mathjax/tex-chtml.js"
        app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
