"""Where the points of a sweep come from: a list, or something that learns from those that have ended."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol

from physnn.lab.sweeping.grid import Point


class Supply(Protocol):
    """Where the points come from."""

    def next(self, rows: Mapping[str, dict]) -> Point | None:
        """Return the next point to run, None where there is none now; ``rows`` are those that have ended."""

    def got(self, point: Point, row: dict) -> None:
        """Take the row of a point that has ended."""

    def over(self) -> bool:
        """Tell whether no point will come any more."""

    def total(self) -> int:
        """Return how many points there are, or will be."""


class Listed:
    """Supplies points that are known from the beginning, ``missing`` of ``total``."""

    def __init__(self, missing: Iterable[Point], total: int) -> None:
        self._waiting, self._total = deque(missing), total

    def next(self, rows: Mapping[str, dict]) -> Point | None:
        return self._waiting.popleft() if self._waiting else None

    def got(self, point: Point, row: dict) -> None:
        """Nothing follows from it."""

    def over(self) -> bool:
        return not self._waiting

    def total(self) -> int:
        return self._total
