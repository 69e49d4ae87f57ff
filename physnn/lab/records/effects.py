"""Effects that recorded studies show, as the rules of verdicts name them (:mod:`physnn.lab.records.rules`).

An effect has a ``study`` and an ``arm``, a ``contrast`` of two arms (first less second, paired), or ``weights`` of
several, by their names: the paired sum, of ``final`` alone. ``measure`` is

- ``final`` (the default): the ``column`` after the last epoch of the final runs, times ``scale``, over seeds. Seeds
  whose run diverged have the value ``lost``, which must then be given. A ``column`` that ends with ``*`` is the mean
  of all that begin so;
- ``answers``: the share of right answers to the test images, times ``scale``, of an arm or of two in pairs, over draws
  of the search, seeds and images together (:func:`physnn.lab.statistics.crossed.crossed_interval`). The study's models
  are its draws, the arm has no model in its name, and the final runs have the extra ``answers``;
- ``near-best``: the share of settings, in percent, whose score after the last tuning epoch is at most ``within``
  worse than that of the arm's best one, each the mean of its seeds. A run that diverged counts as the task's guess;
- ``regret``: by how much the expected best of ``trials`` settings stays behind that of ``of``, likewise, with an
  interval by resampling settings (:func:`physnn.lab.statistics.budget.regret_interval`); two arms' are paired in order;
- ``diverged``: the share of the tuning runs, in percent, that diverged. Like ``near-best`` it has the interval of a
  share (:mod:`physnn.lab.statistics.shares`);
- ``epochs-to``: the epochs that the final runs need to a score of ``threshold``, over seeds. A run that does not get
  there counts with the study's last epoch, so that the mean is the restricted one
  (:func:`physnn.lab.statistics.survival.restricted_mean`), and a bound of the mean without an end: only what the true
  one meets as well meets a condition;
- ``matched``: the ``column`` of the ``arm`` less that of a ``path`` of other networks where they have the arm's value
  in the column ``along`` (:mod:`physnn.lab.statistics.matching`), over the seeds whose path reaches it. A path is a
  list of studies and arms: a study that is named with one arm gives its epochs, from the first, and with several
  their ends;
- ``matched-lower``: the ``column`` of two arms in pairs, where both have the ``along`` of the one that ends lower
  (:func:`physnn.lab.statistics.matching.matched_lower`);
- ``wins`` and ``losses``: the share of the ``models``, in percent, on which the ``arm``, without a model in its name,
  is ahead of all arms of ``against`` in the ``column``, or behind at least one, after Holm's correction over all these
  comparisons (:mod:`physnn.lab.statistics.standings`). Seeds whose run diverged have the value ``lost``;
- ``forewarned``: the area under the ROC curve with which one of the ``predictors`` tells from a tuning run's first
  epoch whether it will fail, on held-out runs (:mod:`physnn.lab.statistics.forewarning`), over the study's arms, of
  which none is named; or, of two predictors, the first's less the second's, paired.

The score is the study's task's, in the unit in which it is shown: for images the validation accuracy in percent, and
the guess is 10 %. Instead of a study an effect may have a ``formula``, one of
:data:`physnn.lab.records.formulas.FORMULAS`, with ``of``, its arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from physnn.lab.records.answered import answered
from physnn.lab.records.finals import BETWEEN
from physnn.lab.records.formulas import FORMULAS
from physnn.lab.records.outcomes import diverged, epochs_to, final_runs, final_values, recorded, tuned_scores
from physnn.lab.records.provenance import RESULTS
from physnn.lab.records.scaled import scaled
from physnn.lab.records.studies import Study
from physnn.lab.statistics import shares, standings, stats
from physnn.lab.statistics.budget import near_best, regret_interval
from physnn.lab.statistics.crossed import crossed_interval
from physnn.lab.statistics.forewarning import forewarned
from physnn.lab.statistics.matching import matched, matched_lower
from physnn.lab.statistics.power_law import exponent_difference, law_intervals


@dataclass(frozen=True)
class Effect:
    """What was measured: a mean with its interval, and the pair behind it where it is a contrast.

    A value that a formula gives has an interval of no width and ``n`` = 0. ``censored`` is how many runs had not got
    there at the end, of the arm, or of both arms of a contrast: the true mean is larger for the first, and the
    difference smaller for the second.
    """

    interval: stats.Interval
    pair: tuple[pd.Series, pd.Series] | None = None
    censored: tuple[int, int] = (0, 0)


class Measure(NamedTuple):
    """How an effect is taken from a study, what its ``n`` counts, and whether those are events, true or not."""

    take: Callable[[Study, Mapping[str, Any]], Effect]
    counts: str = "seeds"
    events: bool = False


def effect(how: Mapping[str, Any], results: Path = RESULTS) -> Effect:
    """Evaluate one effect of a rule.

    Raises:
        FileNotFoundError: its study is not recorded.
        ValueError: it names an arm, a column, a measure or a formula that does not exist, or weights of what has none,
            a recorded table does not fit its design, or runs that diverged have no value.
    """
    if "formula" in how:
        if how["formula"] not in FORMULAS:
            raise ValueError(f"formula must be one of {', '.join(FORMULAS)}, got {how['formula']!r}")
        value = float(FORMULAS[how["formula"]](**how["of"]))
        return Effect(stats.Interval(value, value, value, 0))
    study, measure = Study(how["study"], results), how.get("measure", "final")
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    if "weights" in how and measure != "final":
        raise ValueError(f"weights are those of final values; {measure!r} takes an arm or a contrast, got {dict(how)}")
    return MEASURES[measure].take(study, how)


def _final(study: Study, how: Mapping[str, Any]) -> Effect:
    values = [final_values(study, final_runs(study, arm), how) for arm in _arms(study, how)]
    if "weights" in how:
        several = [weight * each for weight, each in zip(how["weights"].values(), values, strict=True)]
        return Effect(stats.mean_interval(sum(several)))
    return _over(*values)


def _answers(study: Study, how: Mapping[str, Any]) -> Effect:
    first, *second = (answered(study, arm).astype(int) for arm in _named(how))
    *found, n = crossed_interval(first - sum(second))
    return Effect(stats.Interval(*(how.get("scale", 1) * value for value in found), n))


def _near_best(study: Study, how: Mapping[str, Any]) -> Effect:
    scores = tuned_scores(study, _arms(study, how), "near-best")
    return _of_events(*(near_best(each, how["within"]) for each in scores))


def _regret(study: Study, how: Mapping[str, Any]) -> Effect:
    first, *second = tuned_scores(study, _arms(study, how), "regret")
    return Effect(regret_interval(first, how["trials"], how["of"], *second))


def _diverged(study: Study, how: Mapping[str, Any]) -> Effect:
    return _of_events(*diverged(study, _arms(study, how)))


def _epochs_to(study: Study, how: Mapping[str, Any]) -> Effect:
    taken = [epochs_to(study, final_runs(study, arm), how["threshold"]) for arm in _arms(study, how)]
    late = [int((~each.observed).sum()) for each in taken]
    return replace(_over(*(each.epochs.astype(float) for each in taken)), censored=(late[0], sum(late[1:])))


def _matched(study: Study, how: Mapping[str, Any]) -> Effect:
    """Compare the arm with its path, over the seeds whose path has the arm's place."""
    _check(study, [how["arm"]])
    rows = final_runs(study, how["arm"])
    own, at = (final_values(study, rows, how | {"column": name, "scale": 1}) for name in (how["column"], how["along"]))
    parts = []
    for part in how["path"]:
        other = Study(part["study"], study.folder.parent)
        _check(other, part["arms"])
        steps = recorded(other).query("phase == 'final' and epoch > 0")
        if len(part["arms"]) > 1:
            steps = steps[steps.epoch == other.design["final"]["epochs"]]
        parts += [steps[steps.arm == arm] for arm in part["arms"]]
    found = matched(pd.concat(parts), at, how["column"], how["along"]).dropna()
    if len(found) < 2:
        raise ValueError(f"the path of {how} reaches the place of {len(found)} of {len(at)} seeds")
    return _over(how.get("scale", 1) * own[found.index], how.get("scale", 1) * found)


