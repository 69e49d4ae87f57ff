"""The design of a study as its file says it, checked before anything runs: a slip would cost hours, or go unnoticed."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from physnn.lab.running import yaml_file

SEARCH = "search"  # an arm's hyperparameter that a trial sets
OWN = ("draw", "lr_unit")  # what a recipe may say of the trials of its own arm


class StudyError(ValueError):
    """There is no such study, its design or its record is not as it must be, or its runs give no result."""


def read(path: Path) -> dict[str, Any]:
    """Return a design.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is no YAML, or a key is missing, unknown, given twice or not of its kind; it names file and key.
    """
    try:
        design = yaml_file.read(path)
    except ValueError as error:
        raise StudyError(str(error)) from error
    try:
        _part("the design", design, {"arms": _arms, "tuning": _mapping}, _MORE)
        tuning = design["tuning"]
        at_random = "trials" in tuning
        values, search = (_bounds, {"trials": _count}) if at_random else (_values, {})
        more = {"draw": _whole} if at_random else {}
        others = dict.fromkeys(tuning.keys() - _RUNS.keys() - {"trials", "draw"}, values)
        _part("tuning", tuning, {"lr": values, **_RUNS, **search}, others | more | {"extras": _names})
        if "final" in design:
            _part("final", design["final"], _RUNS, {"extras": _names})
        named = [("contrasts", arm) for pair in design.get("contrasts", ()) for arm in pair]
        for arm, ends in design.get("beyond", {}).items():
            named += [("beyond", name) for name in (arm, *(other for end in ends.values() for other in end.values()))]
            recipe = design["arms"].get(arm, {})
            if unknown := [name for name in ends if name != "lr" and recipe.get(name) != SEARCH]:
                raise StudyError(f"beyond says of {arm!r} what lies past {unknown}, which it does not search")
        for key, arm in named:
            if arm not in design["arms"]:
                raise StudyError(f"{key} names the arm {arm!r}; there are {', '.join(design['arms'])}")
    except StudyError as error:
        raise StudyError(f"{path}: {error}") from None
    return design


def trials_of(arm: str, recipe: Mapping[str, Any], tuning: Mapping[str, Any]) -> tuple[dict[str, Any], int, float]:
    """Return an arm's recipe without what it says of its trials: the draw, and the unit of its learning rates.

    Raises:
        StudyError: it says so where nothing is drawn, there is no draw, or one of the two is not of its kind.
    """
    rest = {key: value for key, value in recipe.items() if key not in OWN}
    draw, unit = recipe.get("draw", tuning.get("draw")), recipe.get("lr_unit", 1.0)
    if "trials" not in tuning:
        if given := [key for key in OWN if key in recipe]:
            raise StudyError(f"the arm {arm!r} has {given}, which is for random trials; tuning has no trials")
        return rest, 0, 1.0
    if draw is None:
        raise StudyError(f"the arm {arm!r} has no draw, the seed of its trials; give it, or tuning, one")
    if _whole(draw):
        raise StudyError(f"draw must be a whole number, got {draw!r} for the arm {arm!r}")
    if not _numbers([unit]) or unit <= 0:
        raise StudyError(f"lr_unit must be a number above 0, got {unit!r} for the arm {arm!r}")
    return rest, draw, unit


def _part(what: str, given: Any, needed: "dict[str, _Check]", more: "dict[str, _Check]") -> None:
    """Check a mapping: the keys that it needs, those that it may have besides, and the value of each."""
    if not isinstance(given, Mapping):
        raise StudyError(f"{what} must be a mapping with {', '.join(needed)}, got {given!r:.60}")
    if missing := [key for key in needed if key not in given]:
        raise StudyError(f"{what} has no {', '.join(missing)}")
    known = needed | more
    for key, value in given.items():
        if key not in known:
            raise StudyError(f"{what} has {key!r}, and may have {', '.join(known)}")
        if expected := known[key](value):
            raise StudyError(f"{key} must be {expected}, got {value!r:.60}")


_Check = Callable[[Any], str]  # says what was expected; nothing where it is so


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "a text"


def _whole(value: Any) -> str:
    return "" if type(value) is int and value >= 0 else "a whole number"


def _count(value: Any) -> str:
    return "" if type(value) is int and value >= 1 else "a whole number of at least 1"


def _mapping(value: Any) -> str:
    return "" if isinstance(value, Mapping) else "a mapping"


def _arms(value: Any) -> str:
    good = isinstance(value, Mapping) and value and all(isinstance(recipe, Mapping) for recipe in value.values())
    return "" if good else "a mapping of names to recipes, which are mappings"


def _names(value: Any) -> str:
    return "" if isinstance(value, list) and all(isinstance(name, str) for name in value) else "a list of names"


def _pairs(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value)
    return "" if good else "a list of pairs of arms"


def _ends(value: Any) -> str:
    ends = [end for arm in value.values() for end in arm.values()] if _two_deep(value) else [{"": ""}]
    return (
        "" if all({*end} <= {"low", "high"} for end in ends) else "arms to hyperparameters to arms beyond low or high"
    )


def _two_deep(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(arm, Mapping) and all(isinstance(end, Mapping) for end in arm.values()) for arm in value.values()
    )


def _seeds(value: Any) -> str:
    good = isinstance(value, list) and value and all(type(seed) is int for seed in value)
    return "" if good and len({*value}) == len(value) else "a list of whole numbers, each once"


def _values(value: Any) -> str:
    return "" if _numbers(value) and value and len({*value}) == len(value) else "a list of numbers, each once"


def _bounds(value: Any) -> str:
    good = _numbers(value) and len(value) == 2 and 0 < value[0] < value[1]
    return "" if good else "two numbers above 0, the lower one first, since there are trials"


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) in (int, float) and math.isfinite(number) for number in value)


_RUNS: dict[str, _Check] = {"seeds": _seeds, "epochs": _count}
_MORE: dict[str, _Check] = {
    **{"question": _text, "widens": _text, "task": _text, "data": _text, "batch_size": _count},
    **{"models": _arms, "final": _mapping, "contrasts": _pairs, "beyond": _ends},
}
