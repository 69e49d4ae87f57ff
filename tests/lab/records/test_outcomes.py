"""What came of an arm's runs: those that diverged, and those that are late."""

import pandas as pd
import pytest
import yaml

from physnn.lab.records.outcomes import epochs_to, final_values
from physnn.lab.records.studies import Study
from tests.lab.records.by_hand import RULE, record


@pytest.fixture
def results(tmp_path):
    """The study by hand."""
    record(tmp_path / "small", a=0.92, b=0.90)
    return tmp_path


def test_a_seed_that_diverged_needs_a_value(results):
    folder = results / "small"
    table = pd.read_csv(folder / "table.csv")
    how = RULE["effects"]["level"]
    table = table[~((table.phase == "final") & (table.arm == "a") & (table.seed == 2))]
    study = Study("small", results)
    rows = table[(table.phase == "final") & (table.arm == "a")]
    with pytest.raises(ValueError, match="diverged"):
        final_values(study, rows, how)
    assert final_values(study, rows, how | {"lost": 0.1}).tolist() == pytest.approx([92.0, 92.1, 10.0])


def test_epochs_to_a_threshold_are_counted_up_to_the_last_one(results):
    """A run that gets there late, or diverges, counts with the design's last epoch; pairs are compared as times."""
    folder = results / "small"
    design = yaml.safe_load((folder / "design.yml").read_text())
    design["final"]["epochs"] = 3
    (folder / "design.yml").write_text(yaml.safe_dump(design))
    reached = {"a": [[0.9, 0.96, 0.97], [0.95, 0.95, 0.95], [0.96]], "b": [[0.98] * 3, [0.98] * 3, [0.96, 0.97, 0.98]]}
    rows = pd.DataFrame(
        [("final", arm, seed, 1 + i, value) for arm, runs in reached.items()
         for seed, run in enumerate(runs) for i, value in enumerate(run)],
        columns=["phase", "arm", "seed", "epoch", "validation_accuracy"],
    )  # fmt: skip
    study = Study("small", results)
    taken = {arm: epochs_to(study, rows[rows.arm == arm], 97) for arm in reached}
    assert taken["a"].epochs.tolist() == [3, 3, 3] and taken["b"].epochs.tolist() == [1, 1, 2]
    assert taken["a"].observed.tolist() == [True, False, False]
    assert epochs_to(study, rows[rows.arm == "a"], 96).epochs.tolist() == [2, 3, 1]
