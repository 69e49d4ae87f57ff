"""Two sweeps, point by point: two folders, or old code and new in one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from physnn.lab.sweeping.answer import TESTS
from physnn.lab.sweeping.notebook import SweepError
from physnn.lab.sweeping.numbers import estimate, known

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """What two sweeps have in common.

    Attributes:
        shared: the parameters that both have, by which points are matched.
        apart: parameters that each sweep has at one value, but not at the same, with the two; points of different
            values are matched then.
        points: pairs of rows, of the first sweep and of the second, that have the same parameters.
        alone: how many points only the first has, and only the second.
        table: a row for each value, and for each setting of it where there are replicates: in how many ``pairs`` it
            is ``equal``, the mean ``difference`` second − first with its interval and tests as in
            :class:`physnn.lab.sweeping.answer.Answer`, and the ``largest`` one, with the ``point`` where it is.
        settings: the parameters that tell the settings apart.
    """

    shared: list[str]
    apart: dict[str, tuple[object, object]]
    points: list[tuple[dict, dict]]
    alone: tuple[int, int]
    table: "pd.DataFrame"
    settings: list[str]


def compare(first: Sequence[dict], second: Sequence[dict], replicates: Sequence[str] = ()) -> Comparison:
    """Match the points that are done by the parameters that both sweeps have, and compare every value that both glued.

    A parameter that is fixed in both, at different values, is what the sweeps are compared by, and not matched.

    Raises:
        SweepError: no parameters are shared, several points of a sweep are one by them, or no point is in both.
    """
    import pandas as pd

    common = [name for name in first[0]["parameters"] if name in second[0]["parameters"]]
    apart = _apart(first, second, [name for name in common if name not in replicates])
    shared = [name for name in common if name not in apart]
    before, after = (_by_parameters(rows, shared, which) for rows, which in ((first, "first"), (second, "second")))
    pairs = [(before[key], after[key]) for key in before if key in after]
    if not pairs:
        raise SweepError(f"no point is done in both; they were matched by {', '.join(shared) or 'nothing'}")
    names = [name for name in shared if name not in replicates]
    settings = [name for name in names if len({_key(row, [name]) for row, _ in pairs}) > 1] if replicates else []
    groups: dict[str, list[int]] = {}
    for i, (row, _) in enumerate(pairs):
        groups.setdefault(_key(row, settings), []).append(i)
    glued = [
        n
        for n in dict.fromkeys(n for row, _ in pairs for n in row["values"])
        if any(n in r["values"] for _, r in pairs)
    ]
    lines = []
    for value in glued:
        both = [[row["values"].get(value) for row in pair] for pair in pairs]
        for places in groups.values():
            example = pairs[places[0]][0]["parameters"]
            line = {name: example[name] for name in settings} | {"value": value}
            lines.append(line | _difference([both[i] for i in places], [pairs[i][1]["point"] for i in places]))
    table = pd.DataFrame(lines)
    for _, family in table.groupby("value", sort=False):
        tested = family.t_p.dropna()
        if len(tested):
            from physnn.lab.statistics.stats import holm

            table.loc[tested.index, "holm_p"] = holm(tested)
    alone = (len(before) - len(pairs), len(after) - len(pairs))
    return Comparison(shared, apart, pairs, alone, table, settings)


def _apart(first: Sequence[dict], second: Sequence[dict], names: Sequence[str]) -> dict[str, tuple[object, object]]:
    values = {
        name: [{_key(row, [name]): row["parameters"][name] for row in rows} for rows in (first, second)]
        for name in names
    }
    fixed = {name: both for name, both in values.items() if all(len(some) == 1 for some in both)}
    ends = {name: (*before.values(), *after.values()) for name, (before, after) in fixed.items() if before != after}
    return {name: (one, other) for name, (one, other) in ends.items()}


def _difference(both: Sequence[Sequence[object]], points: Sequence[str]) -> dict:
    """Return what can be said of one value in pairs of runs."""
    import pandas as pd

    from physnn.lab.statistics import stats

    same = sum(repr(a) == repr(b) for a, b in both)
    line = {"pairs": len(both), "equal": same} | dict.fromkeys((name for name in TESTS if name != "pairs"), np.nan)
    line |= {"largest": np.nan, "point": ""}
    if not known([each for pair in both for each in pair]):
        return line
    numbers = [(estimate(a), estimate(b)) for a, b in both]
    there = [i for i, (a, b) in enumerate(numbers) if a and b]
    if not there:
        return line
    first, second = (np.array([numbers[i][which].value for i in there]) for which in (0, 1))
    worst = int(np.argmax(abs(second - first)))
    line |= {"largest": float(second[worst] - first[worst]), "point": points[there[worst]]}
    line["difference"] = float((second - first).mean())
    if len(there) > 1:
        found, *tests = stats.compare(pd.Series(second), pd.Series(first))
        line |= dict(zip([name for name in TESTS if name != "pairs"], [*found[:3], *tests], strict=False))
    return line


def _by_parameters(rows: Sequence[dict], shared: Sequence[str], which: str) -> dict[str, dict]:
    done = [row for row in rows if row["status"] == "done"]
    found = {_key(row, shared): row for row in done}
    if len(found) < len(done):
        raise SweepError(
            f"{len(done) - len(found)} points of the {which} sweep differ in parameters that the other one has not; "
            f"both have {', '.join(shared) or 'none'}"
        )
    return found


def _key(row: dict, names: Sequence[str]) -> str:
    return json.dumps([row["parameters"][name] for name in names])
