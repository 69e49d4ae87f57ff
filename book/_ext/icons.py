"""Name the book's icon also as pictures, for browsers and telephones that take no SVG."""

ICONS = {"icon": ("favicon.png", 96), "apple-touch-icon": ("apple-touch-icon.png", 180)}


def links(place):
    """Return the links to the pictures; ``place`` says where a file of the site lies."""
    return "".join(
        f'\n<link rel="{kind}" type="image/png" sizes="{size}x{size}" href="{place(f"_static/{name}")}">'
        for kind, (name, size) in ICONS.items()
    )


def add(app, pagename, templatename, context, doctree):
    """Put the links into the page's head."""
    context["metatags"] = context.get("metatags", "") + links(lambda name: context["pathto"](name, 1))


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
