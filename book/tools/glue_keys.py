"""Find numbers that a page wants and no notebook glues, before Sphinx silently drops them, and those glued twice."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

import nbformat
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from book.tools import outcome
from book.tools.project import Project
from physnn.lab.running.outcome import glued as glued_in

PARSER = create_md_parser(MdParserConfig(enable_extensions={"colon_fence", "dollarmath", "amsmath"}), RendererHTML)
LITERAL = {"code", "code-block", "code-cell", "literalinclude", "math"}  # directives whose body is not Markdown


def missing(project: Project, pages: list[str]) -> list[str]:
    """Say, for every glued name that nothing produces, where it is used and what to do.

    ``pages`` are the book's pages as in ``_toc.yml``; executed notebooks are taken from ``project``.
    """
    notebooks = {
        f"notebooks/{source.stem}": nbformat.read(project.executed / f"{source.stem}.ipynb", as_version=4)
        for source in project.sources
    }
    glued = {page: set(glued_in(notebook)) for page, notebook in notebooks.items()}
    found = []
    for page in pages:
        if page in notebooks:
            for index, cell in enumerate(notebooks[page].cells):
                if cell.cell_type == "markdown":
                    for _, document, key in references(cell.source):
                        if problem := _problem(page, document, key, glued):
                            found.append(outcome.describe(page, index, cell, f"uses {key!r}", problem))
        elif (path := project.root / f"{page}.md").exists():
            text = path.read_text(encoding="utf-8")
            for line, document, key in references(text):
                if problem := _problem(page, document, key, glued):
                    shown = text.splitlines()[line].strip()
                    found.append(f"page {page}.md, line {line + 1}:\n\n    {shown}\n\n{problem}")
    return found


def twice(project: Project) -> list[str]:
    """Say, for every name that a notebook glues again, where and what to do: a page would show one of two values."""
    found = []
    for source in project.sources:
        first: dict[str, int] = {}
        for index, cell in enumerate(nbformat.read(project.executed / f"{source.stem}.ipynb", as_version=4).cells):
            for output in cell.get("outputs", []):
                key = output.get("metadata", {}).get("scrapbook", {}).get("name")
                if key in first:
                    said = f"cell {first[key]} glues it too: keep one of the two, or rename it"
                    found.append(outcome.describe(source.stem, index, cell, f"glues {key!r} again", said))
                elif key is not None:
                    first[key] = index
    return found


def _problem(page: str, document: str | None, key: str, glued: dict[str, set[str]]) -> str | None:
    if document is None:
        target = page
    else:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), document)).removesuffix(".ipynb")
        target = target.removesuffix(".md")
    if key in glued.get(target, ()):
        return None
    if target not in glued:
        return f"{key!r} is sought in {target}, no notebook of the book; write ../notebooks/NAME.ipynb::{key}"
    names = ", ".join(sorted(glued[target])) or "nothing"
    return f"{target} glues no {key!r}: add glue({key!r}, value) there or correct the name; it glues {names}"


def references(text: str) -> Iterator[tuple[int, str | None, str]]:
    """Yield the line, the other document (or None) and the name of every glued value a page uses."""
    yield from _walk(PARSER.parse(text), 0)


def _walk(tokens: list[Token], first: int) -> Iterator[tuple[int, str | None, str]]:
    for token in tokens:
        line = first + (token.map[0] if token.map else 0)
        if token.type == "inline":
            for offset, child in _with_lines(token.children):
                if child.type == "myst_role" and child.meta["name"].startswith("glue"):
                    key = child.content.strip()
                    if child.meta["name"] == "glue:text" and ":" in key.rpartition("::")[2]:
                        key = key.rpartition(":")[0]  # the format
                    document, separator, name = key.rpartition("::")
                    yield line + offset, document if separator else None, name
        elif token.type in {"fence", "colon_fence"} and token.info.strip().startswith("{"):
            name, _, argument = token.info.strip().partition("}")
            if name[1:].startswith("glue"):
                options = (row.strip().removeprefix(":doc:") for row in token.content.splitlines() if ":doc:" in row)
                document = next(options, None)
                yield line, document and document.strip(), argument.strip()
            elif name[1:] not in LITERAL:
                yield from _walk(PARSER.parse(token.content), line + 1)


def _with_lines(children: list[Token]) -> Iterator[tuple[int, Token]]:
    offset = 0
    for child in children:
        yield offset, child
        offset += child.type in {"softbreak", "hardbreak"}
