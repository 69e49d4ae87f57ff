"""The page of a sweep: readable anywhere, safe whatever a notebook glues, and drawn only when something changed."""

import json
import math
import os
import random
import re
import subprocess
import sys

import pytest

from physnn.lab.statistics.stats import mean_interval
from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.figures import data
from physnn.lab.sweeping.notebook import load
from physnn.lab.sweeping.numbers import Estimate, drawable, estimate
from physnn.lab.sweeping.question import Question
from physnn.lab.sweeping.report import report
from physnn.lab.sweeping.store import Folder
from tests.lab.sweeping.pages import EVIL, asked, row
from tests.lab.sweeping.sweeps import make_notebook


def page(folder):
    return (folder.path / "index.html").read_text(encoding="utf-8")


def test_the_page_has_every_point_and_needs_nothing_else(written):
    _, rows, folder = written
    text = page(folder)
    assert "6 of 7 points are done" in text
    assert "Varied: quartic, seed, name." in text
    assert text.count("<tr>") == 1 + len(rows) + 1 + 2  # the points, and the values that are the same in all
    links = set(re.findall(r'href="([^#"]+)"', text))
    assert links == {"table.csv"} | {f"points/{r['point']}.{kind}" for r in rows for kind in ("ipynb", "log")}
    assert all((folder.path / link).exists() for link in links - {"table.csv"})
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//|@import|url\((?!#)", text)
    # Two numbers and the run time can be drawn; what is the same in every run has no column.
    (choices,) = re.findall(r'<select id="value">(.*?)</select>', text)
    assert re.findall(r"<option[^>]*>(.*?)</option>", choices) == ["energy", "accuracy", "seconds"]
    assert "2 values are the same in every run" in text
    assert '<td>fixed</td><td class="n">3</td>' in text
    shown = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
    assert [column["name"] for column in shown["columns"]][-2:] == ["energy", "accuracy"]


def test_a_value_that_is_asked_about_has_a_column_whatever_it_is(written, tmp_path):
    notebook, rows, _ = written
    folder = Folder(tmp_path / "asked")
    folder.path.mkdir()
    report(asked(notebook, Question(values=("fixed",))), rows, None, folder)
    assert '<th scope="col" class="n">fixed</th>' in page(folder)


def test_a_single_run_has_all_its_values_in_the_table_of_points(written, tmp_path):
    notebook, rows, _ = written
    folder = Folder(tmp_path / "one")
    folder.path.mkdir()
    report(asked(notebook), rows[:1], None, folder)
    assert "the same in every run" not in page(folder)
    assert '<th scope="col" class="n">fixed</th>' in page(folder)


def test_a_page_without_the_files_of_its_points_has_no_links_to_them(written, tmp_path):
    """As that of a sweep which was recorded without its notebooks and logs."""
    notebook, rows, _ = written
    folder = Folder(tmp_path / "record")
    folder.path.mkdir()
    report(asked(notebook), rows, None, folder)
    assert set(re.findall(r'href="([^#"]+)"', page(folder))) == {"table.csv"}


def test_what_a_notebook_glues_or_raises_is_text(written):
    text = page(written[2])
    assert EVIL not in text
    written_out = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;$x"
    assert text.count(written_out) == 1 + 2  # the error, and a value with its name that is the same in every run
    assert "<b>bold" not in text
    assert "<title>tiny &amp; &lt;i&gt;.ipynb: sweep</title>" in text


def test_an_unchanged_page_is_not_drawn_again(written):
    notebook, rows, folder = written
    path = folder.path / "index.html"
    path.write_text(path.read_text().replace("Varied", "Kept"))
    report(asked(notebook), rows, None, folder)
    assert "Kept: quartic" in page(folder)
    report(asked(notebook), [*rows[:-1], row(7)], None, folder)
    assert "Varied: quartic" in page(folder)
    assert "7 of 7 points are done" in page(folder)


