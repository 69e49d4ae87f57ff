"""The page of a sweep in a browser: nothing is loaded, both themes, filter and order, axes and heat maps."""

import re
from itertools import pairwise

import pytest

from physnn.lab.sweeping.notebook import load
from physnn.lab.sweeping.question import Question
from physnn.lab.sweeping.report import report
from physnn.lab.sweeping.store import Folder
from tests.lab.sweeping.pages import EVIL, asked, row
from tests.lab.sweeping.sweeps import make_notebook
from tests.reading import CHROMIUM, chromium

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")


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
                paper.add((scheme, tab.evaluate("getComputedStyle(document.querySelector('th')).backgroundColor")))
                assert tab.locator("figure").count() == 4  # three parameters, and two of them together
                tab.close()
    assert len(paper) == 2  # the page and its tables have one paper, and another one in the dark


@pytest.fixture
def tab(tmp_path):
    """A page of 40 points with a drawn and a listed parameter, in a browser."""
    rows = []
    for i, lr in enumerate([0.001, 0.01, 0.1, 1.0] * 10):
        given = {"quartic": lr, "seed": i // 4, "name": "plain" if i % 8 < 4 else "<b>bold</b>"}
        rows.append(row(i, parameters=given, values={"energy": -(i % 7) * lr, "text": EVIL}))
    rows[5] |= {"status": "failed", "values": {}}
    folder = Folder(tmp_path / "out")
    folder.path.mkdir()
    report(asked(load(make_notebook(tmp_path)), Question(("seed",))), rows, None, folder)
    with chromium() as browser:
        opened = browser.new_page()
        opened.goto((folder.path / "index.html").as_uri())
        yield opened
        opened.close()


def test_rows_are_filtered_sorted_and_the_best_are_shown(tab):
    def column(name):
        heads = tab.locator("#points th").all_text_contents()
        return tab.locator(f"#points td:nth-child({heads.index(name) + 1})").all_text_contents()

    assert len(column("energy")) == 40
    tab.fill("#filter", "quartic>=0.1 seed<3 name=plain")
    assert column("quartic") == ["0.1", "1"] * 2 and column("seed") == ["0", "0", "2", "2"]
    assert tab.text_content("#told") == "4 of 4 chosen of 40 points."
    assert tab.locator("path.chosen").first.get_attribute("d").count("M") == 4
    tab.fill("#filter", "failed")
    assert column("status") == ["failed"]
    tab.fill("#filter", "nothing like it")
    assert column("status") == []
    tab.fill("#filter", "")
    tab.fill("#most", "3")
    tab.select_option("#by", "energy")
    tab.select_option("#way", "smallest")
    assert column("energy") == ["-6", "-5", "-4"]
    tab.get_by_role("button", name="energy").click()
    assert set(column("energy")) == {"0"}
    assert tab.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    tab.fill("#most", "40")
    assert column("energy")[-1] == ""  # what has none stands last


def test_a_logarithmic_axis_and_a_heat_map(tab):
    assert tab.locator("figure svg").evaluate_all("all => all.map(one => one.ariaLabel)") == [
        *("energy against quartic", "energy against name", "energy over quartic and name")
    ]
    means = tab.locator("path.means").first.get_attribute("d")
    xs = [float(x) for x in re.findall(r"M([\d.]+)", means)]
    assert [b - a for a, b in pairwise(xs)] == pytest.approx([xs[1] - xs[0]] * 3, abs=0.11)
    cells = tab.locator("figure:last-child rect[width='77.5']")
    assert cells.count() == 4 * 2
    tab.select_option("#value", "seconds")
    assert tab.locator("figure svg").first.get_attribute("aria-label") == "seconds against quartic"
