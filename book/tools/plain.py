"""Rewrite a chapter's MyST as plain Markdown, for Colab and Jupyter, which know neither roles nor directives.

Formulas, figures and works are named as the book names them (:mod:`book.tools.whereabouts`), and link to where they are
on the web. A number stands as the book has it if the chapter has it with other parameters too, and so whoever runs the
notebook (:mod:`book.tools.values`); else its name does. Only in the box at the head all numbers are the book's.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from book.tools import values, whereabouts
from book.tools.project import HERE
from book.tools.values import GLUE, Values
from book.tools.whereabouts import Book

ADMONITION = re.compile(r"^:::\{\w+\} *([^\n]*)\n((?::\w+:[^\n]*\n)*)\n?(.*?)\n:::$", re.MULTILINE | re.DOTALL)
BOX, FOLDED = ":class: brief", ":class: dropdown"
TERM = re.compile(r"^(\S.*)\n: +", re.MULTILINE)
EQUATION = re.compile(r"\$\$(.+?)\s*\$\$ *\((eq-[\w-]+)\)", re.DOTALL)
CITATION = re.compile(r"\{cite(?::(\w+))?\}`([^`]+)`")
NUMBERED = re.compile(r"\{(eq|numref)\}`([^`]+)`")
TARGET = re.compile(r"\{ref\}`([^<`]+?) *<(claim-[^>`]+)>`")
ROLE = re.compile(r"(?<!`)\{[\w:]+\}`([^`]+)`")
CODE_OR_LINK = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)|\[([^]\[]*)\]\(([^)\s:]+\.(?:md|ipynb))(#[^)\s]*)?\)", re.DOTALL)
SPECIAL = re.compile(r"([\\`*_<|$])")  # in a text, not in Markdown

NOTE = (
    "*The numbers in the text are those of the book{place}. A name `like-this` stands for a number that depends on the "
    "parameters or on the machine: run all cells, and the last table lists by their names the numbers of your run.*"
)


@dataclass(frozen=True)
class Plain:
    """How the text of one chapter reads outside the book: ``page`` is its name there, or nothing."""

    book: Book
    page: str
    values: Values

    @property
    def note(self) -> str:
        """What a reader of the notebook has to know, and where the chapter is to be read."""
        link = f", where the chapter is read [with its figures]({self.book.page(self.page)})" if self.page else ""
        return NOTE.format(place=link)

    def markdown(self, text: str) -> str:
        """Return a Markdown cell without what only the book understands.

        A glued number stands as in the book, or by its name. References to formulas, figures, works and pages become
        links with words, a labelled formula carries its number as a tag, an admonition becomes a quotation.
        """
        text = ADMONITION.sub(self._quotation, text)
        text = EQUATION.sub(self._equation, text)
        text = GLUE.sub(lambda found: self._value(found, self.values.fixed), text)
        text = CITATION.sub(self._citation, text)
        text = NUMBERED.sub(self._number, text)
        text = TARGET.sub(lambda found: f"[{found[1]}]({self.book.page('book/scoreboard')}#{found[2]})", text)
        return CODE_OR_LINK.sub(self._link, ROLE.sub(r"`\1`", text))

    def caption(self, cell: NotebookNode) -> str:
        """Return the number and the caption of a cell's figure; nothing where it has none."""
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if not figure.get("caption"):
            return ""
        page, number = self.book.places.get(figure.get("name", ""), ("", ""))
        link = f"[Fig. {number}]({self.book.page(page)}#{figure['name']})" if page else "Figure"
        return self.markdown(f"**{link}.** {figure['caption'].strip()}")

    def _quotation(self, found: re.Match[str]) -> str:
        title, options, body = found.groups()
        if BOX in options:
            body = GLUE.sub(lambda each: self._value(each, self.values.every), body)
        head, foot = [f"**{title}**"], []
        if FOLDED in options:
            head, foot = ["<details>", f"<summary>{title}</summary>"], ["", "</details>"]
        lines = [*head, "", *TERM.sub(r"**\1.** ", body).splitlines(), *foot]
        return "\n".join(f"> {line}".rstrip() for line in lines)

    def _equation(self, found: re.Match[str]) -> str:
        number = self.book.places.get(found[2], ("", found[2].removeprefix("eq-")))[1]
        return f"$${found[1]} \\tag{{{number}}}\n$$"

    def _value(self, found: re.Match[str], known: dict[str, values.Value]) -> str:
        """Return a number of this chapter in the form that the text asks for, or its name in code."""
        document, name, form = found.groups()
        if document or name not in known:
            return f"`{name}`"
        value = known[name]
        return SPECIAL.sub(r"\\\1", format(value, form) if form else str(value))

    def _citation(self, found: re.Match[str]) -> str:
        kind, keys = found.groups()
        works = [self.book.works[key.strip()] for key in keys.split(",")]
        if kind == "t":
            return ", ".join(f"[{work.authors} ({work.year})]({work.address})" for work in works)
        return f"({', '.join(f'[{work.authors}, {work.year}]({work.address})' for work in works)})"

    def _number(self, found: re.Match[str]) -> str:
        kind, label = found.groups()
        page, number = self.book.places.get(label, ("", ""))
        if not page:  # of a text that is not in the book
            return f"({label.removeprefix('eq-').removeprefix('fig-')})"
        if kind == "eq":
            return f"[({number})]({self.book.page(page)}#equation-{label})"
        return f"[Fig. {number}]({self.book.page(page)}#{label})"

    def _link(self, found: re.Match[str]) -> str:
        _, words, target, anchor = found.groups()
        if target is None:  # code
            return found[0]
        path = posixpath.normpath(posixpath.join("notebooks", target))
        page = path.rpartition(".")[0]
        if page in self.book.titles:
            return f"[{words or self.book.titles[page]}]({self.book.page(page)}{anchor or ''})"
        return f"[{words or path}]({self.book.source(path)}{anchor or ''})"


def of(source: Path) -> Plain:
    """Return how the text of a chapter reads outside the book."""
    book, page = whereabouts.book(), f"notebooks/{source.stem}"
    inside = source.resolve().parent == HERE / "notebooks" and page in book.titles
    return Plain(book, page if inside else "", values.recorded(source))
