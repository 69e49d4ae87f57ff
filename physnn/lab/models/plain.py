"""Plain data, as designs hold them: entries taken out of a dictionary one by one, and checked."""

import math
from collections.abc import Collection
from typing import Any


def switch(rest: dict[str, Any], name: str, default: bool) -> bool:
    """Take true or false out of ``rest``.

    Raises:
        ValueError: it is something else.
    """
    value = rest.pop(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}")
    return value


def choice(rest: dict[str, Any], name: str, known: Collection[str], default: str | None = None) -> str:
    """Take one of ``known`` out of ``rest``.

    Raises:
        ValueError: it is something else, or absent without a default.
    """
    value = rest.pop(name, default)
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


def number(rest: dict[str, Any], name: str, default: float | None = None) -> float:
    """Take a finite number out of ``rest``.

    Raises:
        ValueError: it is something else, or absent without a default.
    """
    value = rest.pop(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)


def widths(rest: dict[str, Any], ends: str) -> tuple[int, ...]:
    """Take the widths of a network out of ``rest``; ``ends`` says in an error what the first and last ones are.

    Raises:
        ValueError: they are no list of two or more whole numbers above 0.
    """
    value = rest.pop("widths", None)
    if not isinstance(value, (list, tuple)) or len(value) < 2 or not all(type(w) is int and w > 0 for w in value):
        raise ValueError(f"widths must be two or more whole numbers, {ends}, got {value!r}")
    return tuple(value)
