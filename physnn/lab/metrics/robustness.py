"""Corruption errors of a study's runs: by family, as means, and in units of a reference network."""

import pandas as pd

from physnn.lab.data.corruptions import FAMILIES, SEVERITIES


def corruption_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns ``error_FAMILY_SEVERITY`` of a table, as columns of two levels, family and severity.

    Raises:
        ValueError: one of the families and severities of :mod:`physnn.lab.data.corruptions` is missing.
    """
    names = [f"error_{family}_{severity}" for family in FAMILIES for severity in SEVERITIES]
    if missing := [name for name in names if name not in table]:
        raise ValueError(f"the table has no columns {missing}")
    columns = pd.MultiIndex.from_product([FAMILIES, SEVERITIES], names=["family", "severity"])
    return table[names].set_axis(columns, axis=1)


def by_family(errors: pd.DataFrame) -> pd.DataFrame:
    """Return each family's mean over its severities; NaN for a run that lacks one of them."""
    families = errors.columns.unique("family")
    means = {family: errors[family].mean(axis=1, skipna=False) for family in families}
    return pd.DataFrame(means, index=errors.index).rename_axis(columns="family")


def error_ratios(
    errors: pd.DataFrame, clean: pd.Series, reference: pd.DataFrame, reference_clean: pd.Series
) -> pd.DataFrame:
    r"""Return ``mce`` and ``relative`` of runs, in units of reference runs of the same index (the seeds).

    .. math::
        \mathrm{mCE} = \frac1F\sum_f \frac{\sum_s e_{f,s}}{\sum_s r_{f,s}}, \qquad
        \text{relative mCE} = \frac1F\sum_f \frac{\sum_s (e_{f,s} - e)}{\sum_s (r_{f,s} - r)}

    with the errors e of the runs and r of the reference, those without indices on clean images. The severities of a
    family are as many for both. A run that lacks an error, or whose reference does, has NaN. Source: Hendrycks and
    Dietterich (2019), who write them in percent.

    Raises:
        ValueError: the runs and the reference have not the same index or columns.
    """
    same = errors.columns.equals(reference.columns)
    if not same or any(set(part.index) != set(errors.index) for part in (clean, reference, reference_clean)):
        raise ValueError("the runs and the reference need the same seeds, families and severities")
    own, other = by_family(errors), by_family(reference).reindex(errors.index)
    added = own.sub(clean, axis=0) / other.sub(reference_clean.reindex(errors.index), axis=0)
    ratios = {"mce": own / other, "relative": added}
    return pd.DataFrame({name: ratio.mean(axis=1, skipna=False) for name, ratio in ratios.items()})
