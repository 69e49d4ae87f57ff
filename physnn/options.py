"""What an option may be, and what is said of one that it may not."""

import math
import numbers
from collections.abc import Sequence

from torch import Tensor


def number(name: str, value: object) -> float:
    """Return a finite number as a float.

    Raises:
        TypeError: it is no real number; a tensor is none, for it would not learn.
        ValueError: it is not finite.
    """
    if isinstance(value, Tensor):
        raise TypeError(f"{name} must be a number and is not learned, got a {type(value).__name__}; pass its float()")
    if isinstance(value, bool) or not isinstance(value, (float, int, numbers.Real)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return float(value)


def choice(name: str, value: object, known: Sequence[str]) -> str:
    """Return one of the known names, or raise a ValueError that lists them."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


def switch(name: str, value: object) -> bool | None:
    """Return True, False or None, or raise a TypeError."""
    if value is None or isinstance(value, bool):
        return value
    raise TypeError(f"{name} must be True, False or None, got {value!r}")
