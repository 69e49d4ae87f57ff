"""The points of a sweep: lists and ranges, crossed with each other and with draws from distributions."""

import hashlib
import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral

from physnn.lab.chapter.contract import ParameterError
from physnn.lab.sweeping.draws import Distribution
from physnn.lab.sweeping.notebook import Notebook, SweepError, unknown
from physnn.lab.sweeping.values import MOST, axis, cast


@dataclass(frozen=True)
class Point:
    """One run of the notebook.

    Attributes:
        name: 20 hexadecimal digits of the SHA-256 of the notebook's code, what it imports, and all parameters.
        given: the parameters that the sweep sets.
        parameters: all parameters of the notebook, with its defaults.
        times: how many combinations of the grid are this one.
    """

    name: str
    given: dict[str, object]
    parameters: dict[str, object]
    times: int = 1

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.given.items()) or "(defaults)"


def points(
    notebook: Notebook, package: str, grid: Mapping[str, object], trials: int | None = None, seed: int = 0
) -> list[Point]:
    """Return every combination of the grid's values, once each; draws are made ``trials`` times, jointly.

    The draws of one ``seed`` are the same in every sweep, and more trials only add to them. ``package`` is the digest
    of what the notebook imports, :func:`physnn.lab.sweeping.notebook.made_from`.

    Raises:
        SweepError: a name is unknown, a value is ill-typed or out of range, or draws and ``trials`` do not fit; it
            lists everything that is wrong.
    """
    axes, problems = {}, []
    for name, given in grid.items():
        try:
            if name not in notebook.contract:
                raise SweepError(unknown(name, notebook.contract))
            axes[name] = axis(given, notebook.contract[name])
        except SweepError as error:
            problems.append(str(error))
    drawn = {name: one for name, one in axes.items() if isinstance(one, Distribution)}
    if trials is not None and not (isinstance(trials, Integral) and trials >= 1):
        problems.append(f"trials must be a whole number, at least 1, got {trials}")
    elif drawn and trials is None:
        problems.append(f"{', '.join(drawn)}: a distribution needs a number of draws; add --trials N (trials=N)")
    elif trials and not drawn and not problems:
        problems.append(f"trials = {trials}, but no parameter has a distribution such as log(1e-3,1)")
    if problems:
        raise SweepError("\n".join(problems))
    _count({name: one for name, one in axes.items() if name not in drawn}, trials)
    for name, one in drawn.items():
        axes[name] = [one.draw(random.Random(f"{seed} {name} {trial}")) for trial in range(trials)]
        for value in axes[name]:
            try:
                cast(value, notebook.contract[name])
            except ParameterError as error:
                problems.append(str(error))
    if problems:
        raise SweepError("\n".join(dict.fromkeys(problems)))
    # The defaults are part of the name, so that naming one of them in the grid makes no other point.
    defaults = {name: line.check(line.default) for name, line in notebook.contract.items()}
    found: dict[str, Point] = {}
    for given in _combinations(axes, set(drawn), trials or 1):
        parameters = defaults | given
        content = json.dumps([notebook.digest, package, parameters], sort_keys=True)
        name = hashlib.sha256(content.encode()).hexdigest()[:20]
        known = found.get(name)
        found[name] = replace(known, times=known.times + 1) if known else Point(name, given, parameters)
    return list(found.values())


def repeats(found: Sequence[Point]) -> str:
    """Say that combinations of a grid are the same point, as draws of few values are; nothing where none are."""
    asked = sum(point.times for point in found)
    return f"{asked:,} combinations of values, different ones: {len(found):,}" if asked > len(found) else ""


def _count(listed: Mapping[str, Sequence], trials: int | None) -> None:
    """Count the points before any is made.

    Raises:
        SweepError: there are more than a sweep takes.
    """
    count = math.prod(map(len, listed.values())) * (trials or 1)
    if count > MOST:
        factors = [f"{len(values):,} of {name}" for name, values in listed.items()]
        factors += [f"{trials:,} draws"] if trials else []
        raise SweepError(f"{' × '.join(factors)} are {count:,} points; a sweep takes at most {MOST:,}")


def _combinations(axes: dict[str, list], drawn: set[str], trials: int) -> Iterator[dict[str, object]]:
    listed = [name for name in axes if name not in drawn]
    for trial in range(trials):
        for values in itertools.product(*(axes[name] for name in listed)):
            chosen = dict(zip(listed, values, strict=True))
            yield {name: axes[name][trial] if name in drawn else chosen[name] for name in axes}
