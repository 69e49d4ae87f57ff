"""Effects of rules: weighted sums, means over columns, times, comparison at equal accuracy, and warnings."""

import hashlib
import json

import pandas as pd
import pytest
import yaml

from physnn.lab.records import effects
from physnn.lab.records.effects import effect
from physnn.lab.records.studies import Study
from physnn.lab.statistics import stats
from tests.lab.records.by_hand import record

NEW = {
    "study": "new", "measure": "matched", "arm": "a", "column": "error", "along": "clean", "scale": 100,
    "path": [{"study": "old", "arms": ["way"]}, {"study": "new", "arms": ["b"]}],
}  # fmt: skip


def write(folder, arms, rows):
    folder.mkdir(parents=True)
    design = {
        "arms": {arm: {} for arm in arms}, "tuning": {"lr": [1.0], "seeds": [9], "epochs": 1},
        "final": {"seeds": [0, 1, 2], "epochs": 2},
    }  # fmt: skip
    (folder / "design.yml").write_text(yaml.safe_dump(design))
    table = pd.DataFrame(rows, columns=["arm", "seed", "epoch", "clean", "error", "error_a_1", "error_b_1"])
    table.assign(phase="final", lr=1.0, diverged=False).to_csv(folder / "table.csv", index=False)
    digest = hashlib.sha256((folder / "table.csv").read_bytes()).hexdigest()
    made = {"design": Study(folder.name, folder.parent).digest, "table": digest}
    (folder / "provenance.json").write_text(json.dumps(made))


@pytest.fixture
def results(tmp_path):
    """a ends at 0.85, 0.95 and 0.99; the old way goes from 0.8 to 0.9, and b goes on from 0.92 to 0.96."""
    old, new = [], []
    for seed, clean in enumerate((0.85, 0.95, 0.99)):
        old += [("way", seed, e, (0.1, 0.8, 0.9)[e], (0.9, 0.4, 0.3)[e], 0.1, 0.3) for e in range(3)]
        new += [("a", seed, e, (0.1, 0.5, clean)[e], (0.9, 0.6, 0.5)[e], 0.1 * e, 0.1 + seed / 100) for e in range(3)]
        new += [("b", seed, e, (0.1, 0.92, 0.96)[e], (0.9, 0.2, 0.1)[e], 0.3, 0.5) for e in range(3)]
    write(tmp_path / "old", ["way"], old)
    write(tmp_path / "new", ["a", "b"], new)
    return tmp_path


def test_a_column_with_a_star_is_the_mean_of_all_that_begin_so(results):
    found = effect({"study": "new", "arm": "a", "column": "error_*", "scale": 100}, results)
    assert found.interval.mean == pytest.approx(100 * (0.2 + 0.11) / 2) and found.interval.n == 3
    one = effect({"study": "new", "arm": "a", "column": "error"}, results)
    assert one.interval.mean == pytest.approx(0.5), "without a star, only the column of that name"
    with pytest.raises(ValueError, match=r"nll_\*"):
        effect({"study": "new", "arm": "a", "column": "nll_*"}, results)


