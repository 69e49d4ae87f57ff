"""Where the book's sources lie and where generated things go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx_external_toc.parsing import parse_toc_yaml

from physnn.lab.running import yaml_file

HERE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """A book's sources under ``root``; everything generated goes under ``out``."""

    root: Path
    out: Path

    @property
    def pages(self) -> list[str]:
        """The pages of ``_toc.yml`` in their order, named from ``root`` and without an ending."""
        return list(parse_toc_yaml(self.root / "_toc.yml"))

    @property
    def parts(self) -> list[tuple[str, list[str]]]:
        """The parts of ``_toc.yml``, each with its caption, which may be empty, and its pages."""
        contents = parse_toc_yaml(self.root / "_toc.yml")
        return [(part.caption or "", [str(page) for page in part.files()]) for part in contents.root.subtrees]

    @property
    def sources(self) -> list[Path]:
        """The notebooks' MyST sources in the order of the book, and last those that the book does not list."""
        place = {page: number for number, page in enumerate(self.pages)}
        sources = (self.root / "notebooks").glob("[!.]*.md")  # none of an editor's hidden files
        return sorted(sources, key=lambda source: (place.get(f"notebooks/{source.stem}", len(place)), source.stem))

    @property
    def executed(self) -> Path:
        return self.out / "executed"

    @property
    def stage(self) -> Path:
        return self.out / "stage"

    @property
    def html(self) -> Path:
        return self.out / "html"

    @property
    def variables(self) -> dict[str, str]:
        """What every process that the build starts gets, so that nothing of the user's reaches a page.

        matplotlib has its folder here: it needs no home, and finds neither settings there nor where ``MATPLOTLIBRC``
        says. It is kept, for the list of fonts in it takes a while. What they print is read as UTF-8. Warnings count in
        a chapter, and more of them would be shown where the user wants to see all.
        """
        folder = str(self.out / "matplotlib")
        made = {"MPLCONFIGDIR": folder, "MATPLOTLIBRC": folder, "PYTHONIOENCODING": "utf-8"}
        return made | dict.fromkeys(("PYTHONDEVMODE", "PYTHONWARNINGS"), "")


class BookError(Exception):
    """Something a reader or author of the book must put right; its text says what and how."""


def read_yaml(path: Path) -> Any:
    """Return what a YAML file says; None where it is empty.

    Raises:
        BookError: it is no YAML, or says something twice.
    """
    try:
        return yaml_file.read(path)
    except ValueError as error:
        raise BookError(str(error)) from error
