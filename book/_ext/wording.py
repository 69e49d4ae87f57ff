"""Mend the words of the theme that read wrong in this book: who wrote it, and what a search without scripts says."""

import re
from pathlib import Path

NOSCRIPT = re.compile(r"(<noscript>\s*)<div class=\"admonition error\">.*?</div>(\s*</noscript>)", re.DOTALL)
INSTEAD = """<div class="admonition note">
        <p class="admonition-title">Searching needs a script</p>
        <p>This browser runs none. The <a href="{root}.html">introduction</a> names every chapter,
        and the <a href="genindex.html">index</a> every name of the package.</p>
      </div>"""


def within(name: str) -> str:
    """Return a name as it stands within a sentence: ``the physnn authors``."""
    return f"t{name[1:]}" if name.startswith("The ") else name


def say(app, pagename, templatename, context, doctree):
    """Let the footer say “By the …”."""
    if context.get("author"):
        context["author"] = within(context["author"])


def finish(app, exception):
    """Say on the page of the search what to do where no script runs."""
    made = Path(app.outdir, "search.html")
    if exception is not None or app.builder.name != "html" or not made.exists():
        return
    text, count = NOSCRIPT.subn(
        lambda found: found[1] + INSTEAD.format(root=app.config.root_doc) + found[2], made.read_text(encoding="utf-8")
    )
    if not count:
        raise RuntimeError(f"{made.name} no longer holds the theme's words for a browser without scripts")
    made.write_text(text, encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", say)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
