"""Make the title of a claim's card a heading, and bring the script of the filters to the pages that have some."""

import re

from docutils import nodes

FILTERS = "claim-filters"  # the class of their place
SCRIPT = "claims.js"
HEADING = re.compile(r'<p class="(admonition-title )heading-([1-6]) rubric">(.*?)</p>', re.DOTALL)


def headings(app, doctree):
    """Turn the title of each card into a heading of its section's next level, which no table of contents lists."""
    for card in list(doctree.findall(nodes.admonition)):
        if "claim" in card["classes"] and isinstance(card[0], nodes.title):
            level = f"heading-{min(_depth(card) + 1, 6)}"
            heading = nodes.rubric("", "", *card[0].children, classes=["admonition-title", level])
            card.replace(card[0], heading)


def _depth(node: nodes.Node) -> int:
    depth = 0
    while node := node.parent:
        depth += isinstance(node, nodes.section)
    return depth


def finish(app, pagename, templatename, context, doctree):
    """Write the headings as such, and let a page with filters load what makes them; an EPUB has none."""
    if "body" in context:
        context["body"] = HEADING.sub(r'<h\2 class="\1rubric">\3</h\2>', context["body"])
    if app.builder.name != "epub" and FILTERS in context.get("body", ""):
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-read", headings)
    app.connect("html-page-context", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
