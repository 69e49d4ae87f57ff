"""Link the first use of each term of the glossary on a page to its entry, which a pointer or the keyboard shows.

The definition is the link's title, so that it is there without a script, and for a screen reader; ``glossary.js``
shows it in the book's own type, with those of citations and the formulas that the text refers to. In the glossary a
comment ``% also: one, another`` in an entry lists other forms of its term; a capital and a plural s need none.
"""

import re
from dataclasses import dataclass

from docutils import nodes
from sphinx import addnodes

PAGE, SCRIPT, CLASS = "book/glossary", "glossary.js", "term"
ALSO = "also:"
# What the script looks for
SHOWN = (f'class="{CLASS} ', "bibtex-citation", 'class="reference internal" href="#equation-')
# Where a link has no place: other links, headings, captions, code, formulas, tables, quotations, works, signatures.
CLOSED = (
    nodes.reference, nodes.title, nodes.caption, nodes.legend, nodes.term, nodes.literal, nodes.literal_block,
    nodes.math, nodes.math_block, nodes.table, nodes.block_quote, nodes.comment, nodes.raw,
    nodes.citation, nodes.footnote, addnodes.desc, addnodes.pending_xref,
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A term as the glossary has it: the anchor of its entry, its forms in running text, what it means."""

    anchor: str
    forms: tuple[str, ...]
    meaning: str


def entries(doctree: nodes.document) -> list[Entry]:
    """Return what a glossary defines: of each entry the term, its other forms, and the first paragraph."""
    found = []
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            term = next(item.findall(nodes.term))
            notes = [each.astext().strip() for each in item.findall(nodes.comment)]
            others = [note.removeprefix(ALSO) for note in notes if note.startswith(ALSO)]
            forms = [term.astext(), *(form.strip() for other in others for form in other.split(","))]
            meaning = next(item.findall(nodes.paragraph)).astext()
            found.append(Entry(term["ids"][0], tuple(forms), " ".join(meaning.split())))
    return found


def pattern(entries: list[Entry]) -> tuple[re.Pattern[str], dict[str, Entry]]:
    """Return what finds every form, the longest first, and whose form each group of it is."""
    forms = sorted(((form, entry) for entry in entries for form in entry.forms), key=lambda pair: -len(pair[0]))
    whose = {f"f{number}": entry for number, (_, entry) in enumerate(forms)}
    groups = (f"(?P<f{number}>{_form(form)})" for number, (form, _) in enumerate(forms))
    return re.compile(rf"(?<![\w\-–])(?:{'|'.join(groups)})(?![\w\-–])"), whose


def _form(form: str) -> str:
    body = re.sub(r"['’]", "['’]", re.sub(r"\\ ", r"\\s+", re.escape(form)))
    if form[0].isupper():
        return body
    return f"[{form[0]}{form[0].upper()}]{body[1:]}{'' if form.endswith('s') else 's?'}"


def link(doctree: nodes.document, entries: list[Entry], address: str) -> None:
    """Link the first use of each term in the running text of a page to ``address#anchor``."""
    finder, whose = pattern(entries)
    seen: set[Entry] = set()
    for text in list(doctree.findall(nodes.Text)):
        if not _running(text):
            continue
        pieces, end = [], 0
        for match in finder.finditer(text.astext()):
            entry = whose[match.lastgroup]
            if entry in seen:
                continue
            seen.add(entry)
            pieces.append(nodes.Text(text.astext()[end : match.start()]))
            target = {"refuri": f"{address}#{entry.anchor}", "reftitle": entry.meaning, "classes": [CLASS]}
            pieces.append(nodes.reference("", match[0], internal=True, **target))
            end = match.end()
        if pieces:
            pieces.append(nodes.Text(text.astext()[end:]))
            text.parent.replace(text, [piece for piece in pieces if piece.astext()])


def _running(text: nodes.Text) -> bool:
    node, paragraph = text.parent, False
    while node is not None:
        if isinstance(node, CLOSED) or "cell_output" in node.get("classes", []):
            return False
        paragraph = paragraph or isinstance(node, nodes.paragraph)
        node = node.parent
    return paragraph


def link_page(app, doctree, docname):
    """Link the terms of a page, unless it is the glossary itself, or there is none."""
    if docname != PAGE and PAGE in app.env.found_docs:
        if not hasattr(app, "physnn_glossary"):
            app.physnn_glossary = entries(app.env.get_doctree(PAGE))
        link(doctree, app.physnn_glossary, app.builder.get_relative_uri(docname, PAGE))


def add_script(app, pagename, templatename, context, doctree):
    """Let a page load the script if it has something to show."""
    if app.builder.name == "html" and any(each in context.get("body", "") for each in SHOWN):
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-resolved", link_page)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
