"""Leave beside each page its text as Markdown, and at the root ``llms.txt``, which lists them (llmstxt.org).

A page says in its head where its Markdown lies. Links in it lead to the pages themselves.
"""

import html
import posixpath
import re
from pathlib import Path
from urllib.parse import urljoin

from markdown_text import markdown

ABOUT = re.compile(r'<meta name="description" content="([^"]*)">')
NOTE = (
    "Each link leads to the text of a page in Markdown: numbers in place, formulas as TeX, figures as descriptions and "
    "captions, without the code that the page folds. The page itself ends in `.html` instead of `.md`. Every number "
    "comes from a cell of a notebook or from a recorded study."
)


def place(app, page: str) -> str:
    """Return where a page lies on the web, or from the root where the book has no address."""
    return urljoin(app.config.html_baseurl.rstrip("/") + "/", page) if app.config.html_baseurl else page


def source(app, page: str) -> str:
    """Return where a page's notebook lies in the repository; nothing for a page of prose."""
    options = app.config.html_theme_options
    if not (options.get("repository_url") and str(app.env.doc2path(page)).endswith(".ipynb")):
        return ""
    return f"{options['repository_url']}/blob/{options.get('repository_branch', 'main')}/{page}.ipynb"


def write(app, pagename, templatename, context, doctree):
    """Write a page's Markdown, and name it in the page's head."""
    if doctree is None or app.builder.name != "html":
        return
    here = f"{pagename}.html"

    def address(link: str) -> str:
        if app.config.html_baseurl or re.match(r"[a-z]+:", link):
            return urljoin(place(app, here), link)
        return link

    text = markdown(context.get("body", ""), address)
    notebook = source(app, pagename)
    lines = [f"> The page: {place(app, here)}", f"> The notebook, with all its code: {notebook}" if notebook else ""]
    title, _, rest = text.partition("\n\n")
    target = Path(app.outdir, f"{pagename}.md")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n".join([title, "\n>\n".join(filter(None, lines)), rest]), encoding="utf-8")
    name = posixpath.basename(pagename)
    context["metatags"] += f'\n<link rel="alternate" type="text/markdown" title="Markdown" href="{name}.md">'


def entry(app, page: str) -> str:
    """Return the line of ``llms.txt`` for a page: its title, where its Markdown lies, what it is about."""
    number = app.env.toc_secnumbers.get(page, {}).get("")
    title = f"{'.'.join(map(str, number))}. " if number else ""
    found = ABOUT.search(Path(app.outdir, f"{page}.html").read_text(encoding="utf-8"))
    about = f": {html.unescape(found[1])}" if found else ""
    return f"- [{title}{app.env.titles[page].astext()}]({place(app, f'{page}.md')}){about}"


def finish(app, exception):
    """Write ``llms.txt``."""
    if exception is not None or app.builder.name != "html":
        return
    contents, root = app.config.external_site_map, app.config.root_doc
    cited = app.extensions["structured"].module.beside(str(app.srcdir))[0]
    summary = " ".join(cited.get("abstract", app.config.html_title).split())
    lines = [f"# {cited.get('title', app.config.html_title)}", f"> {summary}", NOTE]
    for number, part in enumerate(contents.root.subtrees):
        pages = [root] * (number == 0) + [str(page) for page in part.files()]
        lines += [f"## {part.caption or 'Begin here'}", "\n".join(entry(app, page) for page in pages)]
    repository = app.config.html_theme_options.get("repository_url")
    if repository:
        lines += ["## Optional", f"- [The repository]({repository}): the package, the notebooks, the recorded studies"]
    Path(app.outdir, "llms.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.setup_extension("structured")
    app.connect("html-page-context", write, priority=900)  # when the others have mended the body
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
