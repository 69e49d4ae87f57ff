"""Many intervals at once are the intervals one by one."""

import numpy as np
import pytest

from physnn.lab.statistics.many import mean_intervals
from physnn.lab.statistics.stats import mean_interval

NAN = float("nan")


def test_each_row_has_the_interval_of_its_values():
    draws = np.random.default_rng(0)
    rows = draws.normal(size=(50, 7)) * 10.0 ** draws.integers(-300, 300, size=(50, 1))
    rows[draws.random(rows.shape) < 0.3] = NAN
    rows[:, :2] = draws.normal(size=(50, 2))
    rows[0, :3] = 1e300, -2e300, np.inf
    found = mean_intervals(rows)
    for row, one in zip(rows, found.itertuples(index=False), strict=True):
        expected = mean_interval(row[np.isfinite(row)])
        assert one.n == expected.n
        assert one[:3] == pytest.approx(expected[:3], rel=1e-12)


def test_equal_values_one_value_and_none():
    found = mean_intervals(np.array([[0.1, 0.1, 0.1], [5.0, NAN, NAN], [NAN, np.inf, NAN]]))
    assert list(found.n) == [3, 1, 0]
    assert list(found.iloc[0, :3]) == [0.1] * 3
    assert found["mean"][1] == 5 and found.iloc[1, 1:3].isna().all()
    assert found.iloc[2, :3].isna().all()
