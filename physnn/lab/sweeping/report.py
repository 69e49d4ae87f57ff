"""The page of a sweep: what was varied, every number against every parameter, the table, the failures."""

import hashlib
import json
from collections.abc import Sequence
from html import escape
from string import Template

from physnn.lab.figures.palette import TOKENS, dark_stylesheet
from physnn.lab.running import files
from physnn.lab.sweeping.notebook import Notebook
from physnn.lab.sweeping.progress import duration
from physnn.lab.sweeping.store import Folder

ROWS = 1000  # of the table that a page shows
FAILURES = 50
LENGTH = 300  # of a text in the table, whose cells are narrow
PAGE = Template("""\
<!doctype html>
<!-- $mark -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title: sweep</title>
<style>
$style
</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")
STYLE = """\
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem clamp(.8rem, 3vw, 2rem) 3rem; max-width: 80rem;
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; overflow-wrap: anywhere; }
p, dl { max-width: 60rem; margin: .3rem 0; overflow-wrap: anywhere; }
a { color: var(--baseline); }
.muted { color: var(--muted); }
.failed { color: var(--proposal); }
.panels { display: grid; gap: .6rem 1.5rem; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); }
figure { margin: 0; min-width: 0; }
figure svg { width: 100%; max-width: 26rem; height: auto; display: block; }
.scroll { overflow-x: auto; max-height: 80vh; border: 1px solid var(--grid); border-radius: 4px; }
.scroll:focus-visible { outline: 2px solid var(--baseline); }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .3rem .7rem; text-align: left; border-bottom: 1px solid var(--grid); }
td { max-width: 22rem; overflow: hidden; text-overflow: ellipsis; }
th { position: sticky; top: 0; background: var(--paper); }
.n { text-align: right; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0 .8rem; font-size: .9rem; }
"""


def report(notebook: Notebook, rows: Sequence[dict], folder: Folder) -> None:
    """Write ``index.html``, which needs nothing but itself; leave it as it is where nothing has changed."""
    content = json.dumps([notebook.digest, [row["package"] for row in rows], rows])
    mark = hashlib.sha256(content.encode()).hexdigest()
    path = folder.path / "index.html"
    if path.exists() and f"<!-- {mark} -->" in path.read_text(encoding="utf-8")[:200]:
        return  # drawing takes seconds
    varied = [name for name in notebook.contract if len({repr(row["parameters"][name]) for row in rows}) > 1]
    glued = list(dict.fromkeys(name for row in rows for name in row["values"]))
    glued.sort(key=lambda name: len({repr(row["values"].get(name)) for row in rows}) == 1)  # constants last
    parts = [*_summary(notebook, rows, varied), *_failures(rows, varied), *_panels(rows, varied, glued)]
    parts += _table(rows, varied, glued)
    page = PAGE.substitute(mark=mark, title=escape(notebook.path.name), style=_style(), body="\n".join(parts))
    files.write(path, page)


def _style() -> str:
    light, dark = (
        "".join(f"--{name}: {getattr(token, theme)}; " for name, token in TOKENS.items()) for theme in ("light", "dark")
    )
    tokens = (
        f":root {{ color-scheme: light dark; {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}"
    )
    return f"{tokens}\n{STYLE}{dark_stylesheet()}"


def _summary(notebook: Notebook, rows: Sequence[dict], varied: Sequence[str]) -> list[str]:
    done = [row for row in rows if row["status"] == "done"]
    total = duration(sum(row["seconds"] for row in rows))
    same = [f"{name} = {value}" for name, value in rows[0]["parameters"].items() if name not in varied]
    fixed = f" The same everywhere: {', '.join(same)}." if same else ""
    commits = ", ".join(
        dict.fromkeys(row["commit"] + " with changes" * bool(row.get("dirty")) for row in rows if row["commit"])
    )
    made_from = f"notebook {notebook.digest[:12]}, package {rows[0]['package'][:12]}"
    return [
        f"<p>{len(done)} of {len(rows)} points are done, in {total} of runs. Varied: "
        f"{escape(', '.join(varied)) or 'nothing'}.{escape(fixed)}</p>",
        f'<p class="muted">Made from {made_from}{escape(f", commit {commits}") if commits else ""}. '
        'All numbers: <a href="table.csv">table.csv</a>.</p>',
        *_mixed(rows),
    ]


def _mixed(rows: Sequence[dict]) -> list[str]:
    """Say what is not part of a point's name and yet differs; rows of earlier versions do not tell."""
    found = {what: list(dict.fromkeys(row[what] for row in rows if row.get(what))) for what in ("torch", "threads")}
    told = [f"{what} {', '.join(map(str, several))}" for what, several in found.items() if several[1:]]
    return [f"<p>The points were not all run with the same {escape('; '.join(told))}.</p>"] if told else []


