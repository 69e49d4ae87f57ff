"""The page and the table of two sweeps that are compared."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import pandas as pd

from physnn.lab.running import files
from physnn.lab.statistics.stats import Interval
from physnn.lab.sweeping import asked as folders
from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.compare import Comparison, compare
from physnn.lab.sweeping.notebook import SweepError
from physnn.lab.sweeping.numbers import spec
from physnn.lab.sweeping.question import question
from physnn.lab.sweeping.report import page, page_style
from physnn.lab.sweeping.store import Folder
from physnn.lab.sweeping.tables import cell, html, interval, number

NAMES = ("comparison.csv", "comparison.html")
TOLD = (
    "Differences are second − first, in pairs of points with the same parameters. Equal are values that are the same "
    "to the last digit; what is equal everywhere is in the CSV alone. With two pairs or more there is a 95 % "
    "interval, d, the mean difference over the standard deviation of the differences, and the p of the paired t test, "
    "adjusted by Holm for all rows of a value, and of the exact sign-flip test."
)


def against(first: str | Path, second: str | Path, replicates: Sequence[str] = (), values: Sequence[str] = ()) -> str:
    """Compare two folders, or in one that is given twice the code before with the code of the last command.

    It writes ``comparison.csv`` and ``comparison.html`` into the second folder.

    Returns:
        What was found, in a few lines.

    Raises:
        SweepError: a folder holds no sweep, or one folder no other code, or as
            :func:`physnn.lab.sweeping.compare.compare`.
    """
    one, other = Folder(first), Folder(second)
    asked = folders.read(other)
    question(asked.contract, replicates)
    if one.path.resolve() == other.path.resolve():
        before, told = _old_code(asked, other)
    else:
        before, told = folders.rows(folders.read(one), one), _names(one, other)[0]
    after = folders.rows(asked, other)
    if not before or not after:
        raise SweepError(f"{one.path if not before else other.path} has no finished point yet")
    found = compare(before, after, replicates or asked.question.replicates)
    if values:
        found = replace(found, table=found.table[found.table.value.isin(list(values))])
    files.write(other.path / NAMES[0], found.table.to_csv(index=False, lineterminator="\n"))
    files.write(other.path / NAMES[1], _page(asked, found, told, _names(one, other)[1]))
    told = "\n".join(_summary(found)).replace("−", "-").replace("\N{NO-BREAK SPACE}", " ")  # for any terminal
    return f"{told}\nall of it: {other.path / NAMES[1]}"


def _names(one: Folder, other: Folder) -> tuple[str, str]:
    """Return what tells two folders apart, without the place of both."""
    first, second = one.path.resolve(), other.path.resolve()
    place = os.path.commonpath([first.parent, second.parent])
    return first.relative_to(place).as_posix(), second.relative_to(place).as_posix()


def _old_code(asked: Asked, folder: Folder) -> tuple[list[dict], str]:
    """Return the rows of the code that came last before the one of the last command."""
    others = [row for row in folder.rows() if (row["notebook"], row["package"]) != (asked.digest, asked.package)]
    if not others:
        raise SweepError(f"all points of {folder.path} are of the same code; name two folders, or run the new code")
    code = others[-1]["notebook"], others[-1]["package"]
    same = [row for row in others if (row["notebook"], row["package"]) == code]
    return same, f"commit {others[-1]['commit'] or 'unknown'}, notebook {code[0][:12]}, package {code[1][:12]}"


def _summary(found: Comparison) -> list[str]:
    table, (before, after) = found.table, found.alone
    exact = table.groupby("value", sort=False)[["pairs", "equal"]].sum()
    changed = exact[exact.equal < exact.pairs]
    lines = [f"{name} is {one} in the first and {other} in the second" for name, (one, other) in found.apart.items()]
    lines += [
        f"{len(found.points):,} points are in both, {before:,} in the first alone, {after:,} in the second",
        f"{len(exact) - len(changed)} of {len(exact)} values are the same in all of them",
    ]
    for name, row in changed.iterrows():
        rows = table[table.value == name]
        told = f", by at most {abs(rows.largest).max():.4g}" if rows.largest.notna().any() else ""
        if len(rows) == 1 and rows.difference_low.notna().all():
            mean = tuple(rows[["difference", "difference_low", "difference_high"]].iloc[0])
            told += f"; second − first is {Interval(*mean, 0).format(spec(*mean, '+'))}"
        lines.append(f"  {name} differs in {row.pairs - row.equal:,} of {row.pairs:,}{told}")
    return lines


def _page(asked: Asked, found: Comparison, first: str, second: str) -> str:
    differ = found.table.groupby("value").pairs.transform("sum") > found.table.groupby("value").equal.transform("sum")
    table = found.table[differ]
    columns = [(name, [cell(one, exact=True) for one in table[name]]) for name in found.settings]
    columns += [
        ("value", [cell(name) for name in table.value]),
        ("pairs", [cell(n) for n in table.pairs]),
        ("equal", [cell(n) for n in table.equal]),
    ]
    intervals = table[["difference", "difference_low", "difference_high"]].itertuples(index=False, name=None)
    columns += [
        ("second − first [95 %]", [interval(*each, sign="+") for each in intervals]),
        ("largest", [_largest(*each) for each in zip(table.largest, table.point, strict=True)]),
        ("d", [number(d, "+.2f") for d in table.effect]),
        ("p (t, Holm)", [number(p) for p in table.get("holm_p", pd.Series(float("nan"), table.index))]),
        ("p (signs)", [number(p) for p in table.flip_p]),
    ]
    parts = [f"<p>First: {escape(first)}<br>Second: {escape(second)}</p>"]
    parts += [f"<p>{escape(line.strip())}.</p>" for line in _summary(found)]
    parts += [f'<p class="muted">{TOLD} All of it: <a href="comparison.csv">comparison.csv</a>.</p>']
    parts += html(columns, "Differences")
    style = page_style()
    mark = hashlib.sha256("\n".join([style, *parts]).encode()).hexdigest()
    return page(f"{asked.notebook}: comparison", parts, style, "", {}, mark)


def _largest(value: float, point: str) -> str:
    told = "" if pd.isna(value) else f"{value:+.4g}".replace("-", "−")
    return (
        f'<td class="n"><a href="points/{point}.ipynb">{told}</a></td>'
        if point and told
        else f'<td class="n">{told}</td>'
    )
