"""The equations of the chapter on scaling, each by its label."""

import numpy as np
import pytest
from scipy.optimize import nnls

from physnn.lab.statistics.power_law import RANGE, PowerLaw, fit_power_law

SIZES = np.array([250, 600, 1500, 4000, 10_000, 25_000, 60_000])


def test_eq_scaling_law():
    assert PowerLaw(0.02, 3.2, 0.5)([100, 10_000]).tolist() == pytest.approx([0.02 + 0.32, 0.02 + 0.032])


@pytest.mark.parametrize("seed", range(3))
def test_eq_scaling_fit(seed):
    """No exponent of a fine grid, with the best floor and amplitude by scipy's nnls, leaves less of the sum."""
    errors = PowerLaw(0.02, 3.2, 0.5)(SIZES) * np.exp(0.1 * np.random.default_rng(seed).standard_normal(7))
    found = fit_power_law(SIZES, errors)
    least = ((found(SIZES) / errors - 1) ** 2).sum()
    sums = [
        nnls(np.stack([1 / errors, (SIZES / 4000) ** -c / errors], 1), np.ones(7))[1] ** 2
        for c in np.geomspace(*RANGE, 2000)
    ]
    assert least <= min(sums) * (1 + 1e-9)
    assert least == pytest.approx(min(sums), rel=1e-4)
