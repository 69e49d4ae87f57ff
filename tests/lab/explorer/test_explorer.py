"""The ablation explorer: every arm is in its tables, and what Chromium draws and computes is what Python says."""

import hashlib
import json
import math
import re
import urllib.parse
from html import unescape

import numpy as np
import pandas as pd
import pytest
import yaml

from physnn.lab import explorer as package
from physnn.lab.explorer import explorer, page, read_grids
from physnn.lab.explorer.grid import FAR, packed, write
from physnn.lab.records.provenance import RESULTS, recording_minutes
from physnn.lab.statistics import stats
from tests.reading import CHROMIUM, OVERHANG, Complaints, opened, served

GRIDS = read_grids()
STUDIES = list(GRIDS)
SHOWN = [name for name, grid in GRIDS.items() if grid.measures]
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH (Debian: apt-get install chromium)")

FINAL = {"seeds": [0, 1, 2, 3], "epochs": 2}
TUNING = {"lr": [0.1, 1.0], "beta_init": [0.1, 10.0], "seeds": [9], "epochs": 1}
ARM = {"widths": [4, 2], "beta_init": "search"}
ARMS = {"as printed": {}, "unlucky": {}, "lost": {}, "plain": {"loss": "cross-entropy"}}
DESIGNS = {
    "a<b": {"question": "Is <b> safe & sound?", "models": {"MLP": ARM}, "arms": ARMS, "tuning": TUNING,
            "final": FINAL, "contrasts": [["as printed", "plain"]]},
    "tuned": {"question": "Where?", "arms": {"one": ARM}, "tuning": TUNING},
    "unrun": {"question": "What?", "arms": {"one": ARM}, "tuning": TUNING, "final": FINAL},
}  # fmt: skip


