"""Whether recorded numbers come out again: of single replicas, and of whole tables.

Float32 sums depend on the order of their terms, and that on the processor, the number of threads, the version of torch,
and on who is trained beside a replica. What becomes of a difference in the last digit depends on the replica. Most runs
forget it. In others, those at the largest learning rates above all, it grows by some factor in every step until it is
as large as the difference between two seeds; in the fastest within an epoch. No one tolerance is right for both. So:

1. A replica is *equal* if every number of every epoch is within the tolerance that its task gives the column, or else
   within ``FLOOR`` plus ``RELATIVE`` times the recorded number, and if both diverged after the same epoch or neither
   did.
2. If it is not, its *twins* say how far rounding can have taken it: the same replica with learning rates that are off
   by once or twice ``NUDGE``, in relation. That is a hundred times the distance of neighbouring float32 numbers, which
   leaves room where drift has only begun, and none where it is as large as it gets. It has *drifted* if every number is
   within the tolerance of 1 plus ``FACTOR`` times the largest distance of a twin from it in the same column and up to
   the same epoch. The learning rate does not touch epoch 0, which therefore always has the tolerance of 1.
3. Else it *differs*: the table, the package or the machine is wrong.

The numbers were chosen on draws from all studies, with two kinds of vector instructions, alone against in batches, and
``python -m benchmarks.drift`` makes more. Most replicas were equal, nearly all of them within a quarter of what is
allowed, as the digits of the tables explain; the others drifted at most three times as far as their twins.

Whole tables are compared without twins. A replica that is not equal is taken for one that has drifted, at worst as far
as a run from another seed, and with either sign. So what must agree is each arm's mean over its seeds of the task's
``RESULT``, for images the test accuracy: the ``CONFIDENCE`` interval of the paired difference must reach the tolerance
of 1. Few seeds that drift have an interval that reaches anything. Means that are further apart than the margin within
which the book speaks of no difference, and no further than such an interval, are therefore neither equal nor apart, and
neither are those of one seed. Epoch 0 must be equal as in 1.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import NamedTuple

import pandas as pd
from scipy import stats

from physnn.lab.records.studies import Study
from physnn.lab.training.chunk import Job, collect
from physnn.lab.training.task import Column, Replica, column

RELATIVE, FLOOR = 2e-4, 1e-5  # about what the five digits of a table leave open
NUDGE, TWINS = 1e-5, (1, -1, 2)
FACTOR = 10
CONFIDENCE = 0.9999  # a hundred arms fail it once in a hundred times

LABELS = ("phase", "arm", "seed", "epoch", "seconds", "replica")


class Finding(NamedTuple):
    """How a replica compares with its recorded rows, and the number that is furthest from what is allowed.

    Attributes:
        verdict: "equal", "drifted" or "differs".
        excess: the deviation of that number as a multiple of what is allowed.
    """

    phase: str
    replica: Replica
    verdict: str
    column: str
    epoch: int
    recorded: float
    again: float
    excess: float

    def __str__(self) -> str:
        return (
            f"{self.verdict}: {self.phase}, {self.replica.arm}, lr {self.replica.lr:g}, seed {self.replica.seed}; "
            f"{self.column} after epoch {self.epoch} is {self.again:.6g}, recorded {self.recorded:.6g}, "
            f"{self.excess:.2g} of what is allowed"
        )


class Agreement(NamedTuple):
    """How far a study that was run again agrees with its recorded table.

    Attributes:
        recorded: replicas of the recorded table.
        again: those of them that were trained again.
        equal: those of these that are equal to rounding.
        unlike: those of these that are not so at epoch 0.
        arms: per arm whose final runs were compared, over its seeds: the means of the result, ``recorded`` and
            ``again``, the difference that is ``allowed``, and the ``margin`` within which it is none.
        largest: the largest deviation of a score, and whose.
        tuned: arms for which the tuning chose another setting.
        score, result: the task's columns of these names.
    """

    recorded: int
    again: int
    equal: int
    unlike: int
    arms: pd.DataFrame
    largest: tuple[float, str]
    tuned: list[str]
    score: Column
    result: Column

    @property
    def _distance(self) -> pd.Series:
        return (self.arms.again - self.arms.recorded).abs()

    @property
    def apart(self) -> list[str]:
        """The arms whose means are further apart than is allowed."""
        return self.arms.index[self._distance > self.arms.allowed].tolist()

    @property
    def open(self) -> list[str]:
        """The arms whose means are further apart than the margin, and not further than drift may take so few seeds."""
        return self.arms.index[(self._distance > self.arms.margin) & (self._distance <= self.arms.allowed)].tolist()

    @property
    def agrees(self) -> bool | None:
        """Whether nothing differs by more than drift explains; None where that cannot be told of everything."""
        if self.unlike or self.apart:
            return False
        return None if self.open or not self.again else True

    def __str__(self) -> str:
        if not self.again:
            return f"not compared: none of the {self.recorded:,} recorded replicas was trained again"
        parts = [f"{self.again:,} of {self.recorded:,} replicas compared, {self.equal:,} of them equal to rounding"]
        apart, where = self.score.scale * self.largest[0], self.largest[1]
        parts.append(f"{self.score.label}: within {apart:.2f}" + (f" ({where})" if where else ""))
        if len(self.arms):
            means = self.result.scale * (self.arms.again - self.arms.recorded).abs().max()
            parts.append(f"{self.result.label}: means of {len(self.arms)} arms within {means:.3f}")
        if self.tuned:
            parts.append(f"other settings tuned for {', '.join(self.tuned)}")
        if self.unlike:
            parts.append(f"DIFFERENT AT EPOCH 0: {self.unlike} replicas")
        if self.open:
            parts.append(f"means that too few seeds compare: {', '.join(self.open)}")
        if self.apart:
            parts.append(f"MEANS BEYOND TOLERANCE: {', '.join(self.apart)}")
        return "; ".join(parts)


def replicas(study: Study, table: pd.DataFrame) -> Iterator[tuple[str, Replica, pd.DataFrame]]:
    """Give every replica of a table: its phase, how to train it, and its rows."""
    for _, rows in table.groupby(["phase", "arm", *study.hyperparameters, "seed"], sort=False, dropna=False):
        first = rows.iloc[0]
        yield first.phase, study.replica(first.arm, first, first.seed), rows


def sample(
    study: Study, table: pd.DataFrame, seed: int, count: int = 3, affordable: float = 60.0
) -> list[tuple[str, Replica, pd.DataFrame]]:
    """Draw ``count`` replicas of each phase, of those that took at most ``affordable`` seconds; or where fewer did, of
    the ``count`` that took least."""
    chosen = []
    for phase in table.phase.unique():
        every = sorted(replicas(study, table[table.phase == phase]), key=lambda each: each[2].seconds.max())
        within = sum(rows.seconds.max() <= affordable for _, _, rows in every)
        pool = every[: max(count, within)]
        chosen += random.Random(f"{seed} {study.name} {phase}").sample(pool, min(count, len(pool)))
    return chosen


def smallest(study: Study, table: pd.DataFrame, seed: int) -> tuple[str, Replica, pd.DataFrame]:
    """Draw one replica of those with the fewest parameters."""
    every = [(study.task.read(each[1].recipe).size, each) for each in replicas(study, table)]
    least = min(size for size, _ in every)
    return random.Random(f"{seed} {study.name}").choice([each for size, each in every if size == least])


def retrain(study: Study, phase: str, replica: Replica, rows: pd.DataFrame, epochs: int | None = None) -> Finding:
    """Train a replica again, alone, and compare it with its recorded rows, all or those of the first ``epochs``."""
    recorded = _numbers(study, rows)
    (again,) = _train(study, phase, [replica], epochs)
    if epochs is not None:  # what is measured after the last epoch is not known
        recorded = recorded.loc[:epochs, [name for name in recorded if name in again and name != "diverged"]]
    tolerance = _tolerance(study, recorded)
    found, verdict = _worst(recorded, again, tolerance), "equal"
    if found[-1] > 1:
        near = [replace(replica, lr=replica.lr * (1 + NUDGE * step)) for step in TWINS]
        apart = [_deviations(again, twin) for twin in _train(study, phase, near, epochs)]
        drift = pd.concat(apart).groupby(level=0).max().cummax()
        allowed = tolerance.add(FACTOR * drift.reindex(columns=recorded.columns), fill_value=0.0)
        found = _worst(recorded, again, allowed)
        verdict = "drifted" if found[-1] <= 1 else "differs"
    return Finding(phase, replica, verdict, *found)


def agreement(study: Study, recorded: pd.DataFrame, again: pd.DataFrame) -> Agreement:
    """Compare the rows of a study that was run again, or of the part of it that was, with the recorded ones."""

    def keyed(table: pd.DataFrame) -> dict[tuple, pd.DataFrame]:
        every = table.groupby(["phase", "arm", *study.hyperparameters, "seed"], sort=False, dropna=False)
        return {tuple(f"{k:.5g}" if isinstance(k, float) else k for k in key): rows for key, rows in every}

    score, result = (column(study.task, name) for name in (study.task.SCORE, study.task.RESULT))
    first, second = keyed(recorded), keyed(again)
    both = [key for key in first if key in second]
    equal = unlike = 0
    largest, where = 0.0, ""
    for key in both:
        one, two = (_numbers(study, rows[key]) for rows in (first, second))
        allowed = _tolerance(study, one)
        equal += _worst(one, two, allowed)[-1] <= 1
        unlike += _worst(one.loc[:0], two.loc[:0], allowed)[-1] > 1
        apart = (one[study.task.SCORE] - two[study.task.SCORE]).abs()
        if apart.max() > largest:
            labels = dict(zip(("phase", "arm", *study.hyperparameters, "seed"), key, strict=True))
            named = ", ".join(
                str(value) if name in ("phase", "arm") else f"{name} {value}" for name, value in labels.items()
            )
            largest, where = apart.max(), f"{named}, epoch {apart.idxmax()}"
    tuned = sorted({key[1] for key in second if key[0] == "final" and key not in first})
    means = _means(study, recorded, again)
    return Agreement(len(first), len(both), equal, unlike, means, (largest, where), tuned, score, result)


def _means(study: Study, recorded: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """Compare the arms' mean results, over the seeds of both tables."""
    result, arms, meaning = study.task.RESULT, {}, column(study.task, study.task.RESULT)
    if result in recorded and result in again:
        end = study.design.get("final", {}).get("epochs")
        ended = (table[(table.phase == "final") & (table.epoch == end)] for table in (recorded, again))
        several = (rows.dropna(subset=result).set_index(["arm", "seed"])[result] for rows in ended)
        pairs = pd.concat(several, axis=1, keys=["recorded", "again"], join="inner")
        for arm, pair in pairs.groupby("arm", sort=False):
            reach = math.inf  # of one seed
            if len(pair) > 1:
                error = (pair.again - pair.recorded).std() / math.sqrt(len(pair))
                reach = stats.t.ppf((1 + CONFIDENCE) / 2, len(pair) - 1) * error
            (tolerance,) = _tolerance(study, pd.DataFrame({result: [pair.recorded.mean()]}))[result]
            arms[arm] = [*pair.mean(), reach + tolerance, max(meaning.margin / meaning.scale, tolerance)]
    return pd.DataFrame.from_dict(arms, orient="index", columns=["recorded", "again", "allowed", "margin"])


