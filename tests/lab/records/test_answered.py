"""The answers of final runs, over draws of the search and seeds, and the effect that a rule makes of them."""

import pytest
import yaml

from physnn.lab.records.answered import answered
from physnn.lab.records.effects import effect
from physnn.lab.records.studies import Study
from physnn.lab.statistics.crossed import crossed_interval

BASE = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "langevin", "temperature": 0.0}
DESIGN = {
    "data": "digits",
    "batch_size": 256,
    "models": {"draw 1": {"draw": 1}, "draw 2": {"draw": 2}},
    "arms": {"free": {**BASE, "damping": "search"}, "weak": {**BASE, "damping": 1.0}},
    "tuning": {"trials": 2, "lr": [1e-3, 1e-1], "damping": [0.1, 1.0], "seeds": [9], "epochs": 1},
    "final": {"seeds": [0, 1, 2], "epochs": 1, "extras": ["answers"]},
}


def run(folder, **changes):
    (folder / "draws").mkdir(parents=True)
    (folder / "draws" / "design.yml").write_text(yaml.safe_dump({**DESIGN, **changes}, sort_keys=False))
    study = Study("draws", folder)
    study.run(workers=1, work=folder / "work")
    return study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run(tmp_path_factory.mktemp("results"))


def test_the_answers_stand_where_their_run_does(study):
    right, table = answered(study, "free"), study.table()
    assert right.shape[:2] == (2, 3) and right.dtype == bool
    for i, draw in enumerate(("draw 1", "draw 2")):
        for j, seed in enumerate((0, 1, 2)):
            rows = table[(table.arm == f"{draw}: free") & (table.seed == seed) & (table.phase == "final")]
            assert right[i, j].mean() == pytest.approx(rows.test_accuracy.iloc[-1], abs=1e-5)


def test_a_rule_reads_them(study):
    how = {"study": "draws", "measure": "answers", "scale": 100}
    one, two = (answered(study, name).astype(int) for name in ("free", "weak"))
    found = effect({**how, "contrast": ["free", "weak"]}, study.folder.parent).interval
    assert found == pytest.approx([100 * each for each in crossed_interval(one - two)[:3]] + [2])
    alone = effect({**how, "arm": "weak"}, study.folder.parent).interval
    assert alone.mean == pytest.approx(100 * two.mean()) and alone.low < alone.mean < alone.high


def test_what_has_no_answers_says_so(study, tmp_path):
    with pytest.raises(ValueError, match=r"has no 'draw 1: free' in several draws; it has \['draw 1: free', "):
        answered(study, "draw 1: free")
    silent = run(tmp_path, final={"seeds": [0, 1], "epochs": 1})
    with pytest.raises(ValueError, match="keeps no answers: its final runs need the extra `answers`"):
        answered(silent, "free")
