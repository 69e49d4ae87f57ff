"""The equation of the chapter on suitability, by its label, and what its rules count."""

import pandas as pd
import pytest

from physnn.lab.records.studies import Study
from physnn.lab.statistics.profiles import performance_profile


def test_eq_suitability_profile():
    errors = pd.DataFrame({"a": [1.0, 6.0, 2.0], "b": [2.0, 2.0, 2.5]}, ["p", "q", "r"])
    for factor in (1, 1.25, 2, 2.9, 3):
        found = performance_profile(errors, [factor]).loc[factor]
        for arm in errors:
            count = sum(errors.loc[p, arm] <= factor * errors.loc[p].min() for p in errors.index)
            assert found[arm] == pytest.approx(count / 3)


def test_the_control_is_no_problem_that_counts():
    """Six problems with the same arms, and the rules name these six."""
    from book.tools import claims
    from book.tools.project import HERE

    study = Study("suitability")
    problems = [name for name in study.design["models"] if name != "MNIST-1D, shuffled"]
    assert len(problems) == 6
    rules = {claim.number: claim.rule for claim in claims.read(HERE / "book" / "claims.yml")}
    for number in (15, 18):
        for how in rules[number]["effects"].values():
            named = how.get("models") or list(dict.fromkeys(arm.partition(": ")[0] for arm in how["weights"]))
            assert named == problems
            assert sum(how.get("weights", {}).values()) == pytest.approx(0)
