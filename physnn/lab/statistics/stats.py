"""Intervals and tests, thin over scipy: every chapter computes them here.

Values are those of runs, one per seed. Arms are compared over the seeds they share. For the time to an event see
:mod:`physnn.lab.statistics.survival`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from physnn.lab.statistics.bootstrap import bootstrap_t
from physnn.lab.statistics.flips import sign_flip

METHODS = ("student", "bootstrap-t")


class Interval(NamedTuple):
    """A mean with its 95 % interval, and the number of values behind it."""

    mean: float
    low: float
    high: float
    n: int

    def format(self, spec: str = ".2f", scale: float = 1.0) -> str:
        """Write ``mean [low, high]``, each multiplied by ``scale``; no line breaks between the brackets."""
        mean, low, high = (written_number(scale * value, spec) for value in self[:3])
        return f"{mean} [{low},\N{NO-BREAK SPACE}{high}]"


def written_number(value: float, spec: str) -> str:
    """Write a number with a typographic minus, which zeros have none of, also where they are zeros by rounding."""
    return format(value, re.sub(r"^([-+ ]?)", r"\1z", spec)).replace("-", "−")


def mean_interval(values: Sequence[float], method: str = "student") -> Interval:
    r"""Return the mean and its 95 % interval; of equal values, the interval is their value alone.

    ``"student"`` is :math:`\bar x \pm t_{0.975,\,n-1}\, s/\sqrt n`, exact for normal values at every n. Of ten values
    of skewness 1 it covers the mean in 94 % of samples, of skewness 2 in 90 %, of skewness 3 in 85 % (gamma laws).
    ``"bootstrap-t"`` is :func:`physnn.lab.statistics.bootstrap.bootstrap_t`, which follows the skewness: 93 to 95 % for
    all of these, with intervals that are longer and vary more. It is the second opinion where values are skewed.

    Raises:
        ValueError: fewer than two values, one that is not finite, or an unknown method.
    """
    return _interval(_finite(values), method, 0.95)


def summary(table: pd.DataFrame, value: str, by: str | list[str] = "arm", method: str = "student") -> pd.DataFrame:
    """Return one row per ``by``, in order of appearance: mean, low, high and n of ``value``.

    ``by`` may be a list of columns, such as the arm and a coefficient; they become the index.

    Raises:
        ValueError: a row has no ``by``, or as :func:`mean_interval`.
    """
    named(table, by)
    groups = table.groupby(by, sort=False)[value]
    rows = {name: mean_interval(group, method)._asdict() for name, group in groups}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)


def intervals(table: pd.DataFrame) -> list[Interval]:
    """Return the interval of each row of a table with ``mean``, ``low``, ``high`` and ``n``, as :func:`summary` has."""
    rows = table[list(Interval._fields)].itertuples(index=False)
    return [Interval(mean, low, high, int(n)) for mean, low, high, n in rows]


def written(table: pd.DataFrame, spec: str = ".2f", scale: float = 1.0) -> pd.Series:
    """Return ``mean [low, high]`` of each row of such a table, under its index (:meth:`Interval.format`)."""
    return pd.Series([each.format(spec, scale) for each in intervals(table)], table.index, dtype=object)


def written_p(p: float) -> str:
    """Write a p-value with three decimals; below 0.001 it says no more than that."""
    return "<\N{NO-BREAK SPACE}0.001" if p < 0.001 else f"{p:.3f}"


def paired_difference(first: pd.Series, second: pd.Series, method: str = "student") -> Interval:
    """Return the mean of ``first - second`` over their common index (the seeds), with its 95 % interval.

    Raises:
        ValueError: the indices differ, or as :func:`mean_interval`.
    """
    return _interval(_differences(first, second), method, 0.95)


class Comparison(NamedTuple):
    """Two arms, paired: ``difference`` is the mean difference with its 95 % interval, ``effect`` Cohen's d of pairs.

    The effect is the mean difference over the standard deviation of the differences. ``t_p`` is the p of the paired t
    test and ``flip_p`` that of the exact sign-flip test (:func:`physnn.lab.statistics.flips.sign_flip`), both
    two-sided. Of n pairs the latter is at least 2^(1-n): 0.0625 of five, whatever they show.
    """

    difference: Interval
    effect: float
    t_p: float
    flip_p: float


def compare(first: pd.Series, second: pd.Series, method: str = "student") -> Comparison:
    """Compare two arms over their common index (the seeds), as ``first - second``.

    Differences that are all the same have a standard deviation of zero. If they are zero, ``effect`` is 0 and the p
    are 1; if not, ``effect`` is infinite and ``t_p`` 0, and ``flip_p`` alone says how little n pairs can show.

    Raises:
        ValueError: as :func:`paired_difference`.
    """
    d = _differences(first, second)
    interval = _interval(d, method, 0.95)
    d = d / _unit(d)
    if d.nunique() > 1:
        effect, t_p = d.mean() / d.std(), stats.ttest_1samp(d, 0).pvalue
    else:
        effect, t_p = (0.0, 1.0) if interval.mean == 0 else (math.copysign(math.inf, interval.mean), 0.0)
    return Comparison(interval, float(effect), float(t_p), sign_flip(d))


def comparisons(
    table: pd.DataFrame,
    contrasts: Sequence[tuple[str, str]],
    value: str,
    *,
    by: str = "arm",
    pair: str = "seed",
    method: str = "student",
) -> pd.DataFrame:
    """Return one row per contrast (first, second) of a family: what :func:`compare` says, and ``holm_p``.

    Args:
        table: tidy rows with the columns ``by``, ``pair`` and ``value``, one for each arm and seed.
        contrasts: pairs of arms, all that the family of hypotheses contains: ``holm_p`` adjusts ``t_p`` for them (and
            not ``flip_p``, which of ten pairs is at least 0.002: none of a family of 26 could be significant).

    Returns:
        ``first``, ``second``, ``mean``, ``low``, ``high``, ``n``, ``effect``, ``t_p``, ``flip_p``, ``holm_p``.

    Raises:
        ValueError: there are no contrasts, one names an arm that is not in the table, a row has no arm or no seed, or
            as :func:`compare`.
    """
    named(table, [by, pair])
    arms = dict(iter(table.set_index(pair).groupby(by, sort=False)[value]))
    unknown = {arm for contrast in contrasts for arm in contrast} - set(arms)
    if unknown or not contrasts:
        raise ValueError(f"contrasts must be pairs of {list(arms)}, got {list(contrasts)}")
    rows = []
    for first, second in contrasts:
        difference, *tests = compare(arms[first], arms[second], method)
        rows.append((first, second, *difference, *tests))
    result = pd.DataFrame(rows, columns=["first", "second", *Interval._fields, *Comparison._fields[1:]])
    return result.assign(holm_p=holm(result.t_p))


def holm(p: Mapping[str, float] | pd.Series) -> pd.Series:
    r"""Return the p-values of a family adjusted by Holm (1979), by name, in the order given.

    .. math::
        \tilde p_{(i)} = \max_{j \le i} \min\bigl(1, (m - j + 1)\, p_{(j)}\bigr)

    Whoever rejects where the adjusted p is at most 5 % rejects a true hypothesis of the family with at most 5 %.

    Raises:
        ValueError: there is none, or one is not in [0, 1].
    """
    p = pd.Series(p, dtype=float)
    if p.empty or not p.between(0, 1).all():
        raise ValueError(f"p-values must be in [0, 1], at least one, got {p.to_dict()}")
    order = np.argsort(p.to_numpy(), kind="stable")
    adjusted = np.empty(len(p))  # by place, as several may have one name
    adjusted[order] = np.minimum(np.maximum.accumulate(np.arange(len(p), 0, -1) * p.to_numpy()[order]), 1)
    return pd.Series(adjusted, p.index)


class Equivalence(NamedTuple):
    """The mean paired difference with its **90 %** interval, and the p of the hypothesis that it is outside."""

    difference: Interval
    p: float


def equivalence(first: pd.Series, second: pd.Series, margin: float) -> Equivalence:
    r"""Test that ``first`` and ``second`` differ by less than ``margin``, by two one-sided paired t tests (TOST).

    The p is the larger one of the tests of :math:`\mu \le -m` and of :math:`\mu \ge m`. It is at most 5 % exactly
    where the 90 % interval lies within :math:`\pm m`. Source: Schuirmann (1987). Differences that are all the same
    have p = 0 inside the margin and 1 outside.

    Raises:
        ValueError: ``margin`` is not a positive number, or as :func:`paired_difference`.
    """
    if not 0 < margin < math.inf:
        raise ValueError(f"the margin must be positive, in the unit of the values, got {margin}")
    d = _differences(first, second)
    interval = _interval(d, "student", 0.90)
    if d.nunique() == 1:
        return Equivalence(interval, float(abs(interval.mean) >= margin))
    d, margin = d / _unit(d), margin / _unit(d)
    tests = (stats.ttest_1samp(d, -margin, alternative="greater"), stats.ttest_1samp(d, margin, alternative="less"))
    return Equivalence(interval, float(max(test.pvalue for test in tests)))


def _interval(values: pd.Series, method: str, level: float) -> Interval:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if values.nunique() == 1:  # here the bootstrap knows no interval
        return Interval(*[float(values.iloc[0])] * 3, len(values))
    unit = _unit(values)
    values = values / unit
    mean = float(values.mean())
    if method == "student":
        half = float(stats.t.ppf((1 + level) / 2, len(values) - 1) * values.sem())
        return Interval(unit * mean, unit * (mean - half), unit * (mean + half), len(values))
    low, high = bootstrap_t(values.to_numpy(), level)
    return Interval(unit * mean, unit * low, unit * high, len(values))


def _differences(first: pd.Series, second: pd.Series) -> pd.Series:
    """Return ``first - second``, to twelve digits of the values: what is equal on paper is equal here."""
    if set(first.index) != set(second.index) or first.index.has_duplicates or second.index.has_duplicates:
        raise ValueError(f"paired values need one common index, got {list(first.index)} and {list(second.index)}")
    both = pd.DataFrame({"first": _finite(first), "second": _finite(second)})
    unit = _unit(both.stack())
    both = both / unit
    return (both["first"] - both["second"]).round(digits_of(both.to_numpy())) * unit


def digits_of(values: np.ndarray) -> int:
    """Return how many decimals leave twelve digits of the largest value, as arithmetic in double precision does."""
    largest = np.abs(values).max()
    return 12 - math.ceil(math.log10(largest)) if largest else 0


def named(table: pd.DataFrame, columns: str | list[str]) -> None:
    """Insist that every row has a value in ``columns``: pandas would leave the others out of its groups.

    Raises:
        ValueError: a row has none.
    """
    columns = [columns] if isinstance(columns, str) else columns
    if lacking := table[columns].isna().any(axis=1).sum():
        raise ValueError(f"{lacking} of {len(table)} rows have no {' or no '.join(columns)}; leave them out and say so")


def _unit(values: pd.Series) -> float:
    """Return a power of two of the size of the largest value: in this unit no square overflows or vanishes."""
    return math.ldexp(1.0, max(-1021, min(1023, math.frexp(values.abs().max())[1])))


def _finite(values: Sequence[float]) -> pd.Series:
    values = pd.Series(values, dtype=float)
    if len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(
            f"an interval needs at least two finite values, got {list(values)}. A run that diverged has none: leave "
            "its seed out of all arms and say so, or measure what it does have"
        )
    return values
