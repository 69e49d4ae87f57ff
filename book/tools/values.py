"""The numbers of the book that its plain notebooks show, which nobody has to execute for them.

``values.json`` beside the chapters holds for each of them the numbers that its text names: ``fixed`` those that are the
same with the parameters of the book and with those of the tests, which are another data set and other sizes, and
``run`` those of the box at its head that are not: what the book had, on the machine that built it. It is written by
:mod:`book.tools.record_values`, and a chapter that is not in it shows names. A test that runs all chapters with the
tests' parameters holds the fixed ones against what they are.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

GLUE = re.compile(r"\{glue:\w+\}`(?:([^`]*)::)?([^`:]+)(?::([^`]*))?`")  # another document, the name, the form
FILE = "values.json"
LIVE = "live-"  # begins the name of what a chapter itself has computed
TOOK = "minutes"  # names how long it took, which is the same for two runs by chance alone

Value = bool | int | float | str


@dataclass(frozen=True)
class Values:
    """What is known of a chapter's numbers: the fixed ones, and in its box those of the book's run."""

    fixed: dict[str, Value] = field(default_factory=dict)
    run: dict[str, Value] = field(default_factory=dict)

    @property
    def every(self) -> dict[str, Value]:
        """Both."""
        return self.fixed | self.run


def recorded(source: Path) -> Values:
    """Return what is recorded of a chapter beside its source; nothing where it is not."""
    return _read(source.parent / FILE).get(source.stem, Values())


def _read(path: Path) -> dict[str, Values]:
    if not path.exists():
        return {}
    return _parsed(path.read_text(encoding="utf-8"))


@cache
def _parsed(text: str) -> dict[str, Values]:
    return {chapter: Values(**found) for chapter, found in json.loads(text).items()}


def parted(text: str, book: dict[str, Value], other: dict[str, Value]) -> Values:
    """Part the numbers that a chapter's text names by what the book and another run of it have glued."""
    named = dict.fromkeys(name for document, name, _ in GLUE.findall(text) if not document and name in book)
    fixed = {name for name in named if other.get(name) == book[name] and name != TOOK and not name.startswith(LIVE)}
    box = re.search(r"^:::\{admonition\}[^\n]*\n:class: brief\n.*?^:::$", text, re.MULTILINE | re.DOTALL)
    shown = {name for _, name, _ in GLUE.findall(box[0])} if box else set()
    return Values(
        {name: book[name] for name in sorted(fixed)},
        {name: book[name] for name in sorted(named.keys() & shown - fixed)},
    )


def stale(source: Path, other: dict[str, Value]) -> list[str]:
    """Name the fixed numbers of a chapter that another run of it has differently."""
    return [
        f"{source.stem}: {name} is recorded as {value!r} and is {other[name]!r}: run `make values`"
        for name, value in recorded(source).fixed.items()
        if name in other and other[name] != value
    ]
