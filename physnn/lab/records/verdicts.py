"""Verdicts that follow from the effects of recorded studies (:mod:`physnn.lab.records.effects`), by rules.

The rules are those of :mod:`physnn.lab.records.rules`, which a machine can read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from physnn.lab.records.effects import Effect, effect
from physnn.lab.records.provenance import RESULTS
from physnn.lab.records.rules import DECIDED, Condition, alternatives, overlap
from physnn.lab.statistics import stats

UNTESTABLE, UNDECIDED = "untestable", "undecided"


@dataclass(frozen=True)
class Judgement:
    """A verdict, the effects it follows from, and, where there is none, why.

    ``repaired`` tells whether the change of the rule makes the statement true; None where it names none.
    """

    verdict: str
    effects: dict[str, Effect] = field(default_factory=dict)
    reason: str = ""
    repaired: bool | None = None


def judge(rule: Mapping[str, Any] | None, results: Path = RESULTS) -> Judgement:
    """Return the verdict that follows from the studies recorded in ``results`` by a rule.

    Raises:
        ValueError: the rule names an effect, an arm, a column, a measure or a formula that does not exist, two of its
            verdicts do not exclude each other, a recorded table does not fit its design, or runs that diverged have no
            value.
    """
    if not rule:
        return Judgement(UNDECIDED, reason="not yet measured")
    ways = {verdict: alternatives(rule.get(verdict, ()), rule["effects"]) for verdict in DECIDED}
    repair = alternatives(rule["repair"]["when"], rule["effects"]) if "repair" in rule else None
    if both := overlap(ways):
        raise ValueError(f"the conditions of {both[0]!r} and of {both[1]!r} can both be met")
    if "untestable" in rule and any(ways.values()):
        raise ValueError("what is not testable as stated has no conditions of a verdict")
    try:
        effects = {name: effect(how, results) for name, how in rule["effects"].items()}
    except FileNotFoundError:
        return Judgement(UNDECIDED, reason="not yet measured")
    repaired = _one_met(repair, effects) if repair is not None else None
    if "untestable" in rule:
        return Judgement(UNTESTABLE, effects, rule["untestable"], repaired)
    for verdict, several in ways.items():
        if _one_met(several, effects):
            return Judgement(verdict, effects, repaired=repaired)
    return Judgement(UNDECIDED, effects, "measured, and by its rule neither way", repaired)


def meets(effect: Effect, condition: Condition) -> bool:
    """Tell whether an effect meets a condition; where runs were censored, whether any mean that is possible does.

    Raises:
        ValueError: the condition is a margin, and the effect no contrast.
    """
    _, relation, bound = condition
    larger, smaller = effect.censored  # the true mean may be
    if (larger and relation not in ("above", "atleast")) or (smaller and relation not in ("below", "atmost")):
        return False
    if relation == "within":
        if effect.pair is None:
            raise ValueError("only a contrast can be within a margin")
        return stats.equivalence(*effect.pair, bound).p <= 0.05
    mean, low, high, _ = effect.interval
    met = {"above": low > bound, "below": high < bound, "covers": low <= bound <= high}
    return (met | {"atleast": mean >= bound, "atmost": mean <= bound})[relation]


def _one_met(several: Sequence[Sequence[Condition]], effects: Mapping[str, Effect]) -> bool:
    return any(all(meets(effects[condition.name], condition) for condition in needed) for needed in several)
