"""Effects of a factorial, against Box, Hunter & Hunter's pilot plant, and against their definition."""

import itertools

import numpy as np
import pandas as pd
import pytest

from physnn.lab.statistics import factorial, stats

# Box, Hunter & Hunter (2005), Table 5.2: yields of a pilot plant; temperature T, concentration C, catalyst K.
YIELDS = [60, 72, 54, 68, 52, 83, 45, 80]  # T changes fastest


def plant():
    rows = [(0, t, c, k) for k, c, t in itertools.product((False, True), repeat=3)]
    return pd.DataFrame(rows, columns=["seed", "T", "C", "K"]).assign(y=YIELDS)


def random_cells(seeds=5, factors="ABC", seed=0):
    rng = np.random.default_rng(seed)
    rows = [(s, *on) for s in range(seeds) for on in itertools.product((False, True), repeat=len(factors))]
    return pd.DataFrame(rows, columns=["seed", *factors]).assign(y=rng.normal(size=len(rows)))


def test_the_pilot_plant():
    """Their Table 5.3: T 23.0, C −5.0, K 1.5, TC 1.5, TK 10.0, CK 0.0, TCK 0.5."""
    found = factorial.effects(plant(), ["T", "C", "K"], "y").loc[0]
    expected = {"T": 23.0, "C": -5.0, "K": 1.5, "T × C": 1.5, "T × K": 10.0, "C × K": 0.0, "T × C × K": 0.5}
    assert found.to_dict() == pytest.approx(expected)
    assert list(found.index) == list(expected)


@pytest.mark.parametrize("factors", ["A", "AB", "ABC", "ABCD"])
def test_effects_and_the_mean_give_the_cells_back(factors):
    cells = random_cells(factors=factors)
    found = factorial.effects(cells.sample(frac=1, random_state=1), list(factors), "y")
    assert found.shape == (5, 2 ** len(factors) - 1) and found.index.name == "seed"
    for _, cell in cells.iterrows():
        signs = {factor: 1 if cell[factor] else -1 for factor in factors}
        total = cells[cells.seed == cell.seed].y.mean()
        for name, value in found.loc[cell.seed].items():
            total += value / 2 * np.prod([signs[factor] for factor in name.split(factorial.TIMES)])
        assert total == pytest.approx(cell.y)


def test_a_family_has_intervals_over_seeds_and_holm_over_all():
    several = {
        name: factorial.effects(random_cells(factors="AB", seed=i), ["A", "B"], "y")
        for i, name in enumerate(["one", "two"])
    }
    found = factorial.family(pd.concat(several, axis=1))
    assert found.index.tolist() == list(itertools.product(["one", "two"], ["A", "B", "A × B"]))
    for (name, effect), row in found.iterrows():
        assert tuple(row[["mean", "low", "high", "n"]]) == pytest.approx(
            stats.mean_interval(several[name][effect]), rel=1e-9
        )
    assert found.holm_p.tolist() == pytest.approx(stats.holm(found.t_p.reset_index(drop=True)).tolist())
    one = factorial.family(several["one"])
    assert one.index.tolist() == ["A", "B", "A × B"] and one.t_p.tolist() == pytest.approx(found.t_p[:3].tolist())


def test_tables_of_a_family_may_have_seeds_of_their_own():
    first = factorial.effects(random_cells(factors="AB"), ["A", "B"], "y")
    second = factorial.effects(random_cells(seeds=3, factors="AB"), ["A", "B"], "y")
    found = factorial.family(pd.concat({"one": first, "two": second}, axis=1))
    assert found.n.tolist() == [5, 5, 5, 3, 3, 3]


def test_a_missing_cell_is_refused():
    cells = random_cells()
    with pytest.raises(ValueError, match=r"each of the 8 cells once.*0: 7.*leave its seed out"):
        factorial.effects(cells.drop(index=3), ["A", "B", "C"], "y")
    with pytest.raises(ValueError, match="each of the 4 cells once"):
        factorial.effects(cells, ["A", "B"], "y")


@pytest.mark.parametrize("factors", [[], ["A", "y"]])
def test_factors_are_true_or_false(factors):
    with pytest.raises(ValueError, match="columns of True and False"):
        factorial.effects(random_cells(), factors, "y")


@pytest.mark.parametrize("column", ["y", "seed"])
def test_a_lost_run_or_a_row_without_a_seed_is_refused(column):
    cells = random_cells(factors="AB").astype({"seed": float})
    cells.loc[5, column] = np.nan
    with pytest.raises(ValueError, match="each of the 4 cells once, with a finite y"):
        factorial.effects(cells, ["A", "B"], "y")


def test_what_is_zero_on_paper_is_no_effect():
    """Decimals that binary numbers do not hold: their sums leave 1e-16, the same for every seed."""
    cells = random_cells(factors="AB")
    cells["y"] = 0.1 * (cells.seed + 1) + 0.3 * cells.A + 0.7 * cells.B
    found = factorial.family(factorial.effects(cells, ["A", "B"], "y"))
    assert found.loc["A × B", ["mean", "t_p", "flip_p", "effect"]].tolist() == [0, 1, 1, 0]
    assert found.loc["A", "mean"] == 0.3
