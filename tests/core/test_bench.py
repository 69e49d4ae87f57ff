"""What `make bench` prints: one statistic, for the estimate and its interval, and rows that fail by themselves."""

import json
import math
import random
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import optimizer_gpu
from benchmarks.harness import LEAST, Bench, Row, median

ROOT = Path(__file__).resolve().parents[2]
BARE = ("IPython", "PIL", "bokeh", "matplotlib", "nbformat", "papermill", "seaborn", "torchvision", "tqdm", "yaml")


class Scripted(Bench):
    """A bench whose clock reads what the subjects say."""

    def time(self, run, calls):
        return calls * run()


@pytest.mark.parametrize("spread", ["constant", "lognormal", "two moments", "drift"])
def test_the_estimate_lies_in_its_interval(spread):
    """For timings of any law, many rounds or few. The ratio of minima and the quartiles of the rounds did not."""
    law = random.Random(0)
    clock = {
        "constant": lambda: 1.0,
        "lognormal": lambda: law.lognormvariate(0, 1),
        "two moments": lambda: law.choice([1.0, 10.0]),
        "drift": lambda: law.random() + 100 * law.random() ** 9,
    }[spread]
    bench = Scripted(quick=True)
    for seconds in (0.0, 0.5):  # the least number of rounds, and thousands of them
        rows = bench.compare({name: clock for name in "abcd"}, "a", seconds=seconds)
        assert [row.name for row in rows] == ["b", "c", "d"]
        assert all(row.low <= row.ratio <= row.high for row in rows)


@pytest.mark.parametrize("path", sorted((ROOT / "results" / "speed").glob("*.json")), ids=lambda path: path.name)
def test_every_recorded_row_lies_in_its_interval(path):
    """And says nothing of a failure: such a table is not recorded."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert len(rows) > 20
    for row in rows:
        assert row["low"] is None or row["low"] <= row["ratio"] <= row["high"], row["name"]
        assert not row["note"].startswith("failed"), row["name"]


@pytest.mark.parametrize("n", [6, 9, 30, 101, 3000])
def test_the_interval_holds_the_median_as_often_as_it_says(n):
    """The binomial sum behind it, written out: at least 95 %, and one value further in would be less."""
    low, middle, high = median(range(n, 0, -1))
    assert middle == (n + 1) / 2 and low + high == n + 1  # the k-th smallest and the k-th largest

    def coverage(k):
        return 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2**n  # in whole numbers

    assert coverage(low) >= 0.95 > coverage(low + 1)


def test_the_interval_holds_a_known_median():
    """1000 times 40 ratios of two exponential times, of median 1: the coverage, 0.962, to within 4.5 deviations.

    False alarms: 7 in a million, on other seeds.
    """
    law = random.Random(1)
    hits = 0
    for _ in range(1000):
        low, _, high = median([law.expovariate(1) / law.expovariate(1) for _ in range(40)])
        hits += low <= 1 <= high
    share = 1 - 2 * sum(math.comb(40, i) for i in range(14)) / 2**40
    assert abs(hits / 1000 - share) < 4.5 * math.sqrt(share * (1 - share) / 1000)


def test_too_few_rounds_have_no_interval():
    with pytest.raises(ValueError, match="needs 6 rounds or more, got 5"):
        median([1.0] * (LEAST - 1))


def test_half_of_the_rounds_may_be_disturbed():
    quiet, disturbed = [2.0] * 11, [1000.0] * 10
    assert median(quiet + disturbed)[1] == 2.0


def test_a_subject_that_fails_has_a_row_that_says_so():
    def broken():
        raise OSError("no compiler\nand a long story")

    said = []

    def loud():  # once, as a compiler that is missing is named
        if not said:
            warnings.warn("it runs slowly\nfor a reason", RuntimeWarning, stacklevel=1)
        said.append(True)
        return 3.0

    rows = Scripted(quick=True).compare({"plain": lambda: 1.0, "broken": broken, "loud": loud}, "plain", title="t: ")
    assert rows[0] == Row("t: broken", "plain", None, note="failed: OSError: no compiler")
    assert rows[1].name == "t: loud" and rows[1].ratio == 3.0 and rows[1].note == "it runs slowly"
    with pytest.raises(RuntimeError, match="broken, which the others are held against, failed: OSError"):
        Scripted(quick=True).compare({"plain": lambda: 1.0, "broken": broken}, "broken")


def test_a_subject_module_that_fails_leaves_the_others_their_rows(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.loss.CASES", (((3, 4), "no_such_loss", "", ""),))
    (row,) = command.measured("loss", Bench(quick=True))
    assert row.ratio is None and row.note.startswith("failed: AttributeError: ") and "no_such_loss" in row.note
    assert "Traceback" in capsys.readouterr().err


def test_bytes_of_a_step():
    """Five words for SGD; noise that is written and read, last noise read and written, and the look at gradients."""
    words = optimizer_gpu.words_of
    assert words(compiled=True, check_finite=False) == optimizer_gpu.SGD == 5
    assert words(check_finite=False) == words(noise="two-point", check_finite=False) == 7
    assert words() == 8 and words(scheme="gjf") == 10 and words(scheme="baoa") == 8
    assert words(scheme="gjf", noise="byte-sum", compiled=True) == 8


def test_the_command_for_a_gpu_writes_one_json(monkeypatch, tmp_path, capsys):
    """With the processor in the place of the GPU; the optimizer's rows, which are all of it that is new, in a hurry."""
    monkeypatch.setenv("PHYSNN_CUDA_AS", "cpu")
    monkeypatch.setattr(optimizer_gpu, "MAIN", ({},))
    monkeypatch.setattr(optimizer_gpu, "SCHEMES", ())
    monkeypatch.setattr(optimizer_gpu, "SMALL", ())
    out = tmp_path / "folder" / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--device", "cuda", "--quick", "--out", str(out), "optimizer_gpu"])
    command.main()
    made = json.loads(out.read_text())
    assert {"torch", "python", "device", "source"} <= set(made["environment"])
    rows = {row["name"]: row for row in made["rows"]}
    assert rows["optimizer, 25 M: Langevin"]["bytes"] == rows["optimizer, 250 M: Langevin"]["bytes"] == 8 / 5
    assert all(row["low"] <= row["ratio"] <= row["high"] for row in rows.values())
    assert "by bytes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["sweep", "--device", "cuda"], "there is no sweep; the subjects are layer"),
        (["nothing"], "there is no nothing"),
        (["--record", "loss"], "--record takes all subjects"),
    ],
)
def test_wrong_commands_are_told_what_there_is(given, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", *given])
    with pytest.raises(SystemExit):
        command.main()
    assert message in capsys.readouterr().err


def test_the_gpu_rows_need_no_more_than_a_bare_machine_has():
    """torch, numpy and pandas: in a process in which nothing else of the project's needs can be imported."""
    subjects = [f"benchmarks.{name}" for name in command.SUBJECTS["cuda"]]
    code = f"import sys, importlib\nfor name in {BARE}: sys.modules[name] = None\n"
    code += f"for name in {['benchmarks.__main__', *subjects]}: importlib.import_module(name)\n"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
