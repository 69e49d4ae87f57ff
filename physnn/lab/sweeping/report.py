"""The page of a sweep: what it answers, the failures, every number against every parameter, and the points."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from string import Template

from physnn.lab.figures.palette import TOKENS
from physnn.lab.running import files
from physnn.lab.sweeping import figures, tables
from physnn.lab.sweeping.answer import Answer
from physnn.lab.sweeping.asked import Asked, count
from physnn.lab.sweeping.progress import duration
from physnn.lab.sweeping.question import Question
from physnn.lab.sweeping.store import Folder

FAILURES = 50
UNFOLDED = 3  # so many failures do not hide the answer
TEXT = 10 * tables.LENGTH  # of an error
PAGE = Template("""\
<!doctype html>
<!-- $mark -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src '$hash'">
<title>$title: sweep</title>
<style>
$style
</style>
</head>
<body>
<h1>$title</h1>
$body
<script type="application/json">$data</script>
<script>$script</script>
</body>
</html>
""")
POINTS = """\
<div class="controls live" hidden>
<label class="wide">Filter <input id="filter" type="search" placeholder="%s" autocomplete="off"></label>
<label>Rows <input id="most" type="number" min="1" value="200"></label>
<label>sorted by <select id="by"><option></option>%s</select></label>
<label>first the <select id="way"><option>largest</option><option>smallest</option></select></label>
</div>"""


def report(asked: Asked, rows: Sequence[dict], answer: Answer | None, folder: Folder) -> None:
    """Write ``index.html``, which needs nothing but itself; leave it as it is where nothing has changed."""
    style, script = page_style(), page_script("figures.js", "page.js")
    kept = folder.points.exists()  # what is to be linked to; a record of a sweep is without
    mark = hashlib.sha256(json.dumps([style, script, asdict(asked), rows, kept]).encode()).hexdigest()
    path = folder.path / "index.html"
    if path.exists() and f"<!-- {mark} -->" in path.read_text(encoding="utf-8")[:200]:
        return
    varied = [name for name in asked.contract if len({repr(row["parameters"].get(name)) for row in rows}) > 1]
    glued, same = _glued(asked, rows)
    data = figures.data(asked, rows, varied, glued) | {"files": kept}
    parts = [*_summary(asked, rows, varied), *_failures(rows, varied, kept), *_answer(asked.question, answer)]
    parts += [*_figures(data), *_points(data, rows), *_same(same)]
    files.write(path, page(asked.notebook, parts, style, script, data, mark))


def page(title: str, parts: Sequence[str], style: str, script: str, data: Mapping, mark: str) -> str:
    """Return a page of these parts; no script runs in it but this one, whatever a notebook has glued."""
    told = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = {"title": escape(title), "body": "\n".join(parts), "style": style, "script": script}
    return PAGE.substitute(mark=mark, hash=f"sha256-{digest}", data=told, **shown)


def page_style() -> str:
    """Return the stylesheet, with the book's colours on a light and on a dark page."""
    light, dark = (
        "".join(f"--{name}: {getattr(token, theme)}; " for name, token in TOKENS.items()) for theme in ("light", "dark")
    )
    tokens = (
        f":root {{ color-scheme: light dark; {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}"
    )
    return f"{tokens}\n{_text('page.css')}"


def page_script(*names: str) -> str:
    """Return the files as one script."""
    return f'(() => {{\n"use strict";\n{"".join(map(_text, names))}}})();'


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _glued(asked: Asked, rows: Sequence[dict]) -> tuple[list[str], dict[str, object]]:
    """Return the values that the page has a column for, those asked about first, and the others: all the same."""
    some = [row["values"] for row in rows if row["values"]]
    names = list(dict.fromkeys(name for values in some for name in values))
    same = {name: some[0].get(name) for name in names if len({repr(values.get(name)) for values in some}) == 1}
    if len(some) < 2:  # nothing to differ from
        same = {}
    asked_about = [name for name in asked.question.values if name in names]
    others = [name for name in names if name not in same and name not in asked_about]
    return [*asked_about, *others], {name: value for name, value in same.items() if name not in asked_about}


def _same(values: Mapping[str, object]) -> list[str]:
    if not values:
        return []
    columns = [
        ("value", [tables.cell(name) for name in values]),
        ("in every run", list(map(tables.cell, values.values()))),
    ]
    told = f"{len(values):,} values are the same in every run"
    return [f"<details><summary>{told}</summary>", *tables.html(columns, told), "</details>"]


def _figures(data: Mapping) -> list[str]:
    axes = [column["name"] for column in data["columns"] if column.get("axis")]
    # The run time is not what a sweep is for; it comes last.
    values = sorted((name for name in data["curves"] if data["curves"][name]), key=lambda name: name == figures.TIME)
    if not axes or not values:
        return []
    selects = [("value", "Number", values, 0)]
    if len(axes) > 1:
        selects += [("across", "over", axes, 0), ("up", "and", axes, 1)]
    controls = [
        f'<label>{told} <select id="{name}">{_choices(names, chosen)}</select></label>'
        for name, told, names, chosen in selects
    ]
    return [
        "<h2>Numbers against parameters</h2>",
        f'<p class="muted">{_legend(data)}</p>',
        "<noscript><p>The figures need JavaScript; the tables stand by themselves.</p></noscript>",
        f'<div class="controls live" hidden>{"".join(controls)}</div>',
        '<div class="panels" id="figures"></div>',
    ]


