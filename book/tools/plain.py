"""Rewrite a chapter's MyST as plain Markdown, for Colab and Jupyter, which know neither roles nor directives."""

from __future__ import annotations

import posixpath
import re
import tomllib
from pathlib import PurePosixPath

from book.tools.project import HERE

ADMONITION = re.compile(r"^:::\{\w+\} *([^\n]*)\n(?::\w+:[^\n]*\n)*\n?(.*?)\n:::$", re.MULTILINE | re.DOTALL)
TERM = re.compile(r"^(\S.*)\n: +", re.MULTILINE)
EQUATION = re.compile(r"\$\$(.+?)\s*\$\$ *\(eq-([\w-]+)\)", re.DOTALL)
GLUE = re.compile(r"\{glue:\w+\}`(?:[^`]*::)?([^`:]+)(?::[^`]*)?`")
CITATION = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
REFERENCE = re.compile(r"\{(?:eq|numref)\}`(?:eq-|fig-)?([^`]+)`")
ROLE = re.compile(r"(?<!`)\{[\w:]+\}`([^`]+)`")
LINK = re.compile(r"\[\]\(([^)\s]+)\)")

NOTE = "*In the text, a name `like-this` stands for a number. Run all cells: the last table lists the numbers by name.*"


def markdown(text: str) -> str:
    """Return a Markdown cell of a notebook in ``notebooks/`` without what only the book understands.

    A glued number becomes its name, a citation its keys, a labelled equation carries its label as a tag, an admonition
    becomes a quotation, and a link without words gets the name of its target, in the repository.
    """
    url = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]

    def quotation(match: re.Match) -> str:
        body = TERM.sub(r"**\1.** ", match[2])
        return "\n".join(f"> {line}".rstrip() for line in [f"**{match[1]}**", "", *body.splitlines()])

    def link(match: re.Match) -> str:
        path = PurePosixPath(posixpath.normpath(posixpath.join("notebooks", match[1])))
        return f"[{path.stem}]({url}/blob/main/{path})"

    text = ADMONITION.sub(quotation, text)
    text = EQUATION.sub(r"$$\1 \\tag{\2}\n$$", text)
    text = GLUE.sub(r"`\1`", text)
    text = CITATION.sub(lambda m: f"[{m[1].replace(',', ', ')}]({url}/blob/main/book/references.bib)", text)
    text = REFERENCE.sub(r"(\1)", text)
    return LINK.sub(link, ROLE.sub(r"`\1`", text))
