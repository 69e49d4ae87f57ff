"""The page of a sweep: what was varied, every number against every parameter, the table, the failures."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from string import Template

from physnn.lab.figures.palette import TOKENS, dark_stylesheet
from physnn.lab.running import files
from physnn.lab.sweeping import tables
from physnn.lab.sweeping.answer import Answer
from physnn.lab.sweeping.asked import Asked, count
from physnn.lab.sweeping.numbers import drawable
from physnn.lab.sweeping.progress import duration
from physnn.lab.sweeping.question import Question
from physnn.lab.sweeping.store import Folder

VERSION = 2  # of the page: a folder's is drawn again when it is another one
FAILURES = 50
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
details { margin: .4rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
.n { text-align: right; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .2rem 0 .8rem; font-size: .9rem; }
"""


def report(asked: Asked, rows: Sequence[dict], answer: Answer | None, folder: Folder) -> None:
    """Write ``index.html``, which needs nothing but itself; leave it as it is where nothing has changed."""
    content = json.dumps([VERSION, asdict(asked), rows])
    mark = hashlib.sha256(content.encode()).hexdigest()
    path = folder.path / "index.html"
    if path.exists() and f"<!-- {mark} -->" in path.read_text(encoding="utf-8")[:200]:
        return  # drawing takes seconds
    varied = [name for name in asked.contract if len({repr(row["parameters"].get(name)) for row in rows}) > 1]
    glued = list(dict.fromkeys(name for row in rows for name in row["values"]))
    glued.sort(key=lambda name: len({repr(row["values"].get(name)) for row in rows}) == 1)  # constants last
    parts = [*_summary(asked, rows, varied), *_failures(rows, varied), *_answer(asked.question, answer)]
    parts += [*_panels(rows, varied, glued), *tables.points(rows, varied, glued)]
    page = PAGE.substitute(mark=mark, title=escape(asked.notebook), style=_style(), body="\n".join(parts))
    files.write(path, page)


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


def _style() -> str:
    light, dark = (
        "".join(f"--{name}: {getattr(token, theme)}; " for name, token in TOKENS.items()) for theme in ("light", "dark")
    )
    tokens = (
        f":root {{ color-scheme: light dark; {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}"
    )
    return f"{tokens}\n{STYLE}{dark_stylesheet()}"


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
        error = tables.cut(row["error"], 10 * tables.LENGTH)
        parts.append(f"<div>{escape(where)}: {row['status']}; {tables.links(row)}</div>\n<pre>{escape(error)}</pre>")
    if len(failed) > FAILURES:
        parts.append(f"<p>These are the first {FAILURES}; all are in table.csv, with their errors.</p>")
    return parts


def _panels(rows: Sequence[dict], varied: Sequence[str], glued: Sequence[str]) -> list[str]:
    from physnn.lab.sweeping.panels import legend, panel

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
