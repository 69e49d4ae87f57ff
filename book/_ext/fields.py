"""Leave the fields of a named tuple out of what autodoc lists: its docstring describes them, and would do so twice."""

from collections import namedtuple

FIELD = type(namedtuple("Any", "field").field)


def skip(app, what, name, obj, skipped, options):
    """Return True for a field of a named tuple, and None for what is not ours to decide."""
    return True if isinstance(obj, FIELD) else None


def setup(app):
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
