"""The rules of verdicts: what they say, and that no two of a rule's verdicts can be met at once.

A rule is a mapping with ``effects``, by name (:mod:`physnn.lab.records.effects`), and for each of the verdicts
``holds``, ``part`` (a component of the claim that is named holds as printed) and ``fails`` the conditions that must all
be met; or lists of them, of which one must be met. The conditions of two verdicts exclude each other, whatever the
effects are, and a rule for which that cannot be shown is refused (:func:`overlap`): no verdict hangs on an order. Where
none is met, or a study is not recorded yet, the verdict is ``undecided``. With ``untestable`` instead, which says why,
the post leaves open what decides, and the effects are only shown.

Beside them a rule may have ``repair``: under ``when`` the conditions, of the same form, under which a change makes the
statement true. It says nothing about the verdict. ``book/claims.yml`` holds the book's rules.

A condition is ``NAME above X``, ``NAME below X`` (the whole 95 % interval is), ``NAME atleast X``, ``NAME atmost X``
(the mean is), ``NAME covers X`` (the interval holds X) or ``NAME within X`` (of a contrast: it is less than X in size,
by two one-sided tests at 5 %).
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

DECIDED = ("holds", "part", "fails")
FORM = re.compile(r"([\w-]+) (above|below|atleast|atmost|covers|within) ([-−]?\d+(?:\.\d+)?)")


class Condition(NamedTuple):
    """A condition of a rule: the effect's name, the relation and the bound."""

    name: str
    relation: str
    bound: float


def alternatives(texts: Sequence[str | Sequence[str]], effects: Mapping[str, Any]) -> list[list[Condition]]:
    """Read the conditions of a verdict: a list of texts, or several lists of which one must be met.

    Raises:
        ValueError: a text is no condition, or names no effect.
    """
    several = [texts] if all(isinstance(text, str) for text in texts) else texts
    return [[_parsed(text, effects) for text in needed] for needed in several if needed]


def overlap(ways: Mapping[str, list[list[Condition]]]) -> tuple[str, str] | None:
    """Return two verdicts whose conditions some values of the effects can meet at once; None where there are none.

    Every effect has a mean inside its interval and is free of the others. What is needed of one, by both verdicts
    together, are bounds of the interval's ends and of its mean; they exclude each other if a lower bound of one of the
    three lies above an upper bound of another that is not smaller.
    """
    for first, second in combinations(ways, 2):
        for one, other in product(ways[first], ways[second]):
            names = {condition.name for condition in one} & {condition.name for condition in other}
            if all(_possible([c for c in [*one, *other] if c.name == name]) for name in names):
                return first, second
    return None


def _possible(conditions: Sequence[Condition]) -> bool:
    """Tell whether one effect can meet all conditions: bounds are (value, how it is excluded) at low, mean and high."""
    lower, upper = [(-math.inf, 0)] * 3, [(math.inf, 0)] * 3
    for _, relation, bound in conditions:
        if relation in ("above", "atleast"):
            place = 0 if relation == "above" else 1
            lower[place] = max(lower[place], (bound, int(relation == "above")))
        elif relation in ("below", "atmost"):
            place = 2 if relation == "below" else 1
            upper[place] = min(upper[place], (bound, -int(relation == "below")))
        elif relation == "covers":
            upper[0], lower[2] = min(upper[0], (bound, 0)), max(lower[2], (bound, 0))
        else:
            lower[1], upper[1] = max(lower[1], (-bound, 1)), min(upper[1], (bound, -1))
    return all(lower[i] <= upper[j] for i in range(3) for j in range(i, 3))


def _parsed(text: str, effects: Mapping[str, Any]) -> Condition:
    match = FORM.fullmatch(text)
    if not match or match[1] not in effects:
        known = "above|below|atleast|atmost|covers|within"
        raise ValueError(f"a condition reads `NAME {known} X`, NAME in {list(effects)}; got {text!r}")
    return Condition(match[1], match[2], float(match[3].replace("−", "-")))