def _train(study: Study, phase: str, several: list[Replica], epochs: int | None) -> list[pd.DataFrame]:
    """Train replicas of one architecture together, for all or the first ``epochs``, and return the numbers of each."""
    members, recipes = list(range(len(several))), [study.task.read(replica.recipe) for replica in several]
    job = Job(study.task_name, several, recipes, members, study.budget(phase))
    done = count(1)  # stopped early, not cut: its schedules are those of the whole
    rows = pd.DataFrame(collect(job, lambda _: next(done) != epochs).rows)
    return [_numbers(study, rows[rows.replica == i]) for i in members]


def _numbers(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Return what was measured of a replica, by epoch; texts, such as packed answers, say no more than the numbers."""
    other = (*LABELS, *study.hyperparameters)
    names = [name for name in rows if name not in other and pd.api.types.is_numeric_dtype(rows[name])]
    return rows.set_index("epoch")[names].astype(float)


def _tolerance(study: Study, recorded: pd.DataFrame) -> pd.DataFrame:
    """Return by how much rounding may change the numbers of a replica that forgets it."""
    allowed = FLOOR + RELATIVE * recorded.abs().replace(math.inf, 0.0)
    for name in recorded:
        tolerance = 0.0 if name == "diverged" else column(study.task, name).tolerance
        if tolerance is not None:
            allowed[name] = tolerance
    return allowed


def _deviations(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return how far apart two replicas are in the columns of the first: infinitely where one alone has a number."""
    epochs = first.index.union(second.index)
    first, second = first.reindex(epochs), second.reindex(epochs, columns=first.columns)
    same = (first == second) | (first.isna() & second.isna())
    return (first - second).abs().fillna(math.inf).mask(same, 0.0)


def _worst(recorded: pd.DataFrame, again: pd.DataFrame, allowed: pd.DataFrame) -> tuple[str, int, float, float, float]:
    """Return the number that is furthest from what is allowed: column, epoch, recorded, again, and its excess."""
    apart = _deviations(recorded, again)
    allowed = allowed.reindex_like(apart).fillna(0.0)
    excess = (apart / allowed).mask((apart == 0) | (allowed == math.inf), 0.0)
    epoch, column = excess.stack().idxmax()
    at = [frame.reindex_like(apart).loc[epoch, column] for frame in (recorded, again, excess)]
    return column, int(epoch), *map(float, at)