def small_table(design: dict) -> pd.DataFrame:
    """Make up a study's rows: seed 3 of "unlucky" diverges, all but one of "lost", and "plain" has no energy."""
    rows, rng = [], np.random.default_rng(0)
    arms = [f"{model}: {arm}" for model in design.get("models", []) for arm in design["arms"]] or list(design["arms"])
    for arm in arms:
        for lr in TUNING["lr"]:
            for beta in TUNING["beta_init"]:
                lost = beta == 10.0
                for epoch in range(1 if lost else 2):
                    row = {"phase": "tuning", "arm": arm, "lr": lr, "beta_init": beta, "seed": 9, "epoch": epoch}
                    rows.append(row | {"validation_accuracy": lr / 2, "diverged": lost})
        for seed in design.get("final", {"seeds": []})["seeds"]:
            lost = (arm.endswith("unlucky") and seed == 3) or (arm.endswith("lost") and seed > 0)
            for epoch in range(2 if lost else 3):
                row = {"phase": "final", "arm": arm, "lr": 1.0, "beta_init": 0.1, "seed": seed, "epoch": epoch}
                row |= {"validation_accuracy": rng.uniform(0.8, 0.9), "diverged": lost, "loss": rng.uniform(1e-6, 2e-6)}
                row["negative"] = np.nan if arm.endswith("plain") else rng.uniform()
                if epoch == 2:
                    row |= {"test_accuracy": rng.uniform(0.8, 0.9), "error_a_1": 0.2, "error_b_1": 0.4}
                rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder of results with what recorded studies may hold, and one that has not run."""
    results = tmp_path_factory.mktemp("results")
    made = {"seconds_of_this_run": 90, "seconds_of_training": 90, "device": "a machine"}
    for name, design in DESIGNS.items():
        (results / name).mkdir()
        (results / name / "design.yml").write_text(yaml.safe_dump(design, sort_keys=False))
        if name == "unrun":
            continue
        small_table(design).to_csv(results / name / "table.csv", index=False)
        digests = {
            "design": hashlib.sha256(json.dumps(design, sort_keys=True).encode()).hexdigest(),
            "table": hashlib.sha256((results / name / "table.csv").read_bytes()).hexdigest(),
        }
        (results / name / "provenance.json").write_text(json.dumps(made | digests))
    return results


def output(grids, *arguments) -> str:
    """Return the HTML that is displayed, alone on a page."""
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "display", lambda result: shown.append(result.data))
        explorer(grids, *arguments)
    head = '<!doctype html><html data-theme="light"><meta charset="utf-8"><link rel="icon" href="data:,">'
    head += '<meta name="viewport" content="width=device-width">'
    return f'{head}<body><div class="text_html">{shown[0]}</div></body></html>'


@pytest.fixture(scope="module")
def site(tmp_path_factory, small):
    folder = tmp_path_factory.mktemp("explorer")
    first = "loss-terms"
    (folder / "index.html").write_text(output(GRIDS, first, "test_accuracy", {first: "05.html"}), encoding="utf-8")
    (folder / "small.html").write_text(output(read_grids(small), "a<b"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def address(site):
    with served(site) as address:
        yield address


@pytest.fixture
def visit(browser, address):
    """Open a page with something picked in its address; whatever it complained about fails the test."""
    pages = []

    def visit(name="index", **picked):
        context = opened(browser, f"{address}{name}.html#{urllib.parse.urlencode(picked)}")
        shown, complaints = context.__enter__()
        pages.append((context, complaints))
        return shown

    yield visit
    for context, complaints in pages:
        assert complaints == Complaints()
        context.__exit__(None, None, None)


def by_arm(shown, **picked) -> dict[str, dict]:
    """Pick, and return the rows that are drawn then: mean, low and high, the text beside them, and n."""
    return shown.evaluate(
        """picked => {
            for (const [name, value] of Object.entries(picked)) {
                const select = document.querySelector(`[name=${name}]`);
                select.value = value;
                if (select.value !== value) throw new Error(`${name} offers no ${value}`);
                select.dispatchEvent(new Event("change", {bubbles: true}));
            }
            return Object.fromEntries([...document.querySelectorAll(".forest tbody tr")].map(row => [row.dataset.term, {
                ...row.dataset, text: row.querySelector(".value").innerText, n: row.querySelector(".n").innerText,
                drawn: row.querySelectorAll("circle, .beyond").length}]));
        }""",
        picked,
    )


def plain(text: str) -> str:
    return text.replace("−", "-")


# The tables


@pytest.mark.parametrize("name", STUDIES)
def test_the_tables_hold_every_arm_and_what_stats_says(site, name):
    grid = GRIDS[name]
    html = (site / "index.html").read_text(encoding="utf-8")
    section = re.search(rf'<section data-study="{name}">.*?</section>', html, re.DOTALL)[0]
    assert grid.study.design["question"] in unescape(section)
    assert f"make results STUDY={name}" in section
    assert f"/results/{name}/design.yml" in section and f"/results/{name}/table.csv" in section
    assert f"{recording_minutes(grid.study.provenance):.0f} minutes" in section
    rows = re.findall(r'<tr><th scope="row">(.+)', section)
    assert len(rows) == len(grid.study.arms)
    shown = [arm for arms in grid.models.values() for arm in arms.values()]  # one width after another
    assert sorted(shown) == sorted(grid.study.arms)
    plan, table = grid.study.design.get("final"), grid.study.table()
    for row, arm in zip(rows, shown, strict=True):
        cells = row.split("<td>")
        assert arm.endswith(unescape(cells[0]))
        if not plan:
            continue
        ends = table[(table.phase == "final") & (table.arm == arm) & (table.epoch == plan["epochs"])]
        assert cells[1] == f"{len(ends)} of {len(plan['seeds'])}"
        ends = ends.assign(**{"error_*": ends.filter(like="error_").mean(axis=1)})
        for cell, measure in zip(cells[-len(grid.measures) :], grid.measures, strict=True):
            values = grid.columns[measure].scale * ends[measure].where(np.isfinite).dropna()
            if len(values) > 1 and values.abs().max() <= FAR:
                assert cell == write(stats.mean_interval(values), grid.columns[measure].decimals)
            else:
                assert cell in ("–", "diverged", "one run")


def test_the_settings_in_the_tables_are_those_of_the_final_runs():
    for name in SHOWN:
        grid, table = GRIDS[name], GRIDS[name].study.table()
        final = table[table.phase == "final"]
        assert (final.groupby("arm").lr.nunique() == 1).all()
        rates = grid.numbers().lr.map(plain).astype(float)
        assert rates.to_dict() == pytest.approx(final.groupby("arm").lr.first().to_dict(), rel=5e-3)


def test_numbers_are_packed_to_five_digits():
    values = [0.123456789, 0.1, float("nan"), -0.05]
    decimals, low, *offsets = packed(values)
    back = [None if o is None else (low + o) / 10**decimals for o in offsets]
    assert back == [0.12346, 0.1, None, -0.05]
    assert packed([float("nan")] * 3) is None
    assert packed([93.12, 93.2], 3) == [2, 9312, 0, 8]
    assert packed([0.0, 0.0]) == [0, 0, 0, 0]
    assert packed([1234567.0, 1000000.0]) == [-2, 10000, 2346, 0]


def test_small_and_large_means_are_written_with_a_power_of_ten():
    assert write(stats.Interval(2.004e-5, 1.9e-5, 2.1e-5, 9), None) == "2.00 [1.90,\xa02.10] ×10⁻⁵"
    assert write(stats.Interval(-0.00205, -0.003, -0.001, 9), None) == "−2.05 [−3.00,\xa0−1.00] ×10⁻³"
    assert write(stats.Interval(0.0, 0.0, 0.0, 9), None) == "0.000 [0.000,\xa00.000]"
    assert write(stats.Interval(1.5e6, 1e6, 2e6, 9), None) == "1.50 [1.00,\xa02.00] ×10⁶"


def test_an_arm_with_a_value_that_is_far_away_has_no_mean(small):
    grid = read_grids(small)["a<b"]
    far = (grid.runs.arm == "MLP: plain") & (grid.runs.seed == grid.plan["seeds"][-1])
    grid.runs = grid.runs.assign(test_accuracy=grid.runs.test_accuracy.mask(far, 2e9))
    values = grid.by_seed("test_accuracy")
    assert values["MLP: plain"].isna().all() and values["MLP: as printed"].notna().all()
    assert grid.numbers().test_accuracy["MLP: plain"] == "–"
    assert grid.curve("MLP: plain") is not None
    grid.curves = grid.curves.assign(
        validation_accuracy=grid.curves.validation_accuracy.mask(grid.curves.epoch == 1, -2e9)
    )
    assert grid.curve("MLP: plain") is None


def test_what_has_not_run_is_left_out_and_what_diverged_is_said(small):
    grids = read_grids(small)
    assert list(grids) == ["a<b", "tuned"]
    numbers = grids["a<b"].numbers()
    assert numbers.runs.tolist() == ["4 of 4", "3 of 4", "1 of 4", "4 of 4"]
    assert numbers.test_accuracy["MLP: lost"] == "one run"
    assert numbers.negative["MLP: plain"] == "–" and "[" in numbers.negative["MLP: unlucky"]
    assert numbers["error_*"]["MLP: unlucky"] == "30.00 [30.00,\xa030.00]"
    assert numbers.diverged.tolist() == ["2 of 4"] * 4
    assert numbers.beta_init.tolist() == ["0.1"] * 4 and "×10⁻⁶" in numbers.loss["MLP: plain"]
    assert not grids["tuned"].measures
    (best,) = grids["tuned"].numbers().itertuples(index=False)
    assert (best.lr, best.beta_init, best.best) == ("1", "0.1", "50.00")


def test_the_studies_stand_in_the_order_of_the_chapters_about_them(small):
    html = output(read_grids(small), "tuned", "test_accuracy", {"elsewhere": "a.html", "tuned": "b.html"})
    assert re.findall(r"<option[^>]*>([^<]*)", html)[:2] == ["tuned", "a&lt;b"] and 'href="b.html"' in html


def test_an_unknown_study_or_measure_is_refused(small):
    with pytest.raises(ValueError, match=r"nothing is recorded as 'unrun'.*a<b, tuned"):
        explorer(read_grids(small), "unrun")
    with pytest.raises(ValueError, match=r"tuned knows no 'beauty'.*test_accuracy"):
        explorer(read_grids(small), "tuned", "beauty")


def test_it_stays_small_and_names_nothing_foreign(site):
    html = (site / "index.html").read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1]
    designs = [grid.study for grid in GRIDS.values() if "final" in grid.study.design]
    runs = sum(len(study.arms) * len(study.design["final"]["seeds"]) for study in designs)
    assert len(data.encode()) < 5_000 + 42 * runs
    assert not re.search(r"(?:src|@import|url\()\s*=?\s*['\"]?(?:https?:)?//", html)
    assert set(re.findall(r"https?://[^\"'/]+", html)) == {"https://github.com", "http://www.w3.org"}


def test_what_the_package_needs_beside_python_is_beside_it():
    folder = package.__path__[0]
    for name in ("numbers.js", "drawing.js", "page.js", "page.css"):
        text = page._text(name)
        assert len(text.splitlines()) < 250 and text.endswith("\n"), f"{folder}/{name}"


def test_the_parameter_knows_every_study_with_final_runs():
    """But those that look beyond an edge of another study: the page offers them, and nobody begins with them."""
    names = {"printed": "as-printed", "loss": "loss-terms", "layer": "layer-terms", "optimizer": "optimizer-terms"}
    text = (RESULTS.parent / "notebooks" / "explorer.md").read_text(encoding="utf-8")
    choices = re.search(r"^study: str.*\{(.*)\}$", text, re.MULTILINE)[1].split(", ")
    recorded = (path.with_name("design.yml") for path in RESULTS.glob("*/table.csv"))
    designs = {path.parent.name: yaml.safe_load(path.read_text()) for path in recorded}
    wanted = {name for name, design in designs.items() if "final" in design and "widens" not in design}
    assert {names.get(choice, choice) for choice in choices} == wanted


# In Chromium


@in_chromium
@pytest.mark.parametrize("name", SHOWN)
def test_absolute_values_are_those_of_the_tables(visit, name):
    grid, shown = GRIDS[name], visit(study=name)
    every = grid.numbers()
    for model, arms in grid.models.items():
        for measure in grid.measures:
            rows = by_arm(shown, model=model, measure=measure)
            assert list(rows) == list(arms)
            numbers, values = every[measure], grid.by_seed(measure)
            for term, arm in arms.items():
                assert rows[term]["text"] == numbers[arm]
                if "[" in numbers[arm]:
                    digits = grid.columns[measure].decimals  # read from the table, to its last digit
                    within = {"rel": 6e-3, "abs": 6e-5} if digits is None else {"abs": 0.6 * 10.0**-digits}
                    assert float(rows[term]["mean"]) == pytest.approx(values[arm].mean(), **within)
                assert rows[term]["drawn"] == ("[" in numbers[arm])


def half_of_the_fifth(values):
    """Half of the last digit where the largest has five: without decimals of its own, a measure is inlined so."""
    largest = values.abs().max().max()
    return 0.5 * 10.0 ** (math.floor(math.log10(largest)) - 4) if largest else 0.0


@in_chromium
@pytest.mark.parametrize("name", SHOWN)
def test_differences_computed_in_the_browser_are_those_of_stats(visit, name):
    """Every model, measure and arm, against the first arm and the last; to the digits that are inlined."""
    grid, shown = GRIDS[name], visit(study=name)
    for model, arms in grid.models.items():
        for measure in grid.measures:
            values, decimals = grid.by_seed(measure), grid.columns[measure].decimals
            for against in (next(iter(arms)), list(arms)[-1]):
                rows = by_arm(shown, model=model, measure=measure, against=against)
                assert rows[against]["text"] == "the reference" and "mean" not in rows[against]
                for term, arm in arms.items():
                    both = values[[arm, arms[against]]].dropna() if term != against else []
                    if len(both) < 2:
                        assert "mean" not in rows[term]
                        continue
                    wanted = stats.paired_difference(both[arm], both[arms[against]])
                    found = [float(rows[term][key]) for key in ("mean", "low", "high")]
                    digit = 0.5 * 10.0 ** -(decimals + 1) if decimals is not None else half_of_the_fifth(both)
                    assert found == pytest.approx(list(wanted[:3]), abs=2 * digit + 1e-12)
                    if decimals is not None:  # half a digit may be rounded either way
                        said = [float(number) for number in re.findall(r"[+-][\d.]+", plain(rows[term]["text"]))]
                        assert said == pytest.approx(list(wanted[:3]), abs=0.6 * 10.0**-decimals)


@in_chromium
def test_what_diverged_is_left_out_of_both_arms_and_said(visit, small):
    grid = read_grids(small)["a<b"]
    shown = visit("small", study="a<b", measure="test_accuracy", against="as printed")
    rows, values = by_arm(shown), grid.by_seed("test_accuracy")
    both = values[["MLP: unlucky", "MLP: as printed"]].dropna()
    wanted = stats.paired_difference(both["MLP: unlucky"], both["MLP: as printed"])
    assert wanted.n == 3 and rows["unlucky"]["n"] == "3" and rows["plain"]["n"] == "4"
    assert rows["unlucky"]["text"] == wanted.format("+.2f")
    assert rows["lost"]["text"] == "one run" and "mean" not in rows["lost"]
    told = shown.locator(".told").inner_text()
    assert "Not computed: lost." in told and "Some runs diverged, the means are over the others: unlucky." in told
    assert "β at the start 0.1" in shown.locator(".forest tbody tr").first.inner_text()
    shown.get_by_label("Compared with").select_option("lost")
    assert by_arm(shown)["plain"]["text"] == "no reference"
    shown.get_by_label("Study").select_option("tuned")
    assert shown.get_by_text("No final runs").is_visible() and shown.get_by_text("50.00").is_visible()
    assert not shown.locator(".forest").is_visible()
    assert shown.get_by_text("Where?").is_visible() and not shown.get_by_text("Is <b> safe & sound?").is_visible()


@in_chromium
def test_everything_can_be_done_with_the_keyboard(visit):
    shown = visit(study="loss-terms")
    names = []
    shown.get_by_label("Study").focus()
    for _ in range(60):
        names.append(
            shown.evaluate("(node => node.name || node.innerText || `tick ${node.value}`)(document.activeElement)")
        )
        shown.keyboard.press("Tab")
    order = [
        "study",
        "chapter",
        "model",
        "measure",
        "against",
        "all",
        "none",
        "tick as printed",
        "sorted",
        "whole",
        "as printed",
    ]
    places = [names.index(name) for name in order]
    assert places == sorted(places), names
    assert {"design", "table", "those of the contrasts"} <= set(names)

    shown.get_by_label("Measure").focus()
    shown.keyboard.press("ArrowDown")
    assert "MLP: test NLL, nats" in shown.locator(".forest caption").inner_text()
    shown.get_by_label("Compared with").focus()
    shown.keyboard.press("ArrowDown")
    assert by_arm(shown)["as printed"]["text"] == "the reference"
    none = shown.get_by_role("button", name="none", exact=True)
    none.focus()
    shown.keyboard.press("Enter")
    assert by_arm(shown) == {} and shown.locator("summary", has_text="Arms: 0 of 25").is_visible()
    for arm in ("cross-entropy", "quartic +5"):
        shown.get_by_role("checkbox", name=arm, exact=True).focus()
        shown.keyboard.press("Space")
    assert list(by_arm(shown)) == ["quartic +5", "cross-entropy"]
    assert shown.evaluate("document.activeElement.value") == "quartic +5", "the focus was lost while drawing"
    shown.get_by_role("checkbox", name="sort by value").focus()
    shown.keyboard.press("Space")
    means = [float(row["mean"]) for row in by_arm(shown).values()]
    assert means == sorted(means, reverse=True)
    shown.get_by_role("button", name="quartic +5", exact=True).focus()
    shown.keyboard.press("Enter")
    assert shown.locator("tr.pinned").get_attribute("data-term") == "quartic +5"
    assert shown.locator("svg g.pinned").count() == 1
    tables = shown.locator("section:visible > details > summary")
    tables.focus()
    shown.keyboard.press("Enter")
    assert shown.locator("section:visible .scroll table").first.is_visible()


@in_chromium
def test_the_address_keeps_what_is_picked(visit, browser, address):
    shown = visit()
    assert "#" not in shown.url.rstrip("#"), "the address changes before anything is picked"
    shown.get_by_label("Study").select_option("as-printed")
    shown.get_by_label("Model").select_option("all of them")
    shown.get_by_label("Measure").select_option("loss")
    shown.get_by_label("Compared with").select_option("three-layer proposal")
    shown.get_by_role("checkbox", name="one-layer proposal", exact=True).uncheck()
    before = by_arm(shown)
    with opened(browser, shown.url) as (again, _):
        assert by_arm(again) == before
        assert again.get_by_label("Study").input_value() == "as-printed"
        assert again.locator(".forest").count() == 2
    assert len(before) == 7 and before["one-layer plain squared error"]["text"] == "not here"


@in_chromium
def test_curves_are_means_by_epoch_with_their_intervals(visit):
    grid = GRIDS["loss-terms"]
    shown = visit(study="loss-terms", model="MLP", arms="as printed|cross-entropy")
    assert shown.locator("figure g[data-term] > text").all_text_contents() == ["cross-entropy", "as printed"]
    said = shown.locator("figure svg").get_attribute("aria-label")
    for arm in ("as printed", "cross-entropy"):
        last = 100 * grid.curves[(grid.curves.arm == f"MLP: {arm}") & (grid.curves.epoch == 10)].validation_accuracy
        interval = stats.mean_interval(last)
        assert f"{arm} {interval.mean:.2f}" in said
        means, halves = grid.curve(f"MLP: {arm}")
        assert (means[1] + means[-1]) / 10 ** means[0] == pytest.approx(interval.mean, abs=0.00501)
        assert (halves[1] + halves[-1]) / 10 ** halves[0] == pytest.approx(interval.high - interval.mean, abs=0.00501)
        path = shown.locator(f'figure g[data-term="{arm}"] .line').get_attribute("d")
        assert len(re.findall("[ML]", path)) == 10


@in_chromium
def test_what_is_far_away_is_said_and_shown_on_demand(visit):
    shown = visit(study="loss-terms", model="MLP", measure="test_accuracy")
    told = shown.locator(".told")
    assert re.search(r"Beyond the axis: .*no bars", told.inner_text())
    far = shown.locator('tr[data-term="no bars"]')
    assert far.locator(".beyond").count() == 1 and far.locator("circle").count() == 0
    shown.get_by_label("show the whole range").check()
    assert "Beyond" not in told.inner_text() and far.locator("circle").count() == 1
    inside = shown.evaluate(
        """() => [...document.querySelectorAll(".forest circle")].every(dot => {
            const at = dot.getBoundingClientRect(), cell = dot.closest("td").getBoundingClientRect();
            return at.left >= cell.left && at.right <= cell.right;
        })"""
    )
    assert inside


@in_chromium
def test_it_works_by_touch_on_a_phone_in_both_themes(browser, address):
    for theme in ("light", "dark"):
        context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
        shown = context.new_page()
        shown.goto(f"{address}index.html")
        shown.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        assert not shown.get_by_role("button", name="none", exact=True).is_visible(), "the arms are folded on a phone"
        shown.locator("summary", has_text="Arms").tap()
        shown.get_by_role("button", name="none", exact=True).tap()
        shown.get_by_role("checkbox", name="as printed", exact=True).tap()
        assert list(by_arm(shown)) == ["as printed"]
        shown.get_by_role("button", name="as printed", exact=True).tap()
        assert shown.locator("tr.pinned").count() == 1
        assert shown.evaluate(OVERHANG.replace("article", "body")) == [0, []]
        context.close()


@in_chromium
def test_all_tables_stand_where_no_script_runs(browser, site):
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto((site / "index.html").as_uri())
    arms = sum(len(grid.study.arms) for grid in GRIDS.values())
    assert sum(row.is_visible() for row in shown.locator(".scroll tbody tr").all()) == arms
    assert not shown.locator(".live").first.is_visible()
    assert shown.locator("select:visible").count() == 0
    context.close()


@in_chromium
def test_paper_has_all_tables_and_no_controls(visit):
    shown = visit(study="as-printed")
    assert shown.locator("section:visible").count() == 1
    shown.emulate_media(media="print")
    shown.wait_for_function("[...document.querySelectorAll('section > details')].every(tables => tables.open)")
    arms = sum(len(grid.study.arms) for grid in GRIDS.values())
    assert sum(row.is_visible() for row in shown.locator(".scroll tbody tr").all()) == arms
    assert shown.locator("select:visible").count() == 0 and shown.locator("h3:visible").count() == len(STUDIES)
    shown.emulate_media(media="screen")
    shown.wait_for_function("[...document.querySelectorAll('section > details')].every(tables => !tables.open)")


@in_chromium
def test_it_lives_in_a_file(browser, site):
    shown = browser.new_page()
    shown.goto((site / "index.html").as_uri())
    assert shown.locator(".forest tbody tr").count() == 25
    shown.close()
