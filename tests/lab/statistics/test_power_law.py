"""Power laws: known ones come back, the fit is that of scipy, and intervals cover as often as they say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import curve_fit

from physnn.lab.statistics import power_law
from physnn.lab.statistics.power_law import RANGE, exponent_difference, fit_power_law, law_intervals, resampled, slopes
from physnn.lab.statistics.stats import mean_interval

SIZES = [250, 600, 1500, 4000, 10000, 25000, 60000]


def law(n, a, b, c):
    return a + b * np.asarray(n, float) ** -c


@pytest.mark.parametrize("c", [0.05, 0.3, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("a", [0.0, 0.01, 0.2])
def test_a_known_law_comes_back(a, c):
    found = fit_power_law(SIZES, law(SIZES, a, 0.9 * 250**c, c))
    assert found.exponent == pytest.approx(c, rel=1e-4)
    assert found.amplitude == pytest.approx(0.9 * 250**c, rel=1e-3)
    assert found.floor == pytest.approx(a, abs=2e-4)


def test_it_is_the_fit_of_scipy():
    """Bounded least squares of relative residuals, started near: no misfit of scipy's is lower, of 40 noisy curves."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        true = rng.uniform(0, 0.05), rng.uniform(2, 10), rng.uniform(0.2, 0.8)
        errors = law(SIZES, *true) * np.exp(0.05 * rng.standard_normal(len(SIZES)))
        found = fit_power_law(SIZES, errors)
        theirs, _ = curve_fit(
            law, SIZES, errors, p0=true, sigma=errors, bounds=([0, 0, RANGE[0]], [1, np.inf, RANGE[1]]), xtol=1e-12,
            ftol=1e-12, gtol=1e-12, x_scale=[0.01, 1, 0.1], max_nfev=20_000,
        )  # fmt: skip
        ours, other = (np.sum((law(SIZES, *p) / errors - 1) ** 2) for p in (found, theirs))
        assert ours <= other * (1 + 1e-6)
        if other <= ours * (1 + 1e-6):
            assert found.exponent == pytest.approx(theirs[2], rel=2e-2)


def test_many_curves_are_fitted_as_one_by_one():
    rng = np.random.default_rng(1)
    errors = law(SIZES, 0.02, 3, 0.5) * np.exp(0.1 * rng.standard_normal((2, 5, len(SIZES))))
    together = fit_power_law(SIZES, errors)
    assert together.exponent.shape == (2, 5)
    assert together(SIZES).shape == errors.shape
    for index in np.ndindex(2, 5):
        alone = fit_power_law(SIZES, errors[index])
        assert [float(part[index]) for part in together] == pytest.approx([*map(float, alone)], rel=1e-6, abs=1e-9)
        assert together(SIZES)[index] == pytest.approx(law(SIZES, *alone))


def test_the_unit_of_a_size_is_no_matter():
    """Images, or thousands of them: floor and exponent are the same, the amplitude is 1000^-c of it."""
    errors = law(SIZES, 0.02, 3, 0.5) * [1.1, 0.9, 1.05, 1, 0.95, 1.02, 1]
    one, thousand = fit_power_law(SIZES, errors), fit_power_law(np.array(SIZES) / 1000, errors)
    assert thousand.exponent == pytest.approx(one.exponent, rel=1e-6)
    assert thousand.floor == pytest.approx(one.floor, rel=1e-6)
    assert thousand.amplitude == pytest.approx(one.amplitude * 1000**-one.exponent, rel=1e-4)
    tenfold = fit_power_law(SIZES, 10 * errors)
    assert [*tenfold] == pytest.approx([10 * one.floor, 10 * one.amplitude, one.exponent], rel=1e-6)


def test_errors_that_rise_follow_no_law():
    assert fit_power_law(SIZES, np.linspace(0.1, 0.2, 7)).amplitude == 0


def curves(rng, c, seeds=16, shared=None, spread=0.05):
    noise = spread * rng.standard_normal((seeds, len(SIZES)))
    errors = law(SIZES, 0.02, 0.6 * 250**c, c) * np.exp(noise + (0 if shared is None else shared))
    return pd.DataFrame(errors, index=range(100, 100 + seeds), columns=SIZES)


