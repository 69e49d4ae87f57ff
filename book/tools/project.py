"""Where the book's sources lie and where generated things go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Project:
    """A book's sources under ``root``; everything generated goes under ``out``."""

    root: Path
    out: Path

    @property
    def sources(self) -> list[Path]:
        """The notebooks' MyST sources, in the order of their names."""
        return sorted((self.root / "notebooks").glob("*.md"))

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