def _matched_lower(study: Study, how: Mapping[str, Any]) -> Effect:
    runs = (final_runs(study, arm) for arm in _arms(study, how))
    found = matched_lower(*runs, how["column"], how["along"]).dropna()
    return _over(*(how.get("scale", 1) * found[side] for side in ("first", "second")))


def _wins(study: Study, how: Mapping[str, Any]) -> Effect:
    return _of_events(standings.won(_standings(study, how)))


def _losses(study: Study, how: Mapping[str, Any]) -> Effect:
    return _of_events(standings.lost(_standings(study, how)))


def _standings(study: Study, how: Mapping[str, Any]) -> pd.DataFrame:
    values: dict[str, dict[str, pd.Series]] = {}
    for model in how["models"]:
        arms = {arm: f"{model}{BETWEEN}{arm}" for arm in (how["arm"], *how["against"])}
        _check(study, list(arms.values()))
        values[model] = {arm: final_values(study, final_runs(study, name), how) for arm, name in arms.items()}
    return standings.standings(values, how["arm"], how["against"])


def _forewarned(study: Study, how: Mapping[str, Any]) -> Effect:
    made = study.name, study.folder.parent, study.provenance["table"]
    return _over(*(how.get("scale", 1) * _areas(*made, predictor) for predictor in how["predictors"]))