def test_intervals_cover_the_true_exponents(monkeypatch):
    """Of 60 draws with 16 seeds each, the 95 % interval covers at least 51: a false alarm in one of 1,000 tries."""
    assert stats.binom.cdf(50, 60, 0.95) < 1e-3
    monkeypatch.setattr(power_law, "RESAMPLES", 400)
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(60):
        found = exponent_difference(curves(rng, 0.6), curves(rng, 0.5))
        covered += found.low <= 0.1 <= found.high
        assert found.n == 16
    assert covered >= 51


def test_a_difference_of_pairs_is_surer_than_that_of_two():
    """What a seed does to both arms cancels: the interval is shorter than half of what independent ones would give."""
    rng = np.random.default_rng(3)
    shared = 0.2 * rng.standard_normal((16, len(SIZES)))
    first, second = (curves(rng, c, shared=shared, spread=0.02) for c in (0.6, 0.5))
    found = exponent_difference(first, second)
    alone = [law_intervals(each)["exponent"] for each in (first, second)]
    assert found.high - found.low < sum(each.high - each.low for each in alone) / 2
    assert found.mean == pytest.approx(alone[0].mean - alone[1].mean)
    turned = exponent_difference(second, first)
    assert [turned.mean, turned.low, turned.high] == pytest.approx([-found.mean, -found.high, -found.low])
    assert exponent_difference(first, second.iloc[::-1]) == found, "pairs are made by seed, not by order"


def test_of_one_law_the_intervals_hold_what_they_are_of():
    found = law_intervals(curves(np.random.default_rng(4), 0.5))
    assert {*found} == {"floor", "amplitude", "exponent"}
    assert all(each.low <= each.mean <= each.high and each.n == 16 for each in found.values())


def test_the_interval_of_a_mean_would_be_students():
    """The resampled means of normal values, at the moved percentiles, are as far apart as Student's, to 8 %."""
    values = pd.DataFrame({"x": np.random.default_rng(5).standard_normal(12)})
    found, student = power_law._interval(0.0, resampled(values)[:, 0], 12), mean_interval(values["x"])
    assert found.high - found.low == pytest.approx(student.high - student.low, rel=0.08)


def test_slopes_are_those_of_a_straight_line():
    rng = np.random.default_rng(6)
    drawn = curves(rng, 0.4, seeds=3)
    expected = [-np.polyfit(np.log(SIZES), np.log(row), 1)[0] for row in drawn.to_numpy()]
    assert slopes(drawn).to_list() == pytest.approx(expected)
    assert slopes(drawn).index.equals(drawn.index)


@pytest.mark.parametrize(
    ("sizes", "errors", "message"),
    [
        (SIZES[:3], [0.3, 0.2, 0.1], "four sizes"),
        ([1, 2, 2, 3], [0.4, 0.3, 0.2, 0.1], "four sizes"),
        ([0, 1, 2, 3], [0.4, 0.3, 0.2, 0.1], "four sizes"),
        (SIZES[:4], [0.4, 0.3, 0.2], r"4 sizes, got shape \(3,\)"),
        (SIZES[:4], [0.4, 0.3, 0.2, 0.0], "above 0"),
        (SIZES[:4], [0.4, 0.3, np.nan, 0.1], "above 0"),
    ],
)
def test_what_is_no_curve_is_refused(sizes, errors, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(sizes, errors)


def test_pairs_that_do_not_fit_are_refused():
    drawn = curves(np.random.default_rng(7), 0.5, seeds=4)
    with pytest.raises(ValueError, match="same seeds and sizes"):
        exponent_difference(drawn, drawn.iloc[:3])
    with pytest.raises(ValueError, match="same seeds and sizes"):
        exponent_difference(drawn, drawn[SIZES[:5]])
    with pytest.raises(ValueError, match="two or more"):
        law_intervals(drawn.iloc[:1])
