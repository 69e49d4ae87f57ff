"""What a parameter of a sweep can be: a list, a range, or a distribution; as text, or as Python values."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain, islice

from physnn.lab.chapter.contract import Declaration, ParameterError
from physnn.lab.chapter.limits import NUMBER, read
from physnn.lab.sweeping.draws import Distribution
from physnn.lab.sweeping.notebook import SweepError

MOST = 100_000  # points of a sweep: all of them are held in memory
DISTRIBUTION = re.compile(r"(uniform|log|integers|choice)\((.*)\)", re.DOTALL)
RANGE = re.compile(rf"({NUMBER}):({NUMBER})(?::({NUMBER}))?")


def axis(given: object, declaration: Declaration) -> list | Distribution:
    """Return the values of one parameter, checked against its declaration, or its distribution.

    Args:
        given: a text such as ``"1,2"``, ``"0:5"``, ``"0:10:2"`` (without the end) or ``"log(1e-3, 1)"``; or one value,
            or a list, a range, an array or an iterator of them.

    Raises:
        SweepError: the text cannot be read, or values are too many, ill-typed or out of range; it lists all of them.
    """
    if isinstance(given, str) and (match := DISTRIBUTION.fullmatch(given.strip())):
        return _distribution(match[1], _split(match[2]), given, declaration)
    values = list(islice(_values(given, declaration), MOST + 1))
    if not values:
        raise SweepError(f"parameter {declaration.name} has no values; expected a list such as 1,2 or a range 0:5")
    if len(values) > MOST:
        raise SweepError(f"parameter {declaration.name} has more than {MOST:,} values, which is all that a sweep takes")
    return _checked(values, declaration)


def kind(given: object) -> str:
    """Return which distribution a text names, such as ``"log"``; nothing for lists, ranges and values."""
    match = DISTRIBUTION.fullmatch(given.strip()) if isinstance(given, str) else None
    return match[1] if match else ""


def cast(value: object, declaration: Declaration) -> object:
    """Return a value as the notebook will see it: text read by the declared type, NumPy's and torch's made Python's.

    Raises:
        ParameterError: its type or range is wrong.
    """
    try:
        return declaration.check(_read(_plain(value), declaration))
    except ParameterError:
        raise
    except ValueError as error:
        raise ParameterError(
            f"parameter {declaration.name}: {error}, in {declaration.limits} ({declaration.meaning})"
        ) from error


def _values(given: object, declaration: Declaration) -> Iterable:
    given = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(given, str):
        items = _split(given)
        if "" in items:
            raise SweepError(f"parameter {declaration.name} = {given}: a comma has no value beside it")
        return chain.from_iterable(_expand(item, declaration) for item in items)
    if isinstance(given, (Sequence, Iterator)) and not isinstance(given, (bytes, bytearray)):
        return given
    if isinstance(given, Iterable):
        raise SweepError(
            f"the values of parameter {declaration.name} are a {type(given).__name__}, expected a text, or a list, a "
            "range, an array or an iterator"
        )
    return [given]


def _checked(values: Iterable, declaration: Declaration) -> list:
    checked, problems = [], []
    for value in values:
        try:
            checked.append(cast(value, declaration))
        except ParameterError as error:
            problems.append(str(error))
    if problems:
        raise SweepError("\n".join(dict.fromkeys(problems)))
    return checked


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _read(value: object, declaration: Declaration) -> object:
    """Read text by the declared type; leave what is no text to the check of types."""
    if value == "none" and declaration.type != declaration.plain:
        return None
    if declaration.plain != declaration.element:
        if isinstance(value, str):
            if not (value.startswith("[") and value.endswith("]")):
                raise ValueError(f"{value!r} is not a {declaration.type}; expected one in brackets, such as [a,b]")
            value = _split(value[1:-1])
        items = value if isinstance(value, list) else []
        return [read(item, declaration.element) if isinstance(item, str) else item for item in items] or value
    return read(value, declaration.plain) if isinstance(value, str) else value


def _expand(item: str, declaration: Declaration) -> Iterable:
    """Give the values of a range, or the item alone. A text with a colon is a range where numbers are expected."""
    match = RANGE.fullmatch(item)
    if match is None or declaration.plain not in {"int", "float"}:
        return [item]
    said = f"parameter {declaration.name}: the range {item}"
    try:
        numbers = [read(part, declaration.plain) for part in match.groups(default="1")]
    except ValueError as error:
        raise SweepError(f"{said}: {error}") from error
    # Fractions, because 0:1:0.1 are ten numbers, and the third is 0.2.
    start, stop, step = (Fraction(part) for part in match.groups(default="1"))
    count = math.ceil((stop - start) / step) if step else 0
    if count < 1:
        raise SweepError(f"{said} is empty; expected start:stop or start:stop:step, with a step that leads to the stop")
    if count > MOST:
        raise SweepError(f"{said} has {count:,} values; a sweep takes at most {MOST:,} points")
    if declaration.plain == "int":
        return range(*numbers)
    if count == 1 and match[3] is None:
        raise SweepError(
            f"{said} has one value, its step being 1; write {declaration.name}={match[1]}, or give a step: {item}:STEP"
        )
    values = [float(start + i * step) for i in range(count)]
    if len(set(values)) < count:
        raise SweepError(f"{said} has a step that is lost when {match[1]} is a float; give a larger one")
    return values


def _distribution(kind: str, arguments: list[str], given: str, declaration: Declaration) -> Distribution:
    name = declaration.name
    wrong = SweepError(
        f"parameter {name} = {given}: expected choice(a,b,...), integers(a,b) for an int, or uniform(a,b) or log(a,b) "
        f"with finite numbers a < b, 0 < a for log, for a float; {name} is {declaration.type}"
    )
    if kind == "choice" and arguments:
        found = Distribution(kind, tuple(_checked(arguments, declaration)))
    elif len(arguments) != 2 or declaration.plain != ("int" if kind == "integers" else "float"):
        raise wrong
    else:
        try:
            low, high = (read(argument, declaration.plain) for argument in arguments)
        except ValueError as error:
            raise wrong from error
        if not (-math.inf < low < high < math.inf) or (kind == "log" and low <= 0):
            raise wrong
        found = Distribution(kind, (low, high))
    if found.constant():
        raise SweepError(f"parameter {name} = {given}: every draw is {found.arguments[0]}; write {name}=VALUE for one")
    if found.narrow():
        raise SweepError(f"parameter {name} = {given}: the width is too small, or too large, for draws that are floats")
    return found


def _split(text: str) -> list[str]:
    """Split at the commas that are in no brackets."""
    items, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    items = [item.strip() for item in items]
    return [] if items == [""] else items
