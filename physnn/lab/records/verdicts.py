"""Verdicts that follow from recorded studies by rules that a machine can read (:mod:`physnn.lab.records.rules`).

An effect has a ``study`` and an ``arm``, a ``contrast`` of two arms (first less second, paired), or ``weights`` of
several, by their names: the paired sum. ``measure`` is

- ``final`` (the default): the ``column`` after the last epoch of the final runs, times ``scale``, over seeds. Seeds
  whose run diverged have the value ``lost``, which must then be given. A ``column`` that ends with ``*`` is the mean
  of all that begin so;
- ``near-best``: the share of settings, in percent, whose score after the last tuning epoch is at most ``within``
  worse than that of the arm's best one, each the mean of its seeds. A run that diverged counts as the task's guess;
- ``regret``: by how much the expected best of ``trials`` settings stays behind that of ``of``, likewise, with an
  interval by resampling settings (:func:`physnn.lab.statistics.budget.regret_interval`); two arms' are paired in order;
- ``answers``: the share of right answers to the test images, times ``scale``, of an arm or of two in pairs, over draws
  of the search, seeds and images together (:func:`physnn.lab.statistics.crossed.crossed_interval`). The study's models
  are its draws, the arm has no model in its name, and the final runs have the extra ``answers``;
- ``diverged``: the share of the tuning runs, in percent, that diverged. Both have the intervals of shares
  (:mod:`physnn.lab.statistics.shares`);
- ``epochs-to``: the epochs that the final runs need to a score of ``threshold``, over seeds. A run that does not get
  there counts with the study's last epoch, so that the mean is the restricted one
  (:func:`physnn.lab.statistics.survival.restricted_mean`), and a bound of the mean without an end: only what the true
  one meets as well meets a condition;
- ``matched``: the ``column`` of the ``arm`` less that of a ``path`` of other networks where they have the arm's value
  in the column ``along`` (:mod:`physnn.lab.statistics.matching`), over the seeds whose path reaches it. A path is a
  list of studies and arms: a study that is named with one arm gives its epochs, from the first, and with several
  their ends;
- ``forewarned``: the area under the ROC curve with which one of the ``predictors`` tells from a tuning run's first
  epoch whether it will fail, on held-out runs (:mod:`physnn.lab.statistics.forewarning`), over the study's arms, of
  which none is named; or, of two predictors, the first's less the second's, paired.

The score is the study's task's, in the unit in which it is shown: for images the validation accuracy in percent, and
the guess is 10 %. Instead of a study an effect may have a ``formula``, one of
:data:`physnn.lab.records.formulas.FORMULAS`, with ``of``, its arguments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from physnn.lab.records.answered import answered
from physnn.lab.records.formulas import FORMULAS
from physnn.lab.records.provenance import RESULTS
from physnn.lab.records.rules import DECIDED, Condition, alternatives, overlap
from physnn.lab.records.studies import Study
from physnn.lab.statistics import shares, stats
from physnn.lab.statistics.budget import near_best, regret_interval
from physnn.lab.statistics.crossed import crossed_interval
from physnn.lab.statistics.forewarning import forewarned
from physnn.lab.statistics.matching import matched, matched_lower
from physnn.lab.statistics.survival import Duration, epochs_to_threshold
from physnn.lab.training.task import Column, column

UNTESTABLE, UNDECIDED = "untestable", "undecided"
KINDS = ("final", "answers", "near-best", "regret", "diverged", "epochs-to", "matched", "matched-lower", "forewarned")
OF_SETTINGS = ("near-best", "regret")
OF_EVENTS = ("near-best", "diverged")  # what happened or not; the others are numbers of seeds


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


@dataclass(frozen=True)
class Judgement:
    """A verdict, the effects it follows from, and, where there is none, why.

    ``repaired`` tells whether the change of the rule makes the statement true; None where it names none.
    """

    verdict: str
    effects: dict[str, Effect] = field(default_factory=dict)
    reason: str = ""
    repaired: bool | None = None


def judge(rule: Mapping[str, Any] | None, results: Path = RESULTS) -> Judgement:
    """Return the verdict that follows from the studies recorded in ``results`` by a rule.

    Raises:
        ValueError: the rule names an effect, an arm, a column, a measure or a formula that does not exist, two of its
            verdicts do not exclude each other, a recorded table does not fit its design, or runs that diverged have no
            value.
    """
    if not rule:
        return Judgement(UNDECIDED, reason="not yet measured")
    ways = {verdict: alternatives(rule.get(verdict, ()), rule["effects"]) for verdict in DECIDED}
    repair = alternatives(rule["repair"]["when"], rule["effects"]) if "repair" in rule else None
    if both := overlap(ways):
        raise ValueError(f"the conditions of {both[0]!r} and of {both[1]!r} can both be met")
    if "untestable" in rule and any(ways.values()):
        raise ValueError("what is not testable as stated has no conditions of a verdict")
    try:
        effects = {name: effect(how, results) for name, how in rule["effects"].items()}
    except FileNotFoundError:
        return Judgement(UNDECIDED, reason="not yet measured")
    repaired = _one_met(repair, effects) if repair is not None else None
    if "untestable" in rule:
        return Judgement(UNTESTABLE, effects, rule["untestable"], repaired)
    for verdict, several in ways.items():
        if _one_met(several, effects):
            return Judgement(verdict, effects, repaired=repaired)
    return Judgement(UNDECIDED, effects, "measured, and by its rule neither way", repaired)


def effect(how: Mapping[str, Any], results: Path = RESULTS) -> Effect:
    """Evaluate one effect of a rule.

    Raises:
        FileNotFoundError: its study is not recorded.
        ValueError: as :func:`judge`.
    """
    if "formula" in how:
        if how["formula"] not in FORMULAS:
            raise ValueError(f"formula must be one of {', '.join(FORMULAS)}, got {how['formula']!r}")
        value = float(FORMULAS[how["formula"]](**how["of"]))
        return Effect(stats.Interval(value, value, value, 0))
    study = Study(how["study"], results)
    if how.get("measure") == "forewarned":
        return _forewarned(study, how["predictors"], how.get("scale", 1))
    arms = _arms(how)
    if how.get("measure") == "answers":
        first, *second = (answered(study, arm).astype(int) for arm in arms)
        *found, n = crossed_interval(first - sum(second))
        return Effect(stats.Interval(*(how.get("scale", 1) * value for value in found), n))
    if unknown := [arm for arm in arms if arm not in study.arms]:
        raise ValueError(f"study {study.name!r} has no arms {unknown}; it has {list(study.arms)}")
    if how.get("measure") == "matched":
        pair = _matched(study, how, results)
        return Effect(stats.paired_difference(*pair), pair)
    if how.get("measure") == "matched-lower":
        found = matched_lower(*(_ended(study, arm) for arm in arms), how["column"], how["along"]).dropna()
        pair = tuple(how.get("scale", 1) * found[side] for side in ("first", "second"))
        return Effect(stats.paired_difference(*pair), pair)
    values = [_values(study, _table(study), arm, how) for arm in arms]
    if "weights" in how:
        several = [weight * each for weight, each in zip(how["weights"].values(), values, strict=True)]
        return Effect(stats.mean_interval(sum(several)))
    if how.get("measure") == "regret":
        return Effect(regret_interval(values[0], how["trials"], how["of"], *values[1:]))
    censored = tuple(_censored(study, arm, how) for arm in arms)
    if how.get("measure") in OF_EVENTS:
        found = shares.share(values[0]) if len(values) == 1 else shares.paired_shares(*values).difference
        shown = stats.Interval(*(100 * value for value in found[:3]), found.n)
        return Effect(shown, tuple(100.0 * each for each in values) if len(values) > 1 else None)
    if len(values) == 1:
        return Effect(stats.mean_interval(values[0]), censored=(*censored, 0))
    return Effect(stats.paired_difference(*values), tuple(values), censored)


def _arms(how: Mapping[str, Any]) -> list[str]:
    return list(how.get("contrast") or how.get("weights") or [how["arm"]])


def _table(study: Study) -> pd.DataFrame:
    """Return the study's recorded rows, read once for all the effects that need them."""
    recorded = study.provenance  # that it is there
    return _read(study.name, study.folder.parent, study.digest, recorded["table"])


