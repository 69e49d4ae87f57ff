"""The equations of the chapter on stability, each by its label, and what its text says of the recorded studies."""

import numpy as np
import pandas as pd
import pytest

from physnn.lab import metrics
from physnn.lab.corruptions import FAMILIES, SEVERITIES
from physnn.lab.matching import first_passage
from physnn.lab.robustness import corruption_errors, error_ratios

NAMES = [f"error_{family}_{severity}" for family in FAMILIES for severity in SEVERITIES]


def errors(seed, clean):
    """Errors above the clean one, of two runs."""
    table = pd.DataFrame(np.random.default_rng(seed).uniform(clean, 0.9, (2, len(NAMES))), columns=NAMES)
    return corruption_errors(table)


def test_eq_stability_mce():
    e = errors(0, 0.05)
    for i, row in e.iterrows():
        expected = sum(sum(row[f, s] for s in SEVERITIES) / 3 for f in FAMILIES) / 7
        assert metrics.corruption_error(row) == pytest.approx(expected) == e.mean(axis=1)[i]
        assert metrics.relative_corruption_error(row, 0.05) == pytest.approx(expected - 0.05)


def test_eq_stability_ratios():
    e, r = errors(1, 0.06), errors(2, 0.03)
    clean, reference = pd.Series([0.06, 0.06]), pd.Series([0.03, 0.03])
    found = error_ratios(e, clean, r, reference)
    for i in e.index:
        parts = [
            (sum(e.loc[i, (f, s)] for s in SEVERITIES), sum(r.loc[i, (f, s)] for s in SEVERITIES)) for f in FAMILIES
        ]
        assert found.mce[i] == pytest.approx(sum(a / b for a, b in parts) / 7)
        assert found.relative[i] == pytest.approx(sum((a - 3 * 0.06) / (b - 3 * 0.03) for a, b in parts) / 7)


def test_a_guess_has_the_best_relative_error():
    guess = errors(3, 0.05) * 0 + 0.9
    found = error_ratios(guess, pd.Series([0.9, 0.9]), errors(4, 0.03), pd.Series([0.03, 0.03]))
    assert found.relative.tolist() == [0, 0] and (found.mce > 1).all()


def test_eq_stability_matched():
    """The first step that passes the accuracy, though a later one has a smaller error."""
    a, c = [0.80, 0.90, 0.88, 0.95], [0.40, 0.30, 0.28, 0.20]
    k = min(j for j in range(3) if a[j] <= 0.89 <= a[j + 1])
    expected = c[k] + (0.89 - a[k]) / (a[k + 1] - a[k]) * (c[k + 1] - c[k])
    assert k == 0 and first_passage(a, c, 0.89) == pytest.approx(expected)