def test_a_cached_sweep_imports_neither_dask_nor_papermill_nor_torch(written, tmp_path):
    from physnn.lab.sweeping import cli
    from physnn.lab.sweeping.grid import points
    from physnn.lab.sweeping.notebook import made_from

    notebook, _, folder = written
    package = made_from(notebook.text, notebook.path.parent)
    (point,) = points(notebook, package, {"seed": "2"})
    sources = {"notebook": notebook.digest, "package": package}
    folder.keep(row(1, point=point.name, parameters=point.parameters, **sources), b"{}", "log")
    command = ["sweep", str(notebook.path), "--grid", "seed=2", "--out", str(folder.path)]
    assert cli.main(command) == 0  # draws the page
    heavy = "{'torch', 'distributed', 'papermill', 'matplotlib', 'IPython'}"
    code = f"import sys; from physnn.lab.sweeping.cli import main; print(main({command!r}), {heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert result.stdout.splitlines() == [f"1 of 1 points are done: {folder.path}", "0 set()"]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (2, Estimate(2, 2, 2)),
        ("−1,204.5", Estimate(-1204.5, -1204.5, -1204.5)),
        ("93.20 [92.80,\xa093.60]", Estimate(93.2, 92.8, 93.6)),
        ("1e-3", Estimate(1e-3, 1e-3, 1e-3)),
        ("MNIST, 3 images", None),
        ("1,2", None),  # two numbers, not twelve
        (10**400, None),
        ("1e400", None),
        ("−inf", None),
        ("1 [0, 1e999]", None),
        (True, None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_numbers_are_found_in_texts(value, read):
    assert estimate(value) == read


def test_only_numbers_that_differ_are_drawn():
    assert drawable([1, None, 2.0, float("inf"), 10**400, "1e400", "nan", "−inf"])
    assert not drawable([1, 1, None])
    assert not drawable([1, 2, "many"])
    assert not drawable([None])


def drawn_from(xs, values=None, **drawn):
    """What the script is given for one parameter and one value."""
    rows = [
        {**row(i), "parameters": {"x": x}, "values": {"y": y}}
        for i, (x, y) in enumerate(zip(xs, values or xs, strict=True))
    ]
    question = Question(("seed",))
    one = Asked("tiny.ipynb", "0", "1", {"x": None}, [], drawn, question)
    told = data(one, rows, ["x"], ["y"])
    return told["columns"][0], told["curves"].get("y", {}).get("x")


@pytest.mark.parametrize(
    ("xs", "drawn", "scale"),
    [
        ([0.01, 0.1, 1.0], {}, "log"),
        ([1, 10, 20], {}, "linear"),
        ([0, 1e-5, 1e-4, 1e-3], {}, "symlog"),
        (range(201), {}, "linear"),
        (["b", "a", "$x$"], {}, "places"),
        ([10**400, 1], {}, "places"),  # beyond an axis
        ([float("inf"), 1.0], {}, "places"),
        ([0.2, 0.25, 0.3], {"x": "log"}, "log"),
        ([0.001, 0.01, 0.9], {"x": "uniform"}, "linear"),
    ],
)
def test_axes_suit_the_parameter(xs, drawn, scale):
    assert drawn_from(list(xs), [1.0, 2.0] + [3.0] * (len(xs) - 2), **drawn)[0]["scale"] == scale


def test_a_line_goes_through_the_means_with_their_intervals():
    heights = [1.0, 2.0, 4.0, 0.5, 0.7, 0.1]
    _, line = drawn_from([3, 1, 3, 1, 3, 1], heights)
    assert line["x"] == [1, 3]
    for i, some in enumerate(([2.0, 0.5, 0.1], [1.0, 4.0, 0.7])):
        expected = mean_interval(some)
        assert (line["mean"][i], line["low"][i], line["high"][i]) == pytest.approx(expected[:3], rel=1e-6)


@pytest.mark.parametrize("count", [40, 3000])
def test_a_smooth_goes_through_drawn_values(count):
    """Within three standard errors of local means of 40 points, and of a fifth of the noise with 3,000."""
    draws = random.Random(0)
    xs = [float(f"{10 ** draws.uniform(-3, 0):.6g}") for _ in range(count)]
    axis, line = drawn_from(xs, [math.sin(2 * math.log10(x)) + draws.gauss(0, 0.3) for x in xs], x="log")
    assert axis["drawn"] and line["smooth"] and "low" not in line
    assert line["x"] == sorted(line["x"])
    off = [abs(y - math.sin(2 * math.log10(x))) for x, y in zip(line["x"], line["mean"], strict=True)]
    assert max(off) < (0.4 if count == 40 else 0.1)
    assert drawn_from(xs[:4], [1.0, 2.0, 3.0, 4.0], x="log")[1] is None  # too few for one


def test_the_page_of_a_large_sweep_is_small_and_says_what_it_leaves_out(tmp_path, monkeypatch):
    monkeypatch.setattr("physnn.lab.sweeping.figures.TEXTS", 50)
    monkeypatch.setattr("physnn.lab.sweeping.tables.ROWS", 20)
    monkeypatch.setattr("physnn.lab.sweeping.report.FAILURES", 3)
    rows = [
        row(i, status="failed" if i % 10 == 0 else "done", error="E" * 9999 if i % 10 == 0 else "") for i in range(90)
    ]
    rows[0]["values"] |= {"long": "a" * 9999, "large": 10**400, "infinite": float("inf")}
    rows[1]["parameters"]["quartic"] = 1000004.55203
    (tmp_path / "out").mkdir()
    report(asked(load(make_notebook(tmp_path))), rows, None, Folder(tmp_path / "out"))
    text = page(Folder(tmp_path / "out"))
    assert '"cells":[90.0,91.0,92.0,' in text  # the accuracies, without their intervals
    assert "The first 20 of 90; all are in table.csv." in text
    assert text.count("<tr>") == 1 + 20 + 1 + 2
    assert text.count("E" * 3000) == 3
    assert "E" * 3001 not in text
    assert "9 failed" in text
    assert "the first 3; all are in table.csv" in text
    assert "a" * 300 + "…" in text
    assert "a" * 301 not in text
    assert f"<td>{10**299}…</td>" in text
    assert "<td>inf</td>" in text
    assert '<td class="n">1000004.55203</td>' in text
    shown = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
    assert len(shown["points"]) == 90  # the script has them all