@lru_cache(maxsize=32)
def _read(name: str, results: Path, design: str, table: str) -> pd.DataFrame:
    return Study(name, results).table()


def _values(study: Study, table: pd.DataFrame, arm: str, how: Mapping[str, Any]) -> pd.Series:
    measure = how.get("measure", "final")
    if measure == "final":
        return _final(study, _ended(study, arm), how)
    if measure == "epochs-to":
        return _epochs_to(study, _ended(study, arm), how["threshold"]).epochs.astype(float)
    rows = table[(table.phase == "tuning") & (table.arm == arm)]
    setting = [name for name in _shared(study, how) if rows[name].notna().all()]
    begun = rows[rows.epoch == 0].set_index([*setting, "seed"])
    if measure == "diverged":
        return begun.diverged.astype(bool)
    if measure in OF_SETTINGS:
        ended = rows[rows.epoch == study.design["tuning"]["epochs"]].set_index([*setting, "seed"])
        score, sign = _score(study)
        factor = sign * score.scale
        if score.guess is None:
            raise ValueError(f"task {study.task_name}: the column {study.task.SCORE} needs a guess, for {measure}")
        ended = (factor * ended[study.task.SCORE]).reindex(begun.index).fillna(factor * score.guess)
        reached = ended.groupby(level=setting, sort=False).mean()
        return near_best(reached, how["within"]) if measure == "near-best" else reached
    raise ValueError(f"measure must be one of {', '.join(KINDS)}, got {measure!r}")


