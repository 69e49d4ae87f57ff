"""Complete tables of the recorded studies, and a script that draws from them what its reader picks.

The tables stand by themselves: on paper, for a screen reader, and where no script runs. The script draws the means and
intervals that they hold, which :mod:`physnn.lab.statistics.stats` has computed. Only paired differences are computed
in the browser, with any arm as the reference, from the values by seed and Student's quantiles that are inlined here.
"""

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

import pandas as pd
from IPython.display import HTML, display
from scipy.stats import t as student

from physnn.lab.explorer.grid import Grid, packed
from physnn.lab.figures.palette import TOKENS
from physnn.lab.records.provenance import recording_minutes

REPOSITORY = "https://github.com/physnn/physnn"
PAGE = """<div id="explorer">
<style>{style}</style>
<p class="pick live"><label>Study <select name="study">{studies}</select></label></p>
{sections}<script type="application/json">{data}</script>
<script>(() => {{
"use strict";
{script}}})();</script>
</div>"""
SECTION = """<section data-study="{name}">
<h3>{name}</h3>
<p class="question">{question}</p>
<p class="facts">{facts}</p>
<div class="highlight"><pre>make results STUDY={name}</pre></div>
<div class="view live"></div>
<details open><summary>All numbers of <code>{name}</code>, as tables</summary>{tables}</details>
</section>
"""
TABLE = """<div class="scroll" role="region" tabindex="0" aria-label="{caption}"><table>
<caption>{caption}</caption><thead><tr><th scope="col">arm{head}</tr></thead>
<tbody>{body}</tbody></table></div>
"""


def explorer(
    grids: Mapping[str, Grid], study: str, measure: str = "", chapters: Mapping[str, str] | None = None
) -> None:
    """Display the studies, ``study`` and ``measure`` first; ``chapters`` has the address of the page about each.

    Without a measure, the one that its task calls the result is first. The studies stand in the order of ``chapters``,
    and after them those that no chapter is about.

    The output loads nothing. What is picked stands in the page's address, which can therefore be sent to somebody.

    Raises:
        ValueError: there is no such study among them, or it has no such measure.
    """
    if study not in grids:
        raise ValueError(f"nothing is recorded as {study!r}. Recorded studies: {', '.join(grids)}")
    measure = measure or grids[study].study.task.RESULT
    if measure not in grids[study].columns:
        raise ValueError(f"{study} knows no {measure!r}; its measures are {', '.join(grids[study].columns)}")
    chapters = chapters or {}
    order = [name for name in chapters if name in grids] + sorted(set(grids) - set(chapters))
    most = max(len(grid.plan["seeds"]) for grid in grids.values())
    shown = {
        "measure": measure,
        "tasks": {grid.study.task_name: _task(grid) for grid in grids.values()},
        "quantile": {n: float(student.ppf(0.975, n - 1)) for n in range(2, most + 1)},
        "studies": {name: _values(grids[name]) for name in order},
    }
    page = PAGE.format(
        style=re.sub(r"var\(--(\w+)\)", _fallback, _text("page.css")),
        studies="".join(f"<option{' selected' * (name == study)}>{escape(name)}</option>" for name in order),
        sections="".join(_section(name, grids[name], chapters.get(name)) for name in order),
        data=json.dumps(shown, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        script="".join(_text(f"{name}.js") for name in ("numbers", "drawing", "page")),
    )
    display(HTML(page))


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _fallback(variable: re.Match) -> str:
    """Give a colour of the book's stylesheet its light value for where there is no book around it, as on Colab."""
    return f"var(--{variable[1]}, {TOKENS[variable[1]].light})" if variable[1] in TOKENS else variable[0]


def _task(grid: Grid) -> dict:
    """Return what the script has to know of a study's task."""
    measures = {
        name: {"label": each.label, "decimals": each.decimals, "margin": each.margin}
        for name, each in grid.columns.items()
    }
    return {"measures": measures, "score": grid.score.label}


def _values(grid: Grid) -> dict:
    """Return what the script cannot take from the tables: roles, values by seed, learning curves."""
    contrasts = grid.study.design.get("contrasts", [])
    values = [(grid.by_seed(name), grid.columns[name].decimals) for name in grid.measures]
    models = {}
    for model, arms in grid.models.items():
        terms = list(arms)
        against = next((second for first, second in contrasts if first == terms[0] and second in terms), None)
        models[model] = {
            "terms": terms,
            "roles": {"proposal": terms[0], "baseline": against},
            "values": [
                [packed(table[arm], decimals if decimals is None else decimals + 1) for table, decimals in values]
                for arm in arms.values()
            ],
            "curves": [grid.curve(arm) for arm in arms.values()],
        }
    contrasted = sorted({term for contrast in contrasts for term in contrast})
    return {
        "task": grid.study.task_name,
        "settings": grid.study.hyperparameters,
        "measures": grid.measures,
        "contrasted": contrasted,
        "models": models,
    }


def _section(name: str, grid: Grid, chapter: str | None) -> str:
    made, numbers = grid.study.provenance, grid.numbers()
    folder = f"{REPOSITORY}/blob/main/results/{name}"
    links = {"chapter": chapter, "design": f"{folder}/design.yml", "table": f"{folder}/table.csv"}
    facts = [
        f"{len(grid.study.arms)} arms",
        f"{len(grid.plan['seeds'])} seeds, {grid.plan['epochs']} epochs" if grid.measures else "tuning runs only",
        f"recorded in {recording_minutes(made):.0f} minutes on {escape(made['device'])}",
        *(f'<a href="{escape(address)}">{word}</a>' for word, address in links.items() if address),
    ]
    return SECTION.format(
        name=escape(name),
        question=escape(grid.study.design.get("question", "")),
        facts=" · ".join(facts),
        tables="".join(_table(name, grid, numbers, model) for model in grid.models),
    )


def _table(name: str, grid: Grid, numbers: pd.DataFrame, model: str) -> str:
    arms, essential = grid.models[model], {"runs", *grid.measures[:2]} if grid.measures else {"diverged", "best"}
    marked = [(key, " data-essential" * (key in essential)) for key in numbers]  # for a page that is narrow
    rows = zip(map(escape, arms), numbers.loc[list(arms.values())].itertuples(index=False), strict=True)
    what = "means and 95 % intervals over seeds" if grid.measures else "the best settings of the tuning"
    return TABLE.format(
        caption=escape(f"{name}, {model}: {what}"),
        head="".join(f'<th scope="col" data-key="{key}"{mark}>{escape(grid.title(key))}' for key, mark in marked),
        body="".join(f'<tr><th scope="row">{term}<td>{"<td>".join(cells)}\n' for term, cells in rows),
    )
