"""Studies run again: cheapest first, within a time, beside the record, and each says how far it got."""

import hashlib
import json
import signal
import time

import pytest
import yaml

from physnn.lab.records import parts, studies
from physnn.lab.records import rerun as module
from physnn.lab.records.rerun import KEPT, _alarm, main, rerun
from physnn.lab.records.studies import Study
from physnn.lab.training.chunk import Chunk
from tests.lab.running.clusters import running

PROGRAM = "python -m physnn.lab.records.rerun"
PLAIN = {"widths": [64, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}
DESIGN = {
    "data": "digits",
    "batch_size": 256,
    "arms": {"linear": PLAIN, "MLP": {**PLAIN, "widths": [64, 8, 10]}},
    "tuning": {"lr": [0.01, 0.1], "seeds": [9], "epochs": 1},
    "final": {"seeds": [0, 1], "epochs": 2},
}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Three studies: a cheap and a dear one with a record, and one without."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studies, "RESULTS", tmp_path / "results")
    for name in ("dear", "cheap", "new"):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "design.yml").write_text(yaml.safe_dump({**DESIGN, "question": name}))
    for name, seconds in (("dear", 600), ("cheap", 6)):
        Study(name, tmp_path / "results").run(workers=1)
        path = tmp_path / "results" / name / "provenance.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "seconds_of_training": seconds}))
    return tmp_path / "results"


def files(folder):
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def test_what_is_missing_or_stale_runs_and_the_rest_does_not(results, capsys):
    before = files(results / "cheap")
    path = results / "dear" / "design.yml"
    path.write_text(path.read_text().replace("question: dear", "question: changed"))
    made = rerun([], workers=1)
    assert [(each.name, each.state, each.done) for each in made] == [
        ("cheap", "recorded", 0), ("dear", "complete", 8), ("new", "complete", 8)
    ]  # fmt: skip
    assert files(results / "cheap") == before
    assert "the design of study 'dear' changed" in capsys.readouterr().out
    assert [each.state for each in rerun([], workers=1)] == ["recorded"] * 3
    assert str(made[0]) == "cheap: recorded, and the design has not changed"
    assert str(made[2]).startswith("new: complete, 8 replicas, 0.")


def test_again_is_from_nothing_and_beside_the_record(results, capsys):
    before = files(results)
    (results.parent / "_build" / "studies").rename(results.parent / "gone")
    made = rerun(["dear", "cheap"], again=True, workers=1)
    assert "recorded: 10 minutes of training, 10 in 1 processes" in capsys.readouterr().out
    assert files(results) == before and not (results.parent / "_build" / "studies").exists()
    assert [each.name for each in made] == ["cheap", "dear"]
    for each in made:
        assert each.agreement.agrees and each.agreement.again == each.agreement.equal == 8
        assert "8 of 8 replicas compared, 8 of them equal to rounding" in str(each)
        assert Study(each.name, results.parent / "_build" / "results").table().shape[0] == 4 * 2 + 4 * 3
    (unknown,) = rerun(["new"], again=True, workers=1)
    assert unknown.state == "complete" and "not compared: study 'new' has no recorded table" in str(unknown)


def test_a_record_that_does_not_come_out_again_is_an_error(results, capsys):
    study = Study("cheap", results)
    table = study.table()
    worse = table.assign(test_accuracy=table.test_accuracy - 0.3 * (table.arm == "MLP"))
    changed = worse.to_csv(index=False, float_format="%.5g", lineterminator="\n")
    (results / "cheap" / "table.csv").write_text(changed, encoding="utf-8")
    recorded = {**study.provenance, "table": hashlib.sha256(changed.encode()).hexdigest()}
    (results / "cheap" / "provenance.json").write_text(json.dumps(recorded))
    assert main(["cheap", "--again"]) == 1
    out, err = capsys.readouterr()
    assert "MEANS BEYOND TOLERANCE: MLP" in out
    assert err == f"{PROGRAM}: what was run again does not agree with the record\n"