@lru_cache(maxsize=32)
def _areas(name: str, results: Path, table: str, predictor: str) -> pd.Series:
    study = Study(name, results)
    rows = recorded(study)
    return forewarned(rows[rows.phase == "tuning"], study.design["tuning"]["epochs"], predictor)


def _exponent(study: Study, how: Mapping[str, Any]) -> Effect:
    first, *second = (scaled(study, arm, how) for arm in _named(how))
    return Effect(exponent_difference(first, *second) if second else law_intervals(first)["exponent"])


def _over(first: pd.Series, *second: pd.Series) -> Effect:
    """Return the mean of numbers, or of the paired differences of two arms'."""
    if not second:
        return Effect(stats.mean_interval(first))
    return Effect(stats.paired_difference(first, *second), (first, *second))


def _of_events(first: pd.Series, *second: pd.Series) -> Effect:
    """Return the share of events in percent, or by how much that of the first arm is larger."""
    found = shares.paired_shares(first, *second).difference if second else shares.share(first)
    shown = stats.Interval(*(100 * value for value in found[:3]), found.n)
    return Effect(shown, tuple(100.0 * each for each in (first, *second)) if second else None)


def _arms(study: Study, how: Mapping[str, Any]) -> list[str]:
    """Name the arms of an effect, which the study must have."""
    arms = _named(how)
    _check(study, arms)
    return arms


def _named(how: Mapping[str, Any]) -> list[str]:
    return list(how.get("contrast") or how.get("weights") or [how["arm"]])


def _check(study: Study, arms: Sequence[str]) -> None:
    if unknown := [arm for arm in arms if arm not in study.arms]:
        raise ValueError(f"study {study.name!r} has no arms {unknown}; it has {list(study.arms)}")


MEASURES = {
    "final": Measure(_final),
    "answers": Measure(_answers, "draws"),
    "near-best": Measure(_near_best, "settings", events=True),
    "regret": Measure(_regret, "settings"),
    "diverged": Measure(_diverged, "runs", events=True),
    "epochs-to": Measure(_epochs_to),
    "matched": Measure(_matched),
    "matched-lower": Measure(_matched_lower),
    "wins": Measure(_wins, "problems", events=True),
    "losses": Measure(_losses, "problems", events=True),
    "forewarned": Measure(_forewarned, "arms"),
    "exponent": Measure(_exponent),
}
