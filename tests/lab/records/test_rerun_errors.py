"""What can go wrong in `make results`: a line and an exit status, and what is finished stays."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from physnn.lab.records import parts, studies
from physnn.lab.records.rerun import KEPT, main, rerun
from physnn.lab.records.studies import Study
from physnn.lab.running import files
from physnn.lab.training import chunk, tasks

ROOT = Path(__file__).resolve().parents[3]
DESIGN = {
    "task": "parabola",
    "arms": {"steep": {"curvature": 2.0}, "flat": {"curvature": 0.5}},
    "tuning": {"lr": [0.1, 0.4], "seeds": [9], "epochs": 3},
    "final": {"seeds": [0, 1, 2], "epochs": 4},
    "contrasts": [["steep", "flat"]],
}
COUNT = 10  # replicas
LINE = "python -m physnn.lab.records.rerun: "


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A checkout with one study that has not run; its work in the calling process."""
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(Path(__file__).with_name("tasks"))])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(studies, "RESULTS", tmp_path / "results")
    write(tmp_path, DESIGN)
    return tmp_path


def write(folder, design, name="small"):
    path = folder / "results" / name / "design.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(design if isinstance(design, str) else yaml.safe_dump(design, sort_keys=False))


def run(*arguments):
    return main([*arguments, "--workers", "1"])


def made(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("_build/studies/*/*.csv")}


@pytest.fixture
def trained(monkeypatch):
    """How many replicas are trained, chunk by chunk."""
    counts, chunks = [], parts.chunks

    def counted(replicas, *arguments, **options):
        for each in chunks(replicas, *arguments, **options) if replicas else ():
            counts.append(len(each.members))
            yield each

    monkeypatch.setattr(parts, "chunks", counted)
    return counts


def without(*path):
    """Return the design without a key."""
    design = json.loads(json.dumps(DESIGN))
    part = design
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return design


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ("arms: [1, 2\n", "results/small/design.yml, line 2: "),
        ("", "results/small/design.yml: the design must be a mapping with arms, tuning, got None"),
        ("- a\n", "the design must be a mapping"),
        ("tuning:\n  lr: [1]\n  lr: [2]\n", "results/small/design.yml, line 3: the key 'lr' is given twice"),
        (without("arms"), "results/small/design.yml: the design has no arms"),
        (without("tuning"), "the design has no tuning"),
        (without("tuning", "lr"), "tuning has no lr"),
        (without("tuning", "seeds"), "tuning has no seeds"),
        (without("final", "epochs"), "final has no epochs"),
        (DESIGN | {"finale": {}}, "the design has 'finale', and may have arms, tuning, question, "),
        (DESIGN | {"final": {**DESIGN["final"], "epoch": 1}}, "final has 'epoch', and may have seeds, epochs, extras"),
        (DESIGN | {"arms": {"steep": 2.0}}, "arms must be a mapping of names to recipes"),
        (DESIGN | {"contrasts": [["steep", "flatt"]]}, "contrasts names the arm 'flatt'; there are steep, flat"),
        (
            DESIGN | {"beyond": {"steep": {"lr": {"low": "flatt"}}}},
            "beyond names the arm 'flatt'; there are steep, flat",
        ),
        (
            DESIGN | {"beyond": {"steep": {"damping": {"low": "flat"}}}},
            "beyond says of 'steep' what lies past ['damping']",
        ),
        (DESIGN | {"beyond": {"steep": {"lr": {"under": "flat"}}}}, "beyond must be arms to hyperparameters to arms"),
        (DESIGN | {"beyond": {"steep": "flat"}}, "beyond must be arms to hyperparameters to arms"),
        (DESIGN | {"batch_size": "128"}, "batch_size must be a whole number of at least 1, got '128'"),
        (DESIGN | {"task": "parable"}, "results/small/design.yml: task must be one of "),
        (
            DESIGN | {"tuning": {**DESIGN["tuning"], "seeds": [1, 1]}},
            "seeds must be a list of whole numbers, each once",
        ),
        (DESIGN | {"tuning": {**DESIGN["tuning"], "lr": [0.1, "high"]}}, "lr must be a list of numbers, each once"),
        (DESIGN | {"tuning": {**DESIGN["tuning"], "lr": 0.1}}, "lr must be a list of numbers, each once, got 0.1"),
        (DESIGN | {"tuning": {**DESIGN["tuning"], "trials": 2, "draw": 0}, "x": 1}, "the design has 'x'"),
        (
            DESIGN | {"tuning": {**DESIGN["tuning"], "trials": 2, "draw": 0, "lr": [1, 0.1]}},
            "lr must be two numbers above 0, the lower one first, since there are trials, got [1, 0.1]",
        ),
        (DESIGN | {"tuning": {**DESIGN["tuning"], "trials": 2}}, "has no draw, the seed of its trials"),
    ],
)
def test_a_design_that_is_none_is_said_with_file_and_key(folder, design, said, capsys):
    write(folder, design)
    assert run() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(LINE) and said in line
    assert not (folder / "_build").exists()


