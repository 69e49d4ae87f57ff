"""The tables of a sweep's page: what the points say together, and every one of them."""

from collections.abc import Sequence
from html import escape

import pandas as pd

from physnn.lab.statistics.stats import Interval, written_p
from physnn.lab.sweeping.answer import Answer
from physnn.lab.sweeping.numbers import spec

ROWS = 200  # of a table that a page shows where no script runs
OPEN, MANY = 3, 8  # values whose answers are open; of more than so many the others are folded together
LENGTH = 300  # of a text in a table, whose cells are narrow


def answers(answer: Answer, replicates: Sequence[str]) -> list[str]:
    """Show the means of each value, and its differences to the baseline, a row for each setting."""
    parts = [f'<p class="muted">{escape(note)}.</p>' for note in answer.notes]
    compared = "difference" in answer.table and answer.table.pairs.notna().any()
    several = answer.table["value"].nunique()
    for number, (value, table) in enumerate(answer.table.groupby("value", sort=False)):
        if number == OPEN and several > MANY:
            parts.append(f"<details><summary>{several - OPEN} more values</summary>")
        shown = table[:ROWS]
        columns = [
            (name, [cell(one, exact=True) for one in shown[column]]) for name, column in _settings(answer, shown)
        ]
        means = shown[["mean", "low", "high"]].itertuples(index=False, name=None)
        columns.append(("mean [95 %]", [interval(*mean) for mean in means]))
        columns += _differences(shown) if compared else [("n", [cell(n) for n in shown.n])]
        cut = f'<p class="muted">The first {ROWS:,} of {len(table):,}; all are in means.csv.</p>' * (len(table) > ROWS)
        label = f"{value}, over {', '.join(replicates)}"
        parts += [
            f"<details{' open' * (number < OPEN)}><summary>{escape(value)}</summary>{cut}",
            *html(columns, label),
            "</details>",
        ]
    return parts + ["</details>"] * (several > MANY)


def points(rows: Sequence[dict], columns: Sequence[dict], files: bool) -> list[str]:
    """Show points with links to their files, and all that the page's script knows of them to sort and filter them."""
    shown = rows[:ROWS]
    cells = [("files", [f"<td>{links(row)}</td>" for row in shown])] if files else []
    for column in columns:
        words = (
            [column["words"][code] for code in column["codes"][:ROWS]] if "codes" in column else column["cells"][:ROWS]
        )
        cells.append((column["name"], [cell(one, exact=bool(column.get("axis"))) for one in words]))
    first = f"The first {ROWS:,} of {len(rows):,}; all are in table.csv." if len(rows) > ROWS else ""
    return [f'<p class="muted" id="told">{first}</p>', '<div id="points">', *html(cells, "All points"), "</div>"]


def html(columns: Sequence[tuple[str, Sequence[str]]], label: str) -> list[str]:
    """Arrange columns of cells as a table that scrolls in itself."""
    heads = "".join(
        f'<th scope="col" class="n">{escape(name)}</th>'
        if any('class="n"' in cell for cell in cells)
        else f'<th scope="col">{escape(name)}</th>'
        for name, cells in columns
    )
    lines = [f"<tr>{''.join(cells)}</tr>" for cells in zip(*(cells for _, cells in columns), strict=True)]
    return [
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label, quote=True)}">',
        f"<table><thead><tr>{heads}</tr></thead><tbody>",
        *lines,
        "</tbody></table></div>",
    ]


def cell(value: object, *, exact: bool = False) -> str:
    """Show a value; a number with six digits, or with all where it must not be taken for another."""
    if isinstance(value, float):
        short = f"{value:.6g}"
        return f'<td class="n">{value if exact and float(short) != value else short}</td>'
    if isinstance(value, int):
        return f'<td class="n">{cut(str(value), LENGTH)}</td>'
    return f"<td>{escape('' if value is None else cut(str(value), LENGTH))}</td>"


def cut(text: str, length: int) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= length else f"{text[:length]}…"


def links(row: dict) -> str:
    """Return the links to what a point has left."""
    return " ".join(
        f'<a href="points/{row["point"]}.{kind}">{name}</a>' for kind, name in (("ipynb", "notebook"), ("log", "log"))
    )


def _settings(answer: Answer, table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the parameters that tell settings apart, each with its column."""
    return list(zip(answer.settings, table.columns, strict=False))


def _differences(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    intervals = table[["difference", "difference_low", "difference_high"]].itertuples(index=False, name=None)
    told = [
        ("minus baseline [95 %]", [interval(*each, sign="+") for each in intervals]),
        ("n", [cell(n) for n in table.n]),
        ("pairs", [number(n, ".0f") for n in table.pairs]),
        ("d", [number(d, "+.2f") for d in table.effect]),
    ]
    named = {"p (t, Holm)": "holm_p", "p (signs)": "flip_p"}
    return told + [(name, [number(p) for p in table[column]]) for name, column in named.items()]


def interval(mean: float, low: float, high: float, sign: str = "") -> str:
    """Show a mean with its interval, where there are any."""
    if pd.isna(mean):
        return '<td class="n"></td>'
    if pd.isna(low):
        return f'<td class="n">{mean:.6g}</td>'
    return f'<td class="n">{Interval(mean, low, high, 0).format(spec(mean, low, high, sign))}</td>'


def number(value: float, form: str = "") -> str:
    """Show a number in a format, or as a p."""
    told = (
        ""
        if pd.isna(value)
        else format(value, form).replace("-", "−").replace("inf", "∞")
        if form
        else written_p(value)
    )
    return f'<td class="n">{told}</td>'
