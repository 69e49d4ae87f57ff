"""Mend what Sphinx and its extensions write that a screen reader cannot make sense of."""

import re

LINES = re.compile(r"<dl>\n((?:<dd><em class=\"sig-param\">.*?</dd>\n)+)</dl>")
MENDED = [
    # The parameters of a signature, a line each, are no terms that somebody defines
    (LINES, lambda found: found[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")),
    # A list has items; the role that is there says the same as that of the list, and is deprecated
    (re.compile(r'role="doc-biblioentry"'), 'role="listitem"'),
]


def mend(app, pagename, templatename, context, doctree):
    """Put the page's text right before it is written."""
    for wrong, right in MENDED:
        context["body"] = wrong.sub(right, context.get("body", ""))


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
