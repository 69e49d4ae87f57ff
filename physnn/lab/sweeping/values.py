"""What a parameter of a sweep can be: a list, a range, or a distribution; as text, or as Python values."""

import math
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from physnn.lab.chapter.contract import Declaration, ParameterError
from physnn.lab.sweeping.notebook import SweepError

BOOLEANS = {"true": True, "True": True, "false": False, "False": False}
DISTRIBUTION = re.compile(r"(uniform|log|integers|choice)\((.*)\)", re.DOTALL)
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"({NUMBER}):({NUMBER})(?::({NUMBER}))?")


@dataclass(frozen=True)
class Distribution:
    """``uniform(a, b)``, ``log(a, b)`` (uniform in the logarithm), ``integers(a, b)`` (b not) or ``choice(...)``."""

    kind: str
    arguments: tuple

    def draw(self, generator: random.Random) -> object:
        """Draw one value; a real number has six significant digits, so that it can be read and typed again."""
        if self.kind == "choice":
            return generator.choice(self.arguments)
        low, high = self.arguments
        if self.kind == "integers":
            return generator.randrange(low, high)
        if self.kind == "log":
            value = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            value = generator.uniform(low, high)
        return min(max(float(f"{value:.6g}"), low), high)


def axis(given: object, declaration: Declaration) -> list | Distribution:
    """Return the values of one parameter, checked against its declaration, or its distribution.

    Args:
        given: a text such as ``"1,2"``, ``"0:5"``, ``"0:10:2"`` (without the end) or ``"log(1e-3, 1)"``; or values.

    Raises:
        SweepError: the text cannot be read, or values are ill-typed or out of range; it lists all of them.
    """
    if isinstance(given, str):
        if match := DISTRIBUTION.fullmatch(given.strip()):
            return _distribution(match[1], _split(match[2]), given, declaration)
        values = [value for item in _split(given) for value in _expand(item, declaration)]
    else:
        values = list(given) if isinstance(given, Iterable) else [given]
    if not values:
        raise SweepError(f"parameter {declaration.name} has no values; expected a list such as 1,2 or a range 0:5")
    return _checked(values, declaration)


def cast(value: object, declaration: Declaration) -> object:
    """Return a value as the notebook will see it: text read by the declared type, NumPy's scalars made Python's.

    Raises:
        ParameterError: its type or range is wrong.
    """
    value = value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
    return declaration.check(_read(value, declaration.type, declaration))


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


def _read(value: object, kind: str, declaration: Declaration) -> object:
    """Read text by the declared type; leave what is no text to the check of types."""
    element = kind.removeprefix("list[").removesuffix("]")
    if element != kind:
        if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
            value = _split(value[1:-1])
        return [_read(item, element, declaration) for item in value] if isinstance(value, list) else value
    if not isinstance(value, str) or kind == "str":
        return value
    try:
        return BOOLEANS[value] if kind == "bool" else {"int": int, "float": float}[kind](value)
    except (KeyError, ValueError) as error:
        raise ParameterError(
            f"parameter {declaration.name}: {value!r} is not a {kind}; expected {declaration.type} in "
            f"{declaration.limits} ({declaration.meaning})"
        ) from error


def _expand(item: str, declaration: Declaration) -> list:
    """Return the values of a range, or the item alone. A text with a colon is a range where numbers are expected."""
    match = RANGE.fullmatch(item)
    if match is None or declaration.type not in {"int", "float"}:
        return [item]
    # Decimal, because 0:1:0.1 are ten numbers, and the third is 0.2.
    start, stop, step = (Decimal(part) for part in (match[1], match[2], match[3] or "1"))
    count = math.ceil((stop - start) / step) if step else 0
    if count < 1:
        raise SweepError(f"parameter {declaration.name}: the range {item} is empty; expected start:stop or …:step")
    values = [start + i * step for i in range(count)]
    return [int(v) if declaration.type == "int" and v == int(v) else float(v) for v in values]


def _distribution(kind: str, arguments: list[str], given: str, declaration: Declaration) -> Distribution:
    wrong = SweepError(
        f"parameter {declaration.name} = {given}: expected choice(a,b,...), integers(a,b) for an int, or uniform(a,b) "
        f"or log(a,b) with finite numbers a < b, 0 < a for log, for a float; {declaration.name} is {declaration.type}"
    )
    if kind == "choice" and arguments:
        return Distribution(kind, tuple(_checked(arguments, declaration)))
    if len(arguments) != 2 or declaration.type != ("int" if kind == "integers" else "float"):
        raise wrong
    try:
        low, high = (int(a) if kind == "integers" else float(Decimal(a)) for a in arguments)
    except (ValueError, InvalidOperation) as error:
        raise wrong from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high) or (kind == "log" and low <= 0):
        raise wrong
    return Distribution(kind, (low, high))


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
