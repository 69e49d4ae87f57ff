"""What the book calls its chapters, formulas, figures and works, and where on the web each of them is.

A text outside the book, such as a chapter's notebook, names them as the book does, and links to them. It is all read
from the sources: no page needs to have been built.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from pybtex.database import Entry, parse_file
from pybtex.richtext import Text
from sphinx_external_toc.parsing import parse_toc_yaml

from book.tools.project import HERE, read_yaml

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
# What has a number of its own: a formula's label, a figure's name as a cell's option or as a directive's.
NUMBERED = re.compile(r"^\$\$ *\((?P<eq>eq-[\w-]+)\)$|^(?: {4}|:)name:\s*(?P<fig>[\w-]+)$", re.MULTILINE)
# What a build puts in the place of a directive, so far as it has a number.
MADE = {"```{include} answer.md": "```{figure} verdicts.svg\n:name: fig-verdicts"}


@dataclass(frozen=True)
class Work:
    """A work that is cited: its authors in short, its year, and where it can be had."""

    authors: str
    year: str
    address: str


@dataclass(frozen=True)
class Book:
    """The addresses of the book and of its repository, and what is where in them.

    Args:
        address: of the book, with a slash at its end.
        repository: of its sources.
        titles: of the pages, by their names.
        places: of formulas and figures by their labels, the page and the number there.
        works: by their keys in the bibliography.
    """

    address: str
    repository: str
    titles: dict[str, str]
    places: dict[str, tuple[str, str]]
    works: dict[str, Work]

    def page(self, name: str) -> str:
        """Return the address of a page."""
        return f"{self.address}{name}.html"

    def source(self, path: str) -> str:
        """Return the address of a file of the repository."""
        return f"{self.repository}/blob/main/{path}"


@cache
def book(root: Path = HERE) -> Book:
    """Read the sources of the book under ``root``."""
    config = read_yaml(root / "_config.yml")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = {name: (root / f"{name}.md") for name, _ in _pages(root)}
    read = {name: path.read_text(encoding="utf-8-sig") for name, path in texts.items() if path.exists()}
    titles = {name: _title(read.get(name, ""), name) for name in texts}
    address = config["html"]["baseurl"].rstrip("/") + "/"
    works = {key: _work(entry, address) for key, entry in parse_file(root / "book/references.bib").entries.items()}
    return Book(address, project["urls"]["Repository"], titles, _places(root, read), works)


def _title(text: str, name: str) -> str:
    found = TITLE.search(text)
    return found[1].strip() if found else name.rpartition("/")[2].replace("-", " ").capitalize()


def _pages(root: Path) -> Iterator[tuple[str, str]]:
    """Give the pages in the book's order, each with the number of its chapter, or nothing."""
    contents = parse_toc_yaml(root / "_toc.yml")
    yield str(contents.root.docname), ""
    chapter = 0
    for part in contents.root.subtrees:
        for page in part.files():
            chapter += bool(part.numbered)
            yield str(page), str(chapter) if part.numbered else ""


def _places(root: Path, texts: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Number formulas and figures as Sphinx does: through a chapter, and through all pages that are none."""
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for page, chapter in _pages(root):
        text = texts.get(page, "")
        for include, made in MADE.items():
            text = text.replace(include, made)
        for match in NUMBERED.finditer(text):
            kind = str(match.lastgroup)
            seen[kind, chapter] += 1
            found[match[kind]] = page, f"{chapter}.{seen[kind, chapter]}" if chapter else str(seen[kind, chapter])
    return found


def _work(entry: Entry, book: str) -> Work:
    names = [_plain(" ".join(person.prelast_names + person.last_names)) for person in entry.persons.get("author", [])]
    authors = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    fields = entry.fields
    if "doi" in fields:
        address = f"https://doi.org/{quote(fields['doi'])}"  # a bracket would end a link in Markdown
    elif "eprint" in fields:
        address = f"https://arxiv.org/abs/{fields['eprint']}"
    else:
        address = fields.get("url", f"{book}book/references.html")
    return Work(authors, fields["year"], address)


def _plain(name: str) -> str:
    """Return a name without TeX."""
    return str(Text.from_latex(name)).replace("\xa0", " ")
