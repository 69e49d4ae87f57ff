"""What the points of a sweep say together: means over the replicates, and paired differences to a baseline."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from physnn.lab.sweeping.numbers import estimate, known
from physnn.lab.sweeping.question import Question

if TYPE_CHECKING:
    import pandas as pd

CONTRASTS = 2000  # that are tested, at a few milliseconds each
TESTS = ["difference", "difference_low", "difference_high", "pairs", "effect", "t_p", "flip_p", "holm_p"]


@dataclass(frozen=True)
class Answer:
    """What the points say together.

    Attributes:
        table: a row for each value and setting: the parameters that tell the settings apart, ``value``, ``mean``,
            ``low``, ``high`` and ``n``; with a baseline also ``difference`` with ``difference_low`` and
            ``difference_high``, ``pairs``, ``effect``, ``t_p``, ``flip_p`` and ``holm_p``, as
            :func:`physnn.lab.statistics.stats.comparisons` has them. The family of ``holm_p`` is one value's
            differences.
        settings: the parameters that tell the settings apart.
        notes: what a reader of the table must know.
    """

    table: "pd.DataFrame"
    settings: list[str]
    notes: list[str]


def answer(rows: Sequence[dict], question: Question) -> Answer:
    """Put the runs of each setting together; those that failed, or whose value is not finite, are left out.

    A setting is all parameters but the replicates. It is compared with the setting that has the baseline's values and
    is the same otherwise, over the replicates that both have.
    """
    import pandas as pd

    done = [row for row in rows if row["status"] == "done"]
    names = [name for name in (rows[0]["parameters"] if rows else ()) if name not in question.replicates]
    settings = [name for name in names if len({_key(row, [name]) for row in rows}) > 1]
    keys: dict[tuple, dict] = {}  # of each setting, an example
    for row in rows:
        keys.setdefault(_key(row, names), row)
    places = {key: i for i, key in enumerate(keys)}
    replicates = {key: i for i, key in enumerate(dict.fromkeys(_key(row, question.replicates) for row in rows))}
    cells = [(places[_key(row, names)], replicates[_key(row, question.replicates)]) for row in done]
    pairs = _pairs(names, list(keys), question)
    values, notes = _values(done, question)
    if len(values) * len(pairs) > CONTRASTS:
        notes.append(
            f"{len(values) * len(pairs):,} differences are too many to be tested one by one: ask about fewer values "
            "with --values"
        )
        pairs = {}
    frames, lacking = [], {}
    for value in values:
        matrix = np.full((len(keys), len(replicates)), np.nan)
        for (place, replicate), row in zip(cells, done, strict=True):
            if one := estimate(row["values"].get(value)):
                matrix[place, replicate] = one.value
        frames.append(_answered(value, matrix, pairs, bool(question.baseline)))
        lacking.setdefault(int((~np.isfinite(matrix)).sum()), []).append(value)
    runs = len(keys) * len(replicates)
    told = {_listed(some): f"{count:,} of {runs:,} runs" for count, some in lacking.items() if count}
    notes += [f"{some}: {missing} are missing, failed, or have no finite number" for some, missing in told.items()]
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["value"])
    columns = {name: [row["parameters"][name] for row in keys.values()] * len(frames) for name in settings}
    taken = [name for name in columns if name in table]
    columns = {f"parameter.{name}" if name in taken else name: column for name, column in columns.items()}
    if question.baseline and not pairs and frames:
        notes.append("No two settings differ in the baseline alone")
    return Answer(pd.concat([pd.DataFrame(columns), table], axis=1), settings, notes)


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"


def _values(done: Sequence[dict], question: Question) -> tuple[list[str], list[str]]:
    """Return the values that are asked about, and what is to be said of others."""
    glued = dict.fromkeys(name for row in done for name in row["values"])
    series = {name: [row["values"].get(name) for row in done] for name in question.values or glued}
    if not question.values:
        return [name for name, found in series.items() if known(found) and len(set(map(repr, found))) > 1], []
    wrong = [name for name in question.values if name not in glued or not known(series[name])]
    listed = ", ".join(glued) or "nothing"
    notes = [f"{name} is no number that every run has glued; they glued {listed}" for name in wrong if done]
    return [name for name in question.values if name not in wrong], notes


def _pairs(names: Sequence[str], keys: Sequence[tuple], question: Question) -> dict[int, int]:
    """Return the place of the baseline of each setting that has another one than itself."""
    places = {key: i for i, key in enumerate(keys)}
    wanted = {names.index(name): json.dumps(value) for name, value in question.baseline.items() if name in names}
    found = {i: places.get(tuple(wanted.get(j, part) for j, part in enumerate(key))) for key, i in places.items()}
    return {i: base for i, base in found.items() if wanted and base is not None and base != i}


def _answered(value: str, matrix: np.ndarray, pairs: dict[int, int], compared: bool) -> "pd.DataFrame":
    import pandas as pd

    from physnn.lab.statistics.many import mean_intervals
    from physnn.lab.statistics.stats import compare, holm

    frame = mean_intervals(matrix)
    frame.insert(0, "value", value)
    if not compared:
        return frame
    frame[TESTS] = np.nan
    for place, base in pairs.items():
        both = np.isfinite(matrix[place]) & np.isfinite(matrix[base])
        frame.loc[place, "pairs"] = both.sum()
        if both.sum() > 1:
            found, *tests = compare(pd.Series(matrix[place][both]), pd.Series(matrix[base][both]))
            frame.loc[place, TESTS[:-1]] = [*found, *tests]
    tested = frame.t_p.dropna()
    if len(tested):
        frame.loc[tested.index, "holm_p"] = holm(tested)
    return frame


def _key(row: dict, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(json.dumps(row["parameters"].get(name)) for name in names)