def _matched(study: Study, how: Mapping[str, Any], results: Path) -> tuple[pd.Series, pd.Series]:
    """Return the arm's values and its path's, over the seeds whose path has the arm's place."""
    rows = _ended(study, how["arm"])
    own, at = (_final(study, rows, how | {"column": name, "scale": 1}) for name in (how["column"], how["along"]))
    parts = []
    for part in how["path"]:
        other = Study(part["study"], results)
        if unknown := [arm for arm in part["arms"] if arm not in other.arms]:
            raise ValueError(f"study {other.name!r} has no arms {unknown}; it has {list(other.arms)}")
        steps = _table(other).query("phase == 'final' and epoch > 0")
        if len(part["arms"]) > 1:
            steps = steps[steps.epoch == other.design["final"]["epochs"]]
        parts += [steps[steps.arm == arm] for arm in part["arms"]]
    found = matched(pd.concat(parts), at, how["column"], how["along"]).dropna()
    if len(found) < 2:
        raise ValueError(f"the path of {how} reaches the place of {len(found)} of {len(at)} seeds")
    return how.get("scale", 1) * own[found.index], how.get("scale", 1) * found


def _forewarned(study: Study, predictors: Sequence[str], scale: float) -> Effect:
    recorded = study.provenance
    areas = [scale * _areas(study.name, study.folder.parent, recorded["table"], name) for name in predictors]
    if len(areas) == 1:
        return Effect(stats.mean_interval(areas[0]))
    return Effect(stats.paired_difference(*areas), tuple(areas))


@lru_cache(maxsize=32)
def _areas(name: str, results: Path, table: str, predictor: str) -> pd.Series:
    study = Study(name, results)
    rows = _table(study)
    return forewarned(rows[rows.phase == "tuning"], study.design["tuning"]["epochs"], predictor)


def _final(study: Study, rows: pd.DataFrame, how: Mapping[str, Any]) -> pd.Series:
    stem, every, _ = how["column"].partition("*")
    columns = [name for name in rows if name == stem or (every and name.startswith(stem))]
    if not columns:
        raise ValueError(f"study {study.name!r} has no column {how['column']!r}")
    ended = rows[rows.epoch == study.design["final"]["epochs"]].set_index("seed")[columns].mean(axis=1, skipna=False)
    values = ended.reindex(study.design["final"]["seeds"])
    if values.isna().any() and "lost" not in how:
        raise ValueError(f"runs of {how} diverged: give the rule a value for them, `lost`")
    return how.get("scale", 1) * values.fillna(how.get("lost"))


def _censored(study: Study, arm: str, how: Mapping[str, Any]) -> int:
    """Count the runs of an arm that had not got to the threshold at the end."""
    if how.get("measure") != "epochs-to":
        return 0
    return int((~_epochs_to(study, _ended(study, arm), how["threshold"]).observed).sum())


def _ended(study: Study, arm: str) -> pd.DataFrame:
    table = _table(study)
    return table[(table.phase == "final") & (table.arm == arm)]


def _epochs_to(study: Study, rows: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return each seed's epochs to the threshold, those that do not get there with the last one of the design."""
    last, (score, sign) = study.design["final"]["epochs"], _score(study)
    runs = dict(iter(rows.assign(reached=sign * rows[study.task.SCORE]).groupby("seed")))
    taken = {
        seed: epochs_to_threshold(runs[seed], "reached", sign * threshold / score.scale, budget=last)
        for seed in study.design["final"]["seeds"]
    }
    return pd.DataFrame.from_dict(taken, orient="index", columns=Duration._fields).rename_axis("seed")


def _score(study: Study) -> tuple[Column, int]:
    """Return the column of the task's score, and the sign with which larger is better."""
    score = column(study.task, study.task.SCORE)
    return score, 1 if score.larger else -1


def _shared(study: Study, how: Mapping[str, Any]) -> list[str]:
    """Name the hyperparameters that all arms of an effect have: a trial is the same trial for both."""
    arms = _arms(how)
    return [
        name
        for name in study.hyperparameters
        if name == "lr" or all(study.arms[arm].get(name) == "search" for arm in arms)
    ]


def _one_met(several: Sequence[Sequence[Condition]], effects: Mapping[str, Effect]) -> bool:
    return any(all(_met(effects[name], relation, bound) for name, relation, bound in needed) for needed in several)


def _met(effect: Effect, relation: str, bound: float) -> bool:
    larger, smaller = effect.censored  # the true mean may be
    if (larger and relation not in ("above", "atleast")) or (smaller and relation not in ("below", "atmost")):
        return False
    if relation == "within":
        if effect.pair is None:
            raise ValueError("only a contrast can be within a margin")
        return stats.equivalence(*effect.pair, bound).p <= 0.05
    mean, low, high, _ = effect.interval
    met = {"above": low > bound, "below": high < bound, "covers": low <= bound <= high}
    return (met | {"atleast": mean >= bound, "atmost": mean <= bound})[relation]
