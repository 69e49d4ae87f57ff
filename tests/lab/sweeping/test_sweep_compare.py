"""Two sweeps against each other: the same numbers, other numbers, other points, and old code with new."""

import pandas as pd
import pytest

from physnn.lab.statistics.stats import compare as compared
from physnn.lab.sweeping import cli
from physnn.lab.sweeping.against import against
from physnn.lab.sweeping.compare import compare
from physnn.lab.sweeping.notebook import SweepError, load
from physnn.lab.sweeping.store import Folder
from tests.lab.sweeping.pages import asked, row
from tests.lab.sweeping.quick import in_threads
from tests.lab.sweeping.sweeps import BODY, make_notebook


def rows(energy, seeds=range(5), quartics=(0.0, 1.0), **more):
    return [
        {
            **{"point": f"{q}-{s}", "status": "done", "parameters": {"quartic": q, "seed": s, **more}},
            "values": {"energy": energy(q, s), "name": "same"},
        }
        for q in quartics
        for s in seeds
    ]


def old(q, s):
    return q + (s * 7 % 5) / 3


def new(q, s):
    return old(q, s) + q * (1 + (s * 3 % 4) / 8)


def test_differences_are_paired_by_the_book_s_statistics():
    found = compare(rows(old), rows(new, range(1, 7)), ["seed"])
    assert (len(found.points), found.alone, found.settings) == (8, (2, 4), ["quartic"])
    table = found.table.set_index(["value", "quartic"])
    assert list(table.pairs) == [4] * 4
    assert dict(table.equal) == {("energy", 0.0): 4, ("energy", 1.0): 0, ("name", 0.0): 4, ("name", 1.0): 4}
    pairs = [pd.Series([f(1.0, s) for s in range(1, 5)]) for f in (new, old)]
    expected = compared(*pairs)
    one = table.loc["energy", 1.0]
    assert (one.difference, one.difference_low, one.difference_high) == expected.difference[:3]
    assert (one.effect, one.t_p, one.flip_p) == expected[1:]
    assert one.holm_p == pytest.approx(2 * expected.t_p)  # a family of two
    assert one.largest == pytest.approx(max(pairs[0] - pairs[1]))
    assert table.loc["name", "difference"].isna().all()
    whole = compare(rows(old), rows(new)).table.set_index("value")
    assert whole.pairs["energy"] == 10 and whole.equal["energy"] == 5


def test_points_are_matched_by_the_parameters_that_both_have():
    assert len(compare(rows(old), rows(new, added=3)).points) == 10
    with pytest.raises(
        SweepError, match="10 points of the second sweep differ in parameters that the other one has not"
    ):
        compare(rows(old), rows(old, added=1) + rows(old, added=2))
    with pytest.raises(SweepError, match="no point is done in both; they were matched by quartic, seed"):
        compare(rows(old), rows(old, range(5, 9)))


def test_what_is_fixed_in_both_at_different_values_is_what_they_are_compared_by():
    found = compare(rows(old, lr=0.1), rows(new, range(3), lr=0.2), ["seed"])
    assert (len(found.points), found.apart, found.shared) == (6, {"lr": (0.1, 0.2)}, ["quartic", "seed"])
    assert compare(rows(old, lr=0.1), rows(new, lr=0.1)).apart == {}
    with pytest.raises(SweepError, match="no point is done in both"):  # in the second it is not fixed
        compare(rows(old, lr=0.1), rows(new, lr=0.2) + rows(new, lr=0.3))
    with pytest.raises(SweepError, match="no point is done in both"):  # what only repeats a setting is paired
        compare(rows(old, range(1)), rows(old, range(1, 2)), ["seed"])


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("runs/a", "runs/b", "First: a<br>Second: b"),
        ("a/runs", "b/runs", "First: a/runs<br>Second: b/runs"),
        ("runs", "runs/again", "First: runs<br>Second: runs/again"),
    ],
)
def test_two_folders_are_named_without_the_place_of_both(first, second, told, tmp_path):
    notebook = load(make_notebook(tmp_path / "notebooks"))
    for each in (first, second):
        folder = Folder(tmp_path / each)
        folder.keep(row(1), b"{}", "log")
        asked(notebook).keep(folder)
    against(tmp_path / first, tmp_path / second)
    assert told in (tmp_path / second / "comparison.html").read_text()


def test_two_folders_and_old_code_with_new(tmp_path, monkeypatch, capsys):
    in_threads(monkeypatch, lambda given: {"values": {"energy": old(given["quartic"], given["seed"]), "n": 3}})
    notebook, grid = make_notebook(tmp_path / "notebooks"), ["--grid", "quartic=0,1", "--grid", "seed=0:4"]

    def sweep(out):
        assert cli.main(["sweep", str(notebook), *grid, "--out", str(tmp_path / out)]) == 0

    sweep("first")
    assert cli.main(["report", str(tmp_path / "first"), str(tmp_path / "first")]) == 2
    assert "are of the same code; name two folders" in capsys.readouterr().err
    make_notebook(tmp_path / "notebooks", body=f"{BODY}\nprint('new')\n")
    in_threads(monkeypatch, lambda given: {"values": {"energy": new(given["quartic"], given["seed"]), "n": 3}})
    sweep("first")
    sweep("second")
    capsys.readouterr()
    for before, after in (("first", "first"), ("first", "second")):
        assert cli.main(["report", str(tmp_path / before), str(tmp_path / after), "--replicates", "seed"]) == 0
        said = capsys.readouterr().out
        assert "8 points are in both, 0 in the first alone, 0 in the second" in said
        same = before != after  # the first folder shows its new code
        assert ("2 of 2 values are the same in all of them" in said) == same
        assert ("energy differs in 4 of 8, by at most 1.375" in said) != same
        page = (tmp_path / after / "comparison.html").read_text()
        assert ("First: first<br>Second: second</p>" if same else "First: commit") in page
        assert str(tmp_path) not in page
        assert ("<td>energy</td>" in page) != same and "<td>n</td>" not in page
        assert list(pd.read_csv(tmp_path / after / "comparison.csv").pairs) == [4] * 4
    assert cli.main(["report", str(tmp_path / "first"), str(tmp_path / "first")]) == 0
    # A difference of 0 in four pairs, and 1, 1.375, 1.25, 1.125 in four: Student's t of 7 degrees of freedom.
    assert "by at most 1.375; second - first is +0.59 [+0.06, +1.13]\n" in capsys.readouterr().out
    assert cli.main(["report", str(tmp_path / "first"), str(tmp_path / "none")]) == 2
    assert cli.main(["report", str(tmp_path / "first"), str(tmp_path / "second"), "--baseline", "quartic=0"]) == 2
