"""Which combinations of values a sweep has: crossed, zipped, left out, and rows of a CSV."""

import csv
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from physnn.lab.chapter.contract import Declaration, ParameterError
from physnn.lab.sweeping.notebook import SweepError, unknown
from physnn.lab.sweeping.values import MOST, cast

Combination = dict[str, object]


@dataclass(frozen=True)
class Choice:
    """What of the whole grid runs.

    Attributes:
        zipped: groups of parameters whose lists are walked through together, the first of each, then the second.
        excluded: values that no point may have together, as mappings or as texts such as ``"quartic=0 seed=1"``.
        listed: a CSV whose header has names of parameters; each of its lines is crossed with the grid.
    """

    zipped: Sequence[Sequence[str]] = ()
    excluded: Sequence[Mapping[str, object] | str] = ()
    listed: Path | None = None


def factors(
    lists: Mapping[str, Sequence], choice: Choice, contract: Mapping[str, Declaration], drawn: Iterable[str] = ()
) -> list[list[Combination]]:
    """Return what is crossed with each other: lists, zipped lists, and the lines of a CSV.

    Raises:
        SweepError: zipped parameters have no lists of one length, or the CSV cannot be read or has a name of the grid.
    """
    groups = {name: tuple(group) for group in choice.zipped for name in group}
    wrong = [name for name in groups if name not in lists]
    if wrong or len(groups) < sum(map(len, choice.zipped)):
        raise SweepError(
            f"zip {'; '.join(','.join(group) for group in choice.zipped)}: expected names of --grid that have lists, "
            f"each in one group; there are {', '.join(lists) or 'none'}"
        )
    found = [_lines(choice.listed, contract, {*lists, *drawn})] if choice.listed else []
    for name in lists:
        group = groups.get(name, (name,))
        if len({len(lists[each]) for each in group}) > 1:
            told = ", ".join(f"{len(lists[each])} of {each}" for each in group)
            raise SweepError(f"zipped parameters need lists of one length, got {told}")
        if name == next(each for each in lists if each in group):
            columns = [lists[each] for each in group]
            found.append([dict(zip(group, line, strict=True)) for line in zip(*columns, strict=True)])
    return found


def count(crossed: Sequence[Sequence[Combination]], trials: int | None) -> None:
    """Count the combinations before any is made.

    Raises:
        SweepError: there are more than a sweep takes.
    """
    number = math.prod(map(len, crossed)) * (trials or 1)
    if number > MOST:
        told = [f"{len(lines):,} of {', '.join(lines[0])}" for lines in crossed]
        told += [f"{trials:,} draws"] if trials else []
        raise SweepError(f"{' × '.join(told)} are {number:,} points; a sweep takes at most {MOST:,}")


def combinations(
    crossed: Sequence[Sequence[Combination]], excluded: Sequence[Combination] = ()
) -> Iterator[Combination]:
    """Give every combination but those that are left out."""
    for parts in itertools.product(*crossed):
        given = {name: value for part in parts for name, value in part.items()}
        if not any(all(name in given and given[name] == value for name, value in one.items()) for one in excluded):
            yield given


def left_out(choice: Choice, contract: Mapping[str, Declaration]) -> list[Combination]:
    """Read what is left out.

    Raises:
        SweepError: it cannot be read, or names a parameter or a value that there is not.
    """
    found = []
    for given in choice.excluded:
        pairs = given.items() if isinstance(given, Mapping) else [_pair(term, given) for term in given.split()]
        one = {}
        for name, value in pairs:
            if name not in contract:
                raise SweepError(unknown(name, contract))
            one[name] = _cast(value, contract[name], "--exclude")
        if not one:
            raise SweepError("--exclude needs NAME=VALUE, or several with blanks between them")
        found.append(one)
    return found


def _lines(path: Path, contract: Mapping[str, Declaration], taken: set[str]) -> list[Combination]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            head, *lines = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise SweepError(f"cannot read the points {path}: {' '.join(str(error).split())}") from error
    head = [name.strip() for name in head]
    if wrong := [unknown(name, contract) for name in head if name not in contract]:
        raise SweepError(f"{path}, line 1: {'; '.join(wrong)}")
    if twice := sorted({name for name in head if head.count(name) > 1 or name in taken}):
        raise SweepError(f"{path}: {', '.join(twice)} is given twice; name it once, here or with --grid")
    found = []
    for number, line in enumerate(lines, 2):
        if len(line) != len(head):
            raise SweepError(f"{path}, line {number}: {len(line)} values for {len(head)} names")
        # An empty cell leaves the parameter at its default.
        given = {name: text.strip() for name, text in zip(head, line, strict=True) if text.strip()}
        found.append({name: _cast(text, contract[name], f"{path}, line {number}") for name, text in given.items()})
    if not found:
        raise SweepError(f"{path} has no line below its header")
    return found


def _cast(value: object, declaration: Declaration, where: str) -> object:
    try:
        return cast(value, declaration)
    except ParameterError as error:
        raise SweepError(f"{where}: {error}") from error


def _pair(term: str, given: str) -> tuple[str, str]:
    name, equals, value = term.partition("=")
    if not equals or not name:
        raise SweepError(f"--exclude {given}: expected NAME=VALUE, or several with blanks between them")
    return name, value
