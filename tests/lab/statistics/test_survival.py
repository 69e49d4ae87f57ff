"""Censored times, against the textbooks' example: Freireich et al. (1963), weeks in remission of leukaemia."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from physnn.lab.statistics import stats, survival
from physnn.lab.statistics.survival import Duration

REMISSION = [6, 6, 6, 7, 10, 13, 16, 22, 23]
CENSORED = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
TREATED = [*(Duration(t, True) for t in REMISSION), *(Duration(t, False) for t in CENSORED)]
CONTROL = [Duration(t, True) for t in PLACEBO]


def table(**arms):
    return pd.concat([pd.DataFrame(runs).assign(arm=arm) for arm, runs in arms.items()], ignore_index=True)


def test_freireich_kaplan_meier():
    """Klein & Moeschberger (2003), Table 4.1A: S of the patients treated with 6-MP, and Greenwood's variance."""
    curve = survival.kaplan_meier(table(treated=TREATED, control=CONTROL))
    assert curve.arm.drop_duplicates().tolist() == ["treated", "control"]
    treated = curve[curve.arm == "treated"].set_index("epochs")
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    assert treated.survival[list(published)].round(3).to_dict() == published
    assert treated.at_risk[[6, 7, 10, 13, 16, 22, 23]].tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert treated.loc[6, ["events", "censored"]].tolist() == [3, 1]
    assert treated.loc[0, ["survival", "at_risk", "events", "censored"]].tolist() == [1, 21, 0, 0]
    greenwood = {6: 0.0764, 23: 0.1346}  # standard errors
    for time, error in greenwood.items():
        s = treated.survival[time]
        theta = 1.959964 * error / (s * np.log(s))
        expected = s ** np.exp(-theta), s ** np.exp(theta)
        assert treated.loc[time, ["low", "high"]].tolist() == pytest.approx(expected, abs=2e-4)


def test_freireich_logrank():
    """Chi-squared 16.79 on one degree of freedom, p = 0.00004."""
    result = survival.logrank(TREATED, CONTROL)
    assert result.chi_squared == pytest.approx(16.79, abs=0.005) and result.p == pytest.approx(4.17e-5, abs=1e-7)
    assert survival.logrank(CONTROL, TREATED) == pytest.approx(result)


def test_freireich_restricted_mean():
    """Klein & Moeschberger (2003), Example 4.1: 23.287 weeks out of 35, variance 7.993."""
    mean, low, high, n = survival.restricted_mean(TREATED, 35)
    assert mean == pytest.approx(23.287, abs=5e-4) and n == 21
    error = (high - low) / 2 / scipy_stats.t.ppf(0.975, 9) * 0.9**0.5  # ours is for the ten known up to 35
    assert error**2 == pytest.approx(7.993, abs=2e-3)


def test_the_restricted_mean_without_early_censoring_is_the_mean():
    runs = [Duration(t, t < 12) for t in (3, 5, 5, 8, 12, 12)]
    expected = stats.mean_interval([3, 5, 5, 8, 10, 10])
    assert survival.restricted_mean(runs, 10) == pytest.approx(expected)
    assert survival.restricted_mean([Duration(5, True)] * 3, 10) == (5, 5, 5, 3)
    assert survival.restricted_mean([Duration(9, False)] * 3, 9) == (9, 9, 9, 3)


def random_runs(rng, law, censoring, n):
    times, ends = law(rng, n), censoring(rng, n)
    return pd.DataFrame({"epochs": np.minimum(times, ends), "observed": times <= ends})


EXPONENTIAL = (lambda rng, n: rng.exponential(10.0, n), lambda h: 10 * (1 - np.exp(-h / 10)))
UNIFORM = (lambda rng, n: rng.uniform(0.0, 20.0, n), lambda h: h - h * h / 40)


@pytest.mark.parametrize(("law", "horizon", "latest"), [(EXPONENTIAL, 10.0, 20.0), (UNIFORM, 12.0, 30.0)])
def test_the_restricted_mean_is_covered_where_runs_are_censored_at_random(law, horizon, latest):
    """Of 250 samples of ten, censored evenly up to ``latest``, 92 % or more; false-alarm rate 1e-4 each.

    The mean of min(t, h) is known in closed form. Samples that are refused, about one in ten, do not count.
    """
    draw, true = law
    rng, covered, kept = np.random.default_rng(0), 0, 0
    for _ in range(250):
        runs = random_runs(rng, draw, lambda rng, n: rng.uniform(0.0, latest, n), 10)
        try:
            _, low, high, _ = survival.restricted_mean(runs, horizon)
        except ValueError as error:
            assert "known up to" in str(error)
            continue
        kept, covered = kept + 1, covered + (low < true(horizon) < high)
    assert kept > 175 and scipy_stats.binomtest(covered, kept, 0.92, "less").pvalue > 1e-4