def test_when_the_time_is_over_what_is_finished_is_kept(results, monkeypatch, capsys):
    """The alarm comes after the first chunk of the final runs, and the next study does not begin."""
    chunks, seen = parts.chunks, []

    def interrupted(*arguments, **options):
        for chunk in chunks(*arguments, **options):
            yield chunk
            seen.append(arguments[1].epochs)
            if seen == [1, 1, 2]:
                signal.raise_signal(signal.SIGALRM)

    monkeypatch.setattr(parts, "chunks", interrupted)
    first, second = rerun(["dear", "cheap"], minutes=60.0, again=True, workers=1)
    assert (first.name, first.state, first.done, first.planned) == ("cheap", "stopped", 6, 8)
    assert str(first).startswith("cheap: 6 of 8 replicas done, 0.")
    assert first.agreement.again == 6 and first.agreement.agrees
    assert str(second) == "dear: not begun"
    assert not (results.parent / "_build" / "results" / "cheap" / "table.csv").exists()
    before = files(results.parent / "_build" / "results" / "work")
    seen.clear()
    monkeypatch.setattr(module, "_alarm", lambda seconds: pytest.fail("no time was given"))
    monkeypatch.undo()
    monkeypatch.chdir(results.parent)
    monkeypatch.setattr(studies, "RESULTS", results)
    made = rerun(["dear", "cheap"], again=True, workers=1)
    assert [each.state for each in made] == ["complete"] * 2
    after = files(results.parent / "_build" / "results" / "work")
    assert {path: after[path] for path in before} == before, "what was done is not done again"


def test_an_interruption_after_the_last_replica_of_a_phase_is_one(results, monkeypatch):
    """All tuning runs are finished when somebody wants no more: the final runs do not begin."""
    chunks, phases = parts.chunks, []

    def late(*arguments, **options):
        phases.append(arguments[1].epochs)
        yield from chunks(*arguments, **options)
        yield Chunk((), [], True, True)

    monkeypatch.setattr(parts, "chunks", late)
    (made,) = rerun(["cheap"], again=True, workers=1)
    assert made.state == "stopped" and made.done == 4 and phases == [1]


def test_the_time_ends_what_runs_and_leaves_no_alarm(results, capsys):
    handler = signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), _alarm(0.05):
        time.sleep(20)
    with _alarm(0.05):
        pass
    time.sleep(0.1)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert main(["cheap", "dear", "--again", "--minutes", "1e-9"]) == 0
    out = capsys.readouterr().out
    assert "dear: not begun" in out and "the time is over; the same command goes on from here" in out


def test_on_a_cluster_and_without_its_scheduler(results, tmp_path, monkeypatch, capsys):
    """What was finished before the scheduler went away is kept, and the same command without it goes on."""
    chunks = parts.chunks

    def bereft(*arguments, **options):
        for chunk in chunks(*arguments, **options):
            yield chunk
            cluster.processes[0].kill()
            cluster.processes[0].wait()

    with running(tmp_path) as cluster:
        cluster.worker()
        monkeypatch.setattr(parts, "chunks", bereft)
        assert main(["new", "--scheduler-file", str(cluster.file)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line == f"{PROGRAM}: the Dask scheduler {cluster.address} went away, or cancelled the runs; {KEPT}"
        monkeypatch.setattr("physnn.lab.running.cluster.PATIENCE", 1)
        assert main(["new", "--scheduler", cluster.address]) == 1
        assert f"no connection to the Dask scheduler {cluster.address}" in capsys.readouterr().err
    (folder,) = (results.parent / "_build" / "studies").glob("new-*")
    before = files(folder)
    assert len(before) == 2
    monkeypatch.setattr(parts, "chunks", chunks)
    (made,) = rerun(["new"], workers=1)
    assert (made.state, made.done) == ("complete", 8)
    after = files(folder)
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize("minutes", ["0", "-1", "nan"])
def test_a_time_that_is_none(minutes, capsys):
    with pytest.raises(SystemExit):
        main(["--minutes", minutes])
    assert "--minutes must be above 0" in capsys.readouterr().err