def _failures(rows: Sequence[dict], varied: Sequence[str]) -> list[str]:
    failed = [row for row in rows if row["status"] != "done"]
    parts = [f'<h2 class="failed">{len(failed)} failed</h2>'] if failed else []
    for row in failed[:FAILURES]:
        where = ", ".join(f"{name} = {row['parameters'][name]}" for name in varied) or row["point"]
        error = _cut(row["error"], 10 * LENGTH)
        parts.append(f"<div>{escape(where)}: {row['status']}; {_links(row)}</div>\n<pre>{escape(error)}</pre>")
    if len(failed) > FAILURES:
        parts.append(f"<p>These are the first {FAILURES}; all are in table.csv, with their errors.</p>")
    return parts


def _panels(rows: Sequence[dict], varied: Sequence[str], glued: Sequence[str]) -> list[str]:
    from physnn.lab.sweeping.panels import drawable, legend, panel

    series = {name: [row["values"].get(name) for row in rows] for name in glued}
    series["run time, s"] = [row["seconds"] if row["status"] == "done" else None for row in rows]
    against = {name: [row["parameters"][name] for row in rows] for name in varied}
    parts = []
    for name, values in series.items():
        if varied and drawable(values):
            parts += [f"<section><h3>{escape(name)}</h3>", '<div class="panels">']
            for parameter, xs in against.items():
                svg = panel(parameter, xs, values)
                label = escape(f"{name} against {parameter}", quote=True)
                parts.append(f'<figure role="img" aria-label="{label}">{svg}</figure>')
            parts.append("</div></section>")
    if len(varied) == 1:  # then the values stand side by side, and not the parameters of each
        parts = ['<div class="panels">', *parts, "</div>"]
    return ["<h2>Numbers against parameters</h2>", f'<p class="muted">{legend(against)}</p>', *parts] if parts else []


def _table(rows: Sequence[dict], varied: Sequence[str], glued: Sequence[str]) -> list[str]:
    shown = rows[:ROWS]
    columns = [
        ("files", [f"<td>{_links(row)}</td>" for row in shown]),
        *((name, [_cell(row["parameters"][name], exact=True) for row in shown]) for name in varied),
        ("status", [f"<td>{escape(row['status'])}</td>" for row in shown]),
        ("seconds", [_cell(row["seconds"]) for row in shown]),
        *((name, [_cell(row["values"].get(name)) for row in shown]) for name in glued),
    ]
    heads = "".join(
        f'<th class="n">{escape(name)}</th>'
        if any('class="n"' in cell for cell in cells)
        else f"<th>{escape(name)}</th>"
        for name, cells in columns
    )
    lines = [f"<tr>{''.join(cells)}</tr>" for cells in zip(*(cells for _, cells in columns), strict=True)]
    first = f'<p class="muted">The first {ROWS:,} of {len(rows):,}; all are in table.csv.</p>'
    return [
        "<h2>Points</h2>",
        *([first] if len(rows) > ROWS else []),
        '<div class="scroll" tabindex="0" role="region" aria-label="All points">',
        f"<table><thead><tr>{heads}</tr></thead><tbody>",
        *lines,
        "</tbody></table></div>",
    ]


def _cell(value: object, *, exact: bool = False) -> str:
    """Show a value; a number with six digits, or with all where it must not be taken for another."""
    if isinstance(value, float):
        short = f"{value:.6g}"
        return f'<td class="n">{value if exact and float(short) != value else short}</td>'
    if isinstance(value, int):
        return f'<td class="n">{_cut(str(value), LENGTH)}</td>'
    return f"<td>{escape('' if value is None else _cut(str(value), LENGTH))}</td>"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def _links(row: dict) -> str:
    return " ".join(
        f'<a href="points/{row["point"]}.{kind}">{name}</a>' for kind, name in (("ipynb", "notebook"), ("log", "log"))
    )
