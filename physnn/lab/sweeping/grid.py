"""The points of a sweep: lists and ranges, crossed with each other and with draws from distributions."""

import difflib
import hashlib
import itertools
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from physnn.lab.chapter.contract import Declaration, ParameterError
from physnn.lab.sweeping.notebook import Notebook, SweepError
from physnn.lab.sweeping.values import Distribution, axis, cast


@dataclass(frozen=True)
class Point:
    """One run of the notebook.

    Attributes:
        name: 20 hexadecimal digits of the SHA-256 of the notebook's code, what it imports, and all parameters.
        given: the parameters that the sweep sets.
        parameters: all parameters of the notebook, with its defaults.
    """

    name: str
    given: dict[str, object]
    parameters: dict[str, object]

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
                raise SweepError(_unknown(name, notebook.contract))
            axes[name] = axis(given, notebook.contract[name])
        except SweepError as error:
            problems.append(str(error))
    drawn = {name: one for name, one in axes.items() if isinstance(one, Distribution)}
    if trials is not None and trials < 1:
        problems.append(f"trials must be at least 1, got {trials}")
    elif drawn and trials is None:
        problems.append(f"{', '.join(drawn)}: a distribution needs a number of draws; add --trials N (trials=N)")
    elif trials and not drawn and not problems:
        problems.append(f"trials = {trials}, but no parameter has a distribution such as log(1e-3,1)")
    if problems:
        raise SweepError("\n".join(problems))
    for name, one in drawn.items():
        axes[name] = [one.draw(random.Random(f"{seed} {name} {trial}")) for trial in range(trials)]
        for value in axes[name]:
            try:
                cast(value, notebook.contract[name])
            except ParameterError as error:
                problems.append(str(error))
    if problems:
        raise SweepError("\n".join(dict.fromkeys(problems)))
    found = [_point(notebook, package, given) for given in _combinations(axes, set(drawn), trials or 1)]
    return list({point.name: point for point in found}.values())


def _combinations(axes: dict[str, list], drawn: set[str], trials: int) -> Iterator[dict[str, object]]:
    listed = [name for name in axes if name not in drawn]
    for trial in range(trials):
        for values in itertools.product(*(axes[name] for name in listed)):
            chosen = dict(zip(listed, values, strict=True))
            yield {name: axes[name][trial] if name in drawn else chosen[name] for name in axes}


def _point(notebook: Notebook, package: str, given: dict[str, object]) -> Point:
    # The defaults are part of the name, so that naming one of them in the grid makes no other point.
    parameters = {name: given.get(name, line.check(line.default)) for name, line in notebook.contract.items()}
    content = json.dumps([notebook.digest, package, parameters], sort_keys=True)
    return Point(hashlib.sha256(content.encode()).hexdigest()[:20], given, parameters)


def _unknown(name: str, contract: Mapping[str, Declaration]) -> str:
    guess = difflib.get_close_matches(name, contract, 1)
    hint = f"; did you mean {guess[0]}?" if guess else ""
    return f"unknown parameter {name!r}; this notebook has {', '.join(contract)}{hint}"
