"""The numbers among glued values, which are often texts with an interval, and how they are written."""

import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

LARGEST = 1e300  # beyond it neither a mean nor an axis has room
NUMBER = r"[-−+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
ESTIMATE = re.compile(rf"({NUMBER})(?: \[({NUMBER}),\s({NUMBER})\])?|[-−+]?(?:nan|inf)")


class Estimate(NamedTuple):
    """A number, and the ends of its interval where one was glued with it."""

    value: float
    low: float
    high: float


@lru_cache(maxsize=2**19, typed=True)
def estimate(value: object) -> Estimate | None:
    """Read a number, or a text that is one: ``93.2``, ``−1,204`` or ``93.2 [92.8, 93.6]``; None for anything else.

    None is also what is not finite, or so large that it cannot be drawn.
    """
    parts: list[float] = [] if isinstance(value, bool) or not isinstance(value, (int, float)) else [value]
    if isinstance(value, str) and (match := ESTIMATE.fullmatch(value.strip())):
        parts = [float(part.replace("−", "-").replace(",", "")) for part in match.groups() if part]
    if not parts or not all(abs(part) < LARGEST for part in parts):
        return None
    numbers = [float(part) for part in parts]
    return Estimate(*numbers) if len(numbers) == 3 else Estimate(*numbers * 3)


def known(values: Iterable[object], different: int = 1) -> bool:
    """Tell whether values are numbers, so many of them different, beside missing and infinite ones."""
    found = 0
    for value in set(values):
        if estimate(value):
            found += 1
        elif not _absent(value):
            return False
    return found >= different


def drawable(values: Iterable[object]) -> bool:
    """Tell whether values are worth drawing: numbers, some of them different, beside missing and infinite ones."""
    return known(values, 2)


def numeric(xs: Iterable[object]) -> bool:
    """Tell whether values of a parameter are numbers that an axis can show."""
    return all(isinstance(x, (int, float)) and estimate(x) for x in xs)


def spec(mean: float, low: float, high: float, sign: str = "") -> str:
    """Return a format for a mean and its interval that gives half the interval two digits."""
    half = max(high - mean, mean - low)
    if not half > 0:  # one value, or equal ones
        return f"{sign}.6g"
    decimals = 1 - math.floor(math.log10(half))
    if decimals <= 6 and abs(mean) < 1e6:
        return f"{sign}.{max(decimals, 0)}f"
    size = math.floor(math.log10(abs(mean) or half))
    return f"{sign}.{min(max(size + decimals, 1), 16)}e"


def _absent(value: object) -> bool:
    """Tell whether a value is missing, not finite, or beyond what can be drawn."""
    readable = ESTIMATE.fullmatch(value.strip()) if isinstance(value, str) else not isinstance(value, bool)
    return bool(readable) and estimate(value) is None
