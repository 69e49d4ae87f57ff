"""What a parameter may be: how a text is read by the declared type, and which values a range or choices allow."""

import functools
import math
import re
from dataclasses import dataclass

# As YAML 1.2 has it. Python's own int() and float() take 1_000, other alphabets' digits and blanks as well.
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
WORDS = {"bool": {"true": True, "True": True, "false": False, "False": False}}
WORDS["float"] = {sign + word: float(sign + word) for sign in ("", "+", "-") for word in ("inf", "nan")}
FORM = {
    "int": "a whole number such as 10",
    "float": "a number that a float can hold, such as 0.5 or 1e-3",
    "bool": "true or false",
    "str": "a text without quotes",
}
EXACT = 2**53  # up to here every whole number is a float
INTERVAL = re.compile(r"([\[(])([^,\])]*),([^,]*)([\])])")
RANGE = re.compile(rf",?\s*\bin\s*(?P<limits>{INTERVAL.pattern}|\{{[^}}]*\}})\s*$")  # at the end of a comment


@dataclass(frozen=True)
class Interval:
    """The numbers between two ends; an open end is not one of them."""

    low: float
    high: float
    opens: tuple[bool, bool]

    def __contains__(self, value: float) -> bool:
        # NaN fails both comparisons.
        above = value > self.low if self.opens[0] else value >= self.low
        return above and (value < self.high if self.opens[1] else value <= self.high)


class AnyText:
    """Every text; for a parameter such as a heading, which has no list of choices."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str)


def read(text: str, kind: str) -> object:
    """Read a text as an ``int``, a ``float``, a ``bool`` or a ``str``.

    Raises:
        ValueError: it is not one; the message says what is expected.
    """
    wrong = ValueError(f"{text!r} is not a {kind}; expected {FORM[kind]}")
    if kind == "str" and not text.startswith(("'", '"')):
        return text
    if text in WORDS.get(kind, {}):
        return WORDS[kind][text]
    if kind in {"str", "bool"} or not re.fullmatch(NUMBER, text):
        raise wrong
    if kind == "int" and text.lstrip("+-").isdigit():
        return int(text)
    value = float(text)
    lost = math.isinf(value) or (value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]))
    if lost or (kind == "int" and not ("e" in text.lower() and value.is_integer() and abs(value) <= EXACT)):
        raise wrong
    return value if kind == "float" else int(value)


@functools.cache
def limits(text: str, kind: str) -> Interval | AnyText | tuple[object, ...]:
    """Return the values that ``[low, high]``, ``{one, other}`` or, of texts, ``{any text}`` allows a parameter.

    Raises:
        ValueError: it is no such range, or has no value, or one that the type cannot have.
    """
    if text == "{any text}" and kind == "str":
        return AnyText()
    if text.startswith("{"):
        return _choices([choice.strip() for choice in text[1:-1].split(",")], kind)
    left, *ends, right = INTERVAL.fullmatch(text).groups()
    if kind not in {"int", "float"}:
        example = "{True, False}" if kind == "bool" else "{one, other}"
        raise ValueError(f"{text} is for numbers; write the choices of a {kind}, such as {example}")
    low, high = (_end(end.strip(), text) for end in ends)
    opens = (left == "(", right == ")")
    first, last = low, high
    if kind == "int" and -math.inf < low and high < math.inf:  # its first and its last whole number
        first = math.floor(low) + 1 if opens[0] else math.ceil(low)
        last = math.ceil(high) - 1 if opens[1] else math.floor(high)
    if first > last or (low == high and any(opens)):
        raise ValueError(f"no {kind} is in {text}")
    return Interval(low, high, opens)


def _choices(texts: list[str], kind: str) -> tuple[object, ...]:
    found = []
    for text in texts:
        if not text:
            raise ValueError(f"{{{', '.join(texts)}}} has a comma with no choice beside it, or no choice at all")
        value = read(text, kind)
        if value != value:
            raise ValueError(f"no {kind} equals {text}; choose by a number")
        if value in found:
            raise ValueError(f"{{{', '.join(texts)}}} has {text} twice")
        found.append(value)
    return tuple(found)


def _end(text: str, whole: str) -> float:
    try:
        value = read(text, "int" if text.lstrip("+-").isdigit() else "float")
    except ValueError:
        value = math.nan
    if value != value:
        raise ValueError(f"{text!r} in {whole} is not a number; write the number itself, such as 6.2832, or inf")
    return value