def test_rates_in_scientific_numbers_are_numbers(folder):
    write(folder, yaml.safe_dump(DESIGN).replace("- 0.1", "- 1e-1"))
    assert Study("small", folder / "results").settings("steep") == [{"lr": 0.1}, {"lr": 0.4}]


def test_what_the_command_line_names_wrongly(folder, capsys):
    write(folder, DESIGN, "other")
    assert run("smal") == 2
    assert capsys.readouterr().err.endswith("design.yml does not exist. Studies: other, small\n")
    assert main(["--workers", "0"]) == 2
    assert capsys.readouterr().err == f"{LINE}--workers must be at least 1, got 0\n"
    assert run("small", "small", "--minutes", "1e300") == 0
    assert capsys.readouterr().out.count("small: complete, 10 replicas") == 1


@pytest.mark.parametrize("name", ["part", "table.csv", "provenance.json"])
def test_a_full_disk_takes_nothing_that_is_finished(folder, trained, name, monkeypatch, capsys):
    def full(path, content):
        if path.name == name or (name == "part" and path.parent != folder / "results" / "small" and len(made(folder))):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_file(path, content)

    write_file = files.write
    monkeypatch.setattr(files, "write", full)
    assert run() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(LINE) and line.endswith(f": No space left on device; {KEPT}")
    before = made(folder)
    assert before and not (folder / "results" / "small" / "provenance.json").exists()
    monkeypatch.setattr(files, "write", write_file)
    trained.clear()
    assert run() == 0 and sum(trained) == COUNT - len(before)
    assert before.items() <= made(folder).items()
    assert "small: complete, 10 replicas" in capsys.readouterr().out


def test_a_file_in_the_place_of_the_work_folder(folder, capsys):
    (folder / "_build").write_text("")
    assert run() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{LINE}_build") and line.endswith(KEPT)


def test_killed_between_the_table_and_its_provenance_the_record_is_made_good_without_training(folder, trained, capsys):
    assert run() == 0
    study, table = Study("small", folder / "results"), folder / "results" / "small" / "table.csv"
    recorded = table.read_bytes()
    table.write_bytes(recorded + recorded.splitlines(keepends=True)[-1])  # as if its provenance were an older one
    with pytest.raises(ValueError, match="the table of study 'small' changed"):
        study.table()
    trained.clear()
    assert run() == 0 and not trained
    assert study.table() is not None and table.read_bytes() == recorded
    for damage in (b"", b"{", b"[1]", b"null"):
        (folder / "results" / "small" / "provenance.json").write_bytes(damage)
        capsys.readouterr()
        assert run() == 0 and not trained
        assert "provenance.json is damaged" in capsys.readouterr().out and study.table() is not None


@pytest.mark.parametrize("damage", ["empty", "half", "zeros", "line", "number"])
def test_a_damaged_part_is_trained_again_and_never_gets_into_the_table(folder, trained, damage, capsys):
    assert run() == 0
    table = (folder / "results" / "small" / "table.csv").read_bytes()
    (folder / "results" / "small" / "provenance.json").unlink()
    path = min(made(folder))
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes({
        "empty": b"", "half": content[:half], "zeros": content[:half] + bytes(half),
        "line": content[: content.rindex(b"\n", 0, -1) + 1], "number": content[:-2] + b"\n",
    }[damage])  # fmt: skip
    trained.clear()
    capsys.readouterr()
    assert run() == 0 and trained == [1]
    assert f"{path.relative_to(folder)} is damaged: its replica is trained again" in capsys.readouterr().out
    assert (folder / "results" / "small" / "table.csv").read_bytes() == table and path.read_bytes() == content