def test_nothing_is_claimed_where_the_curve_is_at_one_or_zero():
    runs = [Duration(1, False), Duration(2, True), Duration(3, True)]
    curve = survival.kaplan_meier(table(a=runs))
    assert curve.survival.tolist() == [1, 1, 0.5, 0] and curve.low.isna().tolist() == [True, True, False, True]
    assert curve.high.isna().tolist() == [True, True, False, True]
    never = survival.kaplan_meier(table(a=[Duration(4, False)] * 3))
    assert never.survival.tolist() == [1, 1] and never.censored.tolist() == [0, 3]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([Duration(5, False)] * 4, [Duration(5, False)] * 4),  # no run got there
        ([Duration(3, True)] * 4, [Duration(3, True)] * 4),  # all at once
        ([Duration(5, True)] * 49, [Duration(1, False)] * 4),  # never at risk together
    ],
)
def test_an_order_that_says_nothing(first, second):
    assert survival.logrank(first, second) == (0, 1)


def test_logrank_false_alarms():
    """Of 400 pairs of equal arms, censored at the budget, 5 % are called different; false-alarm rate 1e-4."""
    rng = np.random.default_rng(0)
    times = rng.geometric(0.1, (400, 2, 40))
    p = [
        survival.logrank(*(pd.DataFrame({"epochs": np.minimum(t, 20), "observed": t <= 20}) for t in pair)).p
        for pair in times
    ]
    assert scipy_stats.binomtest(int((np.array(p) < 0.05).sum()), 400, 0.05).pvalue > 1e-4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: survival.kaplan_meier(table(a=TREATED), by="model"), "column 'model'"),
        (lambda: survival.kaplan_meier(table(a=TREATED)[:0]), "needs rows"),
        (lambda: survival.logrank(TREATED, []), "need rows"),
        (lambda: survival.logrank(TREATED, pd.DataFrame({"epochs": [1.0]})), "'epochs' and 'observed'"),
        (lambda: survival.logrank(TREATED, [Duration(float("nan"), True)]), "finite and at least 0"),
        (lambda: survival.restricted_mean([Duration(-1, True)] * 2, 5), "at least 0"),
        (lambda: survival.restricted_mean(TREATED[:1], 5), "two runs"),
        (lambda: survival.restricted_mean(TREATED, 0), "positive horizon"),
        (lambda: survival.restricted_mean(TREATED, 36), "only known up to 35"),
        (lambda: survival.restricted_mean([*CONTROL, Duration(2, False)], 24), "only known up to 23"),
        (lambda: survival.restricted_mean([Duration(1, False)] * 3 + [Duration(9, True)], 9), "got 1 of 4"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


HISTORY = pd.DataFrame({"epoch": [0, 1, 2, 3], "accuracy": [0.1, 0.8, 0.95, 0.9]})


def test_epochs_to_threshold():
    assert survival.epochs_to_threshold(HISTORY, "accuracy", 0.9) == (2, True)
    assert survival.epochs_to_threshold(HISTORY[::-1], "accuracy", 0.95) == (2, True)
    assert survival.epochs_to_threshold(HISTORY, "accuracy", 0.99) == (3, False)
    diverged = HISTORY.assign(accuracy=[0.1, 0.8, float("nan"), float("nan")])
    assert survival.epochs_to_threshold(diverged, "accuracy", 0.9, budget=10) == (10, False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: survival.epochs_to_threshold(HISTORY, "loss", 0.9), "'epoch' and 'loss'"),
        (lambda: survival.epochs_to_threshold(HISTORY[:0], "accuracy", 0.9), "needs rows"),
        (lambda: survival.epochs_to_threshold(pd.concat([HISTORY] * 2), "accuracy", 0.9), "several rows of one epoch"),
        (lambda: survival.epochs_to_threshold(HISTORY, "accuracy", float("nan")), "threshold is NaN"),
        (lambda: survival.epochs_to_threshold(HISTORY, "accuracy", 0.9, budget=2), "beyond the budget of 2"),
    ],
)
def test_a_bad_history(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_whole_percent_is_reached_in_single_precision():
    percents = np.arange(50, 100)
    history = pd.DataFrame({"epoch": 1, "accuracy": np.float32(percents / 100)})
    for percent, row in zip(percents, history.index, strict=True):
        assert survival.epochs_to_threshold(history.loc[[row]], "accuracy", percent / 100).observed
        assert not survival.epochs_to_threshold(history.loc[[row]], "accuracy", percent / 100 + 1e-5).observed


@pytest.mark.parametrize("observed", ["False", np.nan, 2])
def test_an_event_is_seen_or_not(observed):
    with pytest.raises(ValueError, match="observed must be True or False"):
        survival.restricted_mean(pd.DataFrame({"epochs": [1, 2], "observed": [True, observed]}), 2)


def test_a_run_without_an_arm_is_not_left_out_silently():
    runs = table(treated=TREATED).assign(arm=lambda t: t.arm.where(t.index > 2))
    with pytest.raises(ValueError, match="3 of 21 rows have no arm"):
        survival.kaplan_meier(runs)
