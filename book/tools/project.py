"""Where the book's sources lie and where generated things go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sphinx_external_toc.parsing import parse_toc_yaml

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
        sources = (self.root / "notebooks").glob("*.md")
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


class BookError(Exception):
    """Something a reader or author of the book must put right; its text says what and how."""