def test_two_runs_of_a_study_are_one(folder, trained, capsys):
    results = []
    both = [threading.Thread(target=lambda: results.append(rerun(["small"], workers=1))) for _ in range(2)]
    with files.alone(Study("small", folder / "results").parts(), "test"):
        for each in both:
            each.start()
        said = ""
        while said.count("waiting for another run of small in") < 2:
            said += capsys.readouterr().out
            time.sleep(0.01)
    for each in both:
        each.join()
    assert sum(trained) == COUNT
    assert [(only.state, only.done) for (only,) in results] == [("complete", COUNT)] * 2


def test_a_record_that_says_the_same_stays(folder):
    assert run() == 0
    before = (folder / "results" / "small" / "provenance.json").read_bytes()
    Study("small", folder / "results").run(workers=1)
    assert (folder / "results" / "small" / "provenance.json").read_bytes() == before


def test_parts_of_another_design_stay_and_are_said(folder, capsys):
    assert run() == 0
    before = made(folder)
    (old,) = {path.parent for path in before}
    write(folder, DESIGN | {"final": {"seeds": [0, 1], "epochs": 4}})
    assert run() == 0
    assert f"small: 10 replicas of another design, code or torch stay in {old.relative_to(folder)}" in (
        capsys.readouterr().out
    )
    assert before.items() <= made(folder).items() and len(made(folder)) == 10 + 8


def test_parts_belong_to_the_code_that_made_them_and_to_torch(monkeypatch):
    """The corruptions are reached by the training of images, as all is that imports lead to; a sweep's page is not."""
    study, read = Study("headline", ROOT / "results"), Path.read_bytes
    first = study.parts()

    def changed(*modules):
        def other(path):
            return read(path) + (b"\n# changed" if path.as_posix().endswith(modules) else b"")

        monkeypatch.setattr(Path, "read_bytes", other)
        return study.parts()

    assert changed("sweeping/report.py", "tasks/denoising.py", "records/reproduce.py") == first
    several = [changed(name) for name in ("data/corruptions.py", "models/layers.py", "training/stack.py", "optim.py")]
    monkeypatch.undo()
    monkeypatch.setattr(chunk, "version", lambda name: "1.0.0+cpu")
    several += [first, study.parts()]
    assert len({*several}) == 6
    monkeypatch.setattr(chunk, "version", lambda name: "1.0.0+cu999")
    assert study.parts() == several[-1], "for which devices it was built does not count"


def test_line_endings_do_not_count(folder, capsys):
    assert run() == 0
    for path in (folder / "results" / "small").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = {path: path.read_bytes() for path in (folder / "results" / "small").iterdir()}
    capsys.readouterr()
    assert run() == 0
    assert capsys.readouterr().out == "small: recorded, and the design has not changed\n"
    assert before == {path: path.read_bytes() for path in (folder / "results" / "small").iterdir()}


def test_without_the_data_nothing_is_trained(folder, trained, monkeypatch, capsys):
    monkeypatch.setenv("PHYSNN_DATA", "/dev/null/data")
    images = {"widths": [784, 10], "layer": "linear", "loss": "cross-entropy", "optimizer": "sgd", "momentum": 0.9}
    write(folder, DESIGN | {"task": "images", "data": "mnist", "arms": {"steep": images, "flat": images}})
    assert run() == 1 and not trained
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{LINE}MNIST is not in /dev/null/data and did not download") and line.endswith(KEPT)


def test_without_a_rate_that_serves_every_seed(folder, capsys):
    write(folder, DESIGN | {"tuning": {**DESIGN["tuning"], "lr": [30.0]}})
    assert run() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no setting of ['flat', 'steep'] has a error of every seed" in line and line.endswith(KEPT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM])
def test_an_interruption_while_the_record_is_written_comes_after_it(folder, number, monkeypatch, capsys):
    def interrupted(path, content):
        write_file(path, content)
        if path.name == "table.csv":
            signal.raise_signal(number)

    write_file = files.write
    monkeypatch.setattr(files, "write", interrupted)
    assert run("--minutes", "60") == 130
    assert capsys.readouterr().err == f"\n{LINE}interrupted; {KEPT}\n"
    assert Study("small", folder / "results").table() is not None


def test_a_terminal_that_knows_no_greek(folder):
    script = "import sys; from physnn.lab.records import rerun, studies; from pathlib import Path\n"
    script += "studies.RESULTS = Path('results'); sys.exit(rerun.main(['α']))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert told.returncode == 2 and told.stderr.startswith(f"{LINE}no study '\\u03b1'") and told.stderr.count("\n") == 1
