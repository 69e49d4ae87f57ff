"""The page of a sweep: readable anywhere, safe whatever a notebook glues, and drawn only when something changed."""

import os
import random
import re
import subprocess
import sys

import pytest

from physnn.lab.sweeping.asked import Asked
from physnn.lab.sweeping.notebook import load
from physnn.lab.sweeping.numbers import Estimate, drawable, estimate
from physnn.lab.sweeping.panels import GROUPS, legend, panel
from physnn.lab.sweeping.question import Question
from physnn.lab.sweeping.report import report
from physnn.lab.sweeping.store import Folder
from tests.lab.sweeping.sweeps import make_notebook
from tests.reading import CHROMIUM, chromium

EVIL = "<script>alert('x')</script> & \"$x"


def row(number, **more):
    parameters = {"quartic": float(number % 3), "seed": number // 3, "name": "<b>bold</b>" if number % 2 else "plain"}
    values = {"energy": number / 7, "accuracy": f"{90 + number}.00 [{89 + number}.00, {91 + number}.00]", EVIL: EVIL}
    made_from = {"notebook": "0" * 64, "package": "1" * 64, "commit": "2" * 12}
    plain = {"point": f"p{number}", "status": "done", "error": "", "seconds": 1.5 + number, "started": f"{number:03}"}
    return {**plain, "parameters": parameters, "values": values | {"fixed": 3}, **made_from, **more}


PLAIN = Question()


def asked(notebook, question=PLAIN, **drawn):
    return Asked(notebook.path.name, "0" * 64, "1" * 64, notebook.contract, [], drawn, question)


@pytest.fixture
def written(tmp_path):
    rows = [row(number) for number in range(6)]
    rows.append(row(6, status="failed", error=EVIL, values={}))
    folder = Folder(tmp_path / "out")
    for each in rows:
        folder.keep(each, b"{}", "log")
    notebook = load(make_notebook(tmp_path, name="tiny & <i>.ipynb"))
    report(asked(notebook), rows, None, folder)
    return notebook, rows, folder


def page(folder):
    return (folder.path / "index.html").read_text(encoding="utf-8")


def test_the_page_has_every_point_and_needs_nothing_else(written):
    _, rows, folder = written
    text = page(folder)
    assert "6 of 7 points are done" in text
    assert "Varied: quartic, seed, name." in text
    assert text.count("<tr>") == 1 + len(rows)
    links = set(re.findall(r'href="([^#"]+)"', text))
    assert links == {"table.csv"} | {f"points/{r['point']}.{kind}" for r in rows for kind in ("ipynb", "log")}
    assert all((folder.path / link).exists() for link in links - {"table.csv"})
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//|@import|url\((?!#)", text)
    # Two numbers and the run time, against three parameters; the constant and the texts are in the table alone.
    assert re.findall(r'aria-label="([^"]+) against (\w+)"', text) == [
        (value, name) for value in ("energy", "accuracy", "run time, s") for name in ("quartic", "seed", "name")
    ]


def test_what_a_notebook_glues_or_raises_is_text(written):
    text = page(written[2])
    assert EVIL not in text
    assert text.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;$x") == 1 + 6 + 1
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


def test_axes_suit_the_parameter():
    """Over a factor of 30 the axis is logarithmic, equal factors being equal distances, but not for even levels."""

    def dots(svg):
        return [float(x) for x in re.findall(r'<use xlink:href="#m\w+" x="([\d.]+)"[^>]*opacity', svg)]

    left, middle, right = dots(panel("lr", [0.01, 0.1, 1], [1, 2, 3]))
    assert middle - left == pytest.approx(right - middle, rel=1e-3)
    left, middle, right = dots(panel("lr", [1, 10, 20], [1, 2, 3]))
    assert (right - left) / (middle - left) == pytest.approx(19 / 9, rel=1e-3)
    zero, left, middle, right = dots(panel("temperature", [0, 1e-5, 1e-4, 1e-3], [1, 2, 3, 4]))
    assert middle - left == pytest.approx(right - middle, rel=1e-3)
    assert left - zero > (right - left) / 4
    seeds = dots(panel("seed", range(201), range(201)))
    assert seeds[100] - seeds[0] == pytest.approx(seeds[200] - seeds[100], rel=1e-3)
    left, middle, right = dots(panel("data", ["b", "a", "$x$"], [1, 2, 3]))
    assert middle - left == pytest.approx(right - middle, rel=1e-3)


def ticks(svg):
    """The texts of the parameter's ticks; matplotlib writes each as a comment before its glyphs."""
    return re.findall(r"<!-- (.+?) -->", svg[svg.index('"matplotlib.axis_1"') : svg.index('"matplotlib.axis_2"')])


def test_ticks_tell_values_apart():
    assert ticks(panel("x", [1.0001, 1.0002, 1.0003], [1, 2, 3])) == ["1.0001", "1.0002", "1.0003", "x"]
    assert len(set(ticks(panel("x", [1e6 + i / 100 for i in range(20)], range(20))))) > 3
    assert ticks(panel("x", [f"text {i}" for i in range(20)], range(20))) == ["x"]  # no room, and no numbers instead
    assert ticks(panel("x", [10**400, 1], [1, 2])) == ["100000…00000", "1", "x"]  # beyond an axis: texts
    assert ticks(panel("x", [float("inf"), 1.0], [1, 2])) == ["inf", "1.0", "x"]


def test_uniform_draws_have_a_linear_axis_and_a_line_through_groups():
    draws = random.Random(0)
    xs = [draws.uniform(-1, 1) for _ in range(400)]
    svg = panel("x", xs, [x + draws.gauss(0, 1) for x in xs])
    assert {"0", "-1"} & {text.replace("−", "-") for text in ticks(svg)}
    (line,) = re.findall(r'<path d="([^"]*)"[^>]*stroke-width: 1.6', svg)
    assert line.count("L") == GROUPS - 1
    groups = legend({"x": xs, "seed": [1, 2] * 200})
    assert f"against x, which have many values, through those of {GROUPS} groups" in groups


def test_the_page_of_a_large_sweep_is_small_and_says_what_it_leaves_out(tmp_path, monkeypatch):
    monkeypatch.setattr("physnn.lab.sweeping.panels.DOTS", 50)
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
    assert "A dot is a point: 50 of 90 are drawn, chosen by chance" in text
    assert "of all points." in text
    assert "The first 20 of 90; all are in table.csv." in text
    assert text.count("<tr>") == 1 + 20
    assert text.count("E" * 3000) == 3
    assert "E" * 3001 not in text
    assert "9 failed" in text
    assert "the first 3; all are in table.csv" in text
    assert "a" * 300 + "…" in text
    assert "a" * 301 not in text
    assert f'<td class="n">{10**299}…</td>' in text
    assert '<td class="n">inf</td>' in text
    assert '<td class="n">1000004.55203</td>' in text
    figure = re.search(r"<figure.*?</figure>", text, re.DOTALL)[0]
    paths = re.findall(r'<path d="([^"]*)"[^>]*stroke-opacity: 0.5', figure)
    assert [path.count("M") for path in paths] == [50]  # all dots in one path


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")
def test_the_page_in_a_browser(written):
    path = written[2].path / "index.html"
    paper = set()
    with chromium() as browser:
        for width in (390, 1200):
            for scheme in ("light", "dark"):
                tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
                said = []
                tab.on("console", lambda message, said=said: said.append(message.text))
                tab.on("request", lambda asked, said=said: said.append(asked.url))
                tab.goto(path.as_uri())
                assert said == [path.as_uri()]  # one request, and no complaint
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
                paper.add((scheme, tab.evaluate("getComputedStyle(document.body).backgroundColor")))
                paper.add((scheme, tab.evaluate("getComputedStyle(document.querySelector('figure path')).fill")))
                tab.close()
    assert len(paper) == 2  # the page and its figures have one paper, and another one in the dark
