"""Corruption errors by family and in units of a reference, against sums by hand."""

import numpy as np
import pandas as pd
import pytest

from physnn.lab.data.corruptions import FAMILIES, SEVERITIES
from physnn.lab.metrics.robustness import by_family, corruption_errors, error_ratios

NAMES = [f"error_{family}_{severity}" for family in FAMILIES for severity in SEVERITIES]


def table(seed):
    values = np.random.default_rng(seed).uniform(0.1, 0.9, (3, len(NAMES)))
    return pd.DataFrame(values, columns=NAMES).assign(seed=[5, 6, 7], test_accuracy=[0.95, 0.9, 0.92]).set_index("seed")


def test_columns_become_families_and_severities():
    errors = corruption_errors(table(0))
    assert errors.shape == (3, 21) and errors.columns.names == ["family", "severity"]
    assert errors.loc[6, ("blur", 2)] == table(0).loc[6, "error_blur_2"]
    for seed in errors.index:
        assert by_family(errors).loc[seed].mean() == pytest.approx(table(0).loc[seed, NAMES].mean())
    with pytest.raises(ValueError, match="error_affine_3"):
        corruption_errors(table(0).drop(columns="error_affine_3"))


def test_the_ratios_are_those_of_the_paper():
    own, other = table(1), table(2).iloc[::-1]
    errors, reference = corruption_errors(own), corruption_errors(other)
    found = error_ratios(errors, 1 - own.test_accuracy, reference, 1 - other.test_accuracy)
    for seed in own.index:
        e, r = 1 - own.test_accuracy[seed], 1 - other.test_accuracy[seed]
        plain, relative = [], []
        for family in FAMILIES:
            a, b = (part.loc[seed, family].sum() for part in (errors, reference))
            plain.append(a / b)
            relative.append((a - 3 * e) / (b - 3 * r))
        assert found.mce[seed] == pytest.approx(np.mean(plain))
        assert found.relative[seed] == pytest.approx(np.mean(relative))


def test_the_reference_in_its_own_units_is_one():
    own = table(1)
    errors, clean = corruption_errors(own), 1 - own.test_accuracy
    assert error_ratios(errors, clean, errors, clean).to_numpy() == pytest.approx(1.0)
    with pytest.raises(ValueError, match="same seeds"):
        error_ratios(errors, clean, errors.drop(5), clean)


def test_a_run_that_lacks_an_error_has_no_mean():
    """A mean of what is left would be smaller or larger, and pass for one of all."""
    own, other = table(1), table(2)
    own.loc[6, "error_blur_3"] = np.nan
    errors = corruption_errors(own)
    assert by_family(errors).isna().sum().to_dict() == {f: int(f == "blur") for f in FAMILIES}
    found = error_ratios(errors, 1 - own.test_accuracy, corruption_errors(other), 1 - other.test_accuracy)
    assert found.isna().all(axis=1).to_dict() == {5: False, 6: True, 7: False}