def _legend(data: Mapping) -> str:
    curves = [curve for some in data["curves"].values() for curve in some.values()]
    told = ["A dot is a point; those that the filter below has chosen stand out."]
    if any("smooth" not in curve for curve in curves):
        told.append("A line goes through the means of all points at a value.")
    if any(curve.get("low") for curve in curves):
        told.append("The bars of the means are 95 % intervals.")
    if any("smooth" in curve for curve in curves):
        told.append("Along a parameter with many values it is a smoothing spline, chosen by cross-validation.")
    if sum(bool(column.get("axis")) for column in data["columns"]) > 1:
        told.append("The last figure has the chosen points over two parameters: their means, or where one was drawn")
        told.append("each by itself.")
    return " ".join(told)


def _points(data: Mapping, rows: Sequence[dict]) -> list[str]:
    columns = [column["name"] for column in data["columns"]]
    example = next((column for column in data["columns"] if column.get("axis")), None)
    shown = f"{example['name']}={example['levels'][0]} " if example else ""
    hint = escape(f"{shown}seconds<60 failed", quote=True)
    return ["<h2>Points</h2>", POINTS % (hint, _choices(columns)), *tables.points(rows, data["columns"], data["files"])]


def _choices(names: Sequence[str], chosen: int = -1) -> str:
    return "".join(f"<option{' selected' * (i == chosen)}>{escape(name)}</option>" for i, name in enumerate(names))


def _answer(question: Question, answer: Answer | None) -> list[str]:
    if answer is None:
        return []
    told = f"Means over {', '.join(question.replicates)} with 95 % intervals."
    if question.baseline:
        base = ", ".join(f"{name} = {value}" for name, value in question.baseline.items())
        told += f" Differences are those to {base} with all else the same, paired over the replicates; d is their mean "
        told += (
            "over their standard deviation. The p of the paired t test is adjusted by Holm for all differences of a "
        )
        told += "value; that of the exact sign-flip test is not."
    parts = tables.answers(answer, question.replicates)
    return [
        "<h2>Answer</h2>",
        f'<p class="muted">{escape(told)} All of it: <a href="means.csv">means.csv</a>.</p>',
        *parts,
    ]


def _summary(asked: Asked, rows: Sequence[dict], varied: Sequence[str]) -> list[str]:
    total = duration(sum(row["seconds"] for row in rows))
    same = [f"{name} = {value}" for name, value in rows[0]["parameters"].items() if name not in varied]
    fixed = f" The same everywhere: {', '.join(same)}." if same else ""
    commits = ", ".join(
        dict.fromkeys(row["commit"] + " with changes" * bool(row.get("dirty")) for row in rows if row["commit"])
    )
    made_from = f"notebook {asked.digest[:12]}, package {asked.package[:12]}"
    return [
        f"<p>{count(asked, rows)}. In all the runs took {total}. Varied: "
        f"{escape(', '.join(varied)) or 'nothing'}.{escape(fixed)}</p>",
        f'<p class="muted">Made from {made_from}{escape(f", commit {commits}") if commits else ""}. '
        'All numbers: <a href="table.csv">table.csv</a>.</p>',
        *([f"<p>{escape(asked.found)}</p>"] if asked.found else []),
        *_mixed(rows),
    ]


def _mixed(rows: Sequence[dict]) -> list[str]:
    """Say what is not part of a point's name and yet differs; rows of earlier versions do not tell."""
    found = {what: list(dict.fromkeys(row[what] for row in rows if row.get(what))) for what in ("torch", "threads")}
    told = [f"{what} {', '.join(map(str, several))}" for what, several in found.items() if several[1:]]
    return [f"<p>The points were not all run with the same {escape('; '.join(told))}.</p>"] if told else []


def _failures(rows: Sequence[dict], varied: Sequence[str], kept: bool) -> list[str]:
    failed = [row for row in rows if row["status"] != "done"]
    if not failed:
        return []
    few = " open" * (len(failed) <= UNFOLDED)
    parts = [f'<details{few}><summary class="failed">{len(failed):,} failed</summary>']
    for row in failed[:FAILURES]:
        where = ", ".join(f"{name} = {row['parameters'][name]}" for name in varied) or row["point"]
        error = tables.cut(row["error"], TEXT)
        files_of = f"; {tables.links(row)}" if kept else ""
        parts.append(f"<div>{escape(where)}: {row['status']}{files_of}</div>\n<pre>{escape(error)}</pre>")
    if len(failed) > FAILURES:
        parts.append(f"<p>These are the first {FAILURES}; all are in table.csv, with their errors.</p>")
    return [*parts, "</details>"]
