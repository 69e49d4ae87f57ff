"""Fold the code of cells that follow one another into one fold.

A cell that only names numbers shows nothing, and neither does its folded code: three of them in a row would be three
bars, one below the other, with nothing between.
"""

from docutils import nodes


def fold(cell: nodes.Node) -> nodes.Element | None:
    """Return what folds the code of a cell; None of a cell whose code is shown, or folded together with its output."""
    if not isinstance(cell, nodes.container) or cell.get("nb_element") != "cell_code" or not cell.children:
        return None
    first = cell.children[0]
    above = isinstance(first, nodes.Element) and "above-input" in first["classes"]
    return first if above and cell.get("hide_mode") == "input" else None


def merge(app, doctree, docname):
    """Move the code of each cell that shows nothing else into the fold of the cell that follows it."""
    for parent in {id(cell.parent): cell.parent for cell in doctree.findall(fold)}.values():
        for cell in list(parent.children):
            following = parent.children[(place := parent.index(cell)) + 1 : place + 2]
            if fold(cell) is None or len(cell.children) > 1 or not following or fold(following[0]) is None:
                continue
            into = following[0]
            fold(into).children[:0] = moved = fold(cell).children
            for code in moved:
                code.parent = fold(into)
            into["ids"] = cell["ids"] + into["ids"]
            into["names"] = cell["names"] + into["names"]
            parent.remove(cell)


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-resolved", merge)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
