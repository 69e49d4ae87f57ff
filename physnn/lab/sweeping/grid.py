"""The points of a sweep: lists and ranges, crossed with each other and with draws from distributions."""

import hashlib
import json
import random
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral

from physnn.lab.chapter.contract import ParameterError
from physnn.lab.sweeping.combinations import Choice, combinations, count, factors, left_out
from physnn.lab.sweeping.draws import Distribution
from physnn.lab.sweeping.notebook import Notebook, SweepError, unknown
from physnn.lab.sweeping.values import axis, cast

EVERYTHING = Choice()


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
        return self.told()

    def told(self, known: Container[str] = ()) -> str:
        """Return the values that are given, without those of parameters that the reader knows."""
        return written({name: value for name, value in self.given.items() if name not in known})


def points(
    notebook: Notebook,
    package: str,
    grid: Mapping[str, object],
    trials: int | None = None,
    seed: int = 0,
    choice: Choice = EVERYTHING,
) -> list[Point]:
    """Return every combination of the grid's values, once each; draws are made ``trials`` times, jointly.

    The draws of one ``seed`` are the same in every sweep, and more trials only add to them. ``package`` is the digest
    of what the notebook imports, :func:`physnn.lab.sweeping.notebook.made_from`.

    Raises:
        SweepError: a name is unknown, a value is ill-typed or out of range, draws and ``trials`` do not fit, or nothing
            is left; of the grid it lists everything that is wrong.
    """
    axes, problems = {}, []
    for name, given in grid.items():
        try:
            axes[name] = known_axis(name, given, notebook)
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
    lists = {name: one for name, one in axes.items() if name not in drawn}
    crossed, excluded = factors(lists, choice, notebook.contract, drawn), left_out(choice, notebook.contract)
    count(crossed, trials)
    for name, one in drawn.items():
        axes[name] = [one.draw(random.Random(f"{seed} {name} {trial}")) for trial in range(trials)]
        for value in axes[name]:
            try:
                cast(value, notebook.contract[name])
            except ParameterError as error:
                problems.append(str(error))
    if problems:
        raise SweepError("\n".join(dict.fromkeys(problems)))
    point, found = namer(notebook, package), {}
    for trial in range(trials or 1):
        draw = [{name: axes[name][trial]} for name in drawn]
        for given in combinations([*crossed, *([one] for one in draw)], excluded):
            made = point({name: given[name] for name in (*axes, *given) if name in given})
            known = found.get(made.name)
            found[made.name] = replace(known, times=known.times + 1) if known else made
    if not found:
        raise SweepError("no point is left; --exclude leaves out all of them")
    return list(found.values())


def known_axis(name: str, given: object, notebook: Notebook) -> list | Distribution:
    """Return the values or the distribution of a parameter that the notebook has.

    Raises:
        SweepError: it has none of this name, or as :func:`physnn.lab.sweeping.values.axis`.
    """
    if name not in notebook.contract:
        raise SweepError(unknown(name, notebook.contract))
    return axis(given, notebook.contract[name])


def namer(notebook: Notebook, package: str) -> Callable[[dict[str, object]], Point]:
    """Return what makes a point of the values that are given, whose name also counts all others."""
    # The defaults are part of the name, so that naming one of them in the grid makes no other point.
    defaults = {name: line.check(line.default) for name, line in notebook.contract.items()}

    def point(given: dict[str, object]) -> Point:
        parameters = defaults | given
        content = json.dumps([notebook.digest, package, parameters], sort_keys=True)
        return Point(hashlib.sha256(content.encode()).hexdigest()[:20], given, parameters)

    return point


def written(given: Mapping[str, object]) -> str:
    """Return values as they are written after ``--grid``."""
    return " ".join(f"{name}={value}" for name, value in given.items()) or "(defaults)"


def repeats(found: Sequence[Point]) -> str:
    """Say that combinations of a grid are the same point, as draws of few values are; nothing where none are."""
    asked = sum(point.times for point in found)
    return f"{asked:,} combinations of values, different ones: {len(found):,}" if asked > len(found) else ""