def test_an_arm_is_compared_with_a_path_where_it_is_as_accurate(results):
    """At 0.85 the old way has 0.35, at 0.95 b's epochs have 0.125; nobody reaches 0.99. Before training is no place."""
    found = effect(NEW, results)
    assert found.interval.n == 2
    assert sorted(found.pair[0] - found.pair[1]) == pytest.approx([15.0, 37.5])
    ends = NEW | {"path": [{"study": "new", "arms": ["a", "b"]}], "scale": 1}
    differences = effect(ends, results).pair
    assert (differences[0] - differences[1]).tolist() == pytest.approx([0.0, 0.0, 0.0]), "of several arms, their ends"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ([{"study": "old", "arms": ["nobody"]}], "nobody"),
        ([{"study": "older", "arms": ["way"]}], "older"),
        ([{"study": "old", "arms": ["way"]}], "reaches the place of 1 of 3"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(results, path, message):
    with pytest.raises(ValueError, match=message):
        effect(NEW | {"path": path}, results)


def test_a_warning_is_judged_over_the_arms(tmp_path, monkeypatch):
    """Of one predictor its areas, of two their paired difference; only the tuning runs are read, and once."""
    areas = {
        "physics": pd.Series([0.9, 1.0, 0.95], list("abc")),
        "learning rate": pd.Series([0.7, 0.6, 0.8], list("abc")),
    }
    asked = []

    def forewarned(rows, epochs, predictor):
        asked.append((set(rows.phase), epochs, predictor))
        return areas[predictor]

    monkeypatch.setattr(effects, "forewarned", forewarned)
    effects._areas.cache_clear()
    write(tmp_path / "new", ["a"], [("a", 0, 0, 0.1, 0.9, 0.1, 0.1)])
    how = {"study": "new", "measure": "forewarned", "predictors": ["physics"], "scale": 100}
    found = effect(how, tmp_path)
    assert found.interval.mean == pytest.approx(95) and found.interval.n == 3 and found.pair is None
    both = effect(how | {"predictors": ["physics", "learning rate"]}, tmp_path)
    assert (both.pair[0] - both.pair[1]).to_list() == pytest.approx([20, 40, 15])
    assert [predictor for *_, predictor in asked] == ["physics", "learning rate"]
    assert all(epochs == 1 and phases <= {"tuning"} for phases, epochs, _ in asked)
    effects._areas.cache_clear()


def test_two_arms_are_compared_at_the_accuracy_of_the_one_that_ends_lower(results):
    """b passes 0.85 on its first step, and 0.95 on its second; at 0.96, where b ends, a is on its way to 0.99."""
    how = {"study": "new", "measure": "matched-lower", "contrast": ["a", "b"], "column": "error", "along": "clean"}
    found = effect(how | {"scale": 100}, results)
    assert found.pair[0].tolist() == pytest.approx([50, 50, 60 - 10 * 0.46 / 0.49])
    assert found.pair[1].tolist() == pytest.approx([90 - 70 * 0.75 / 0.82, 12.5, 10])
    assert found.interval.n == 3


@pytest.fixture
def small(tmp_path):
    """The study by hand."""
    record(tmp_path / "small", a=0.92, b=0.90)
    return tmp_path


def test_weights_of_arms_are_their_paired_sum(small):
    how = {"study": "small", "weights": {"a": 2, "b": -1}, "column": "test_accuracy", "scale": 100}
    found = effect(how, small)
    assert found.interval == pytest.approx(stats.mean_interval([94.0, 94.2, 94.4]))


def test_an_effect_of_epochs_counts_those_that_are_late(small):
    how = {"study": "small", "measure": "epochs-to"}
    assert effect(how | {"arm": "a", "threshold": 90}, small).interval == (1.0, 1.0, 1.0, 3)
    gap = effect(how | {"contrast": ["a", "b"], "threshold": 92}, small)
    assert gap.interval.mean == 0 and gap.interval.n == 3
    assert gap.censored == (0, 3)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"study": "small", "arm": "c", "column": "test_accuracy"}, r"no arms \['c'\]"),
        ({"study": "small", "arm": "a", "column": "test_nll"}, "test_nll"),
        ({"study": "small", "arm": "a", "measure": "speed"}, "one of final, .*, exponent, got 'speed'"),
        ({"study": "small", "weights": {"a": 2, "b": -1}, "measure": "diverged"}, "weights are those of final values"),
        ({"study": "large", "arm": "a", "column": "test_accuracy"}, "large"),
        ({"formula": "magic", "of": {}}, "magic"),
    ],
)
def test_an_effect_of_what_is_not_there_is_refused(small, how, message):
    with pytest.raises(ValueError, match=message):
        effect(how, small)


@pytest.fixture
def several(tmp_path):
    """Two problems, three arms and four seeds: on the first `own` is ahead of both, on the second between them."""
    folder = tmp_path / "several"
    folder.mkdir()
    design = {
        "models": {"p": {}, "q": {}}, "arms": {"own": {}, "net": {}, "trees": {}},
        "tuning": {"lr": [1.0], "seeds": [9], "epochs": 1}, "final": {"seeds": [0, 1, 2, 3], "epochs": 1},
    }  # fmt: skip
    (folder / "design.yml").write_text(yaml.safe_dump(design))
    level = {"p": {"own": 0.9, "net": 0.8, "trees": 0.7}, "q": {"own": 0.8, "net": 0.9, "trees": 0.7}}
    rows = [
        {"phase": "final", "arm": f"{model}: {arm}", "lr": 1.0, "seed": seed, "epoch": 1, "diverged": False,
         "test_accuracy": each + 0.001 * seed * (arm == "own")}
        for model, arms in level.items() for arm, each in arms.items() for seed in range(4)
        if (model, arm, seed) != ("q", "trees", 3)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "table.csv", index=False)
    digest = hashlib.sha256((folder / "table.csv").read_bytes()).hexdigest()
    (folder / "provenance.json").write_text(json.dumps({"design": Study("several", tmp_path).digest, "table": digest}))
    return tmp_path


def test_wins_and_losses_are_shares_of_problems(several):
    how = {
        "study": "several", "arm": "own", "against": ["net", "trees"], "models": ["p", "q"],
        "column": "test_accuracy", "lost": 0.0,
    }  # fmt: skip
    won, lost = (effect(how | {"measure": measure}, several).interval for measure in ("wins", "losses"))
    assert (won.mean, won.n) == (50, 2) and (lost.mean, lost.n) == (50, 2)
    assert effect(how | {"measure": "wins", "models": ["p"]}, several).interval.mean == 100
    assert effect(how | {"measure": "losses", "against": ["trees"]}, several).interval.mean == 0
    with pytest.raises(ValueError, match=r"no arms \['r: own'"):
        effect(how | {"measure": "wins", "models": ["r"]}, several)
    with pytest.raises(ValueError, match="diverged: give the rule a value"):
        effect({name: value for name, value in how.items() if name != "lost"} | {"measure": "wins"}, several)
