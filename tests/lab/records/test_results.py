"""Recorded replicas, trained again alone, have the numbers of their tables.

One small one of every study for two epochs, always the same, with the other tests; with ``make test-results`` three of
each phase of every study, drawn anew or by ``SEED=1``, to their end.
What is demanded: :mod:`physnn.lab.records.reproduce`.
"""

import os
import random

import pytest
import torch

from physnn.lab.data import mnist
from physnn.lab.records.provenance import RESULTS
from physnn.lab.records.reproduce import retrain, sample, smallest
from physnn.lab.records.studies import Study

RECORDED = sorted(path.parent.name for path in RESULTS.glob("*/provenance.json"))
SEED = int(os.environ.get("PHYSNN_SEED") or random.SystemRandom().randrange(10**6))
HERE = all((mnist.folder() / "MNIST" / "raw" / name).exists() for name in mnist.FILES)
EPOCHS = 2


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_there_are_records():
    assert {"as-printed", "loss-terms"} <= set(RECORDED)


@pytest.mark.skipif(not HERE, reason="MNIST is not here; PHYSNN_DATA names its folder")
@pytest.mark.parametrize("name", RECORDED)
def test_a_small_replica_comes_out_again(name):
    study = Study(name)
    phase, replica, rows = smallest(study, study.table(), seed=0)
    finding = retrain(study, phase, replica, rows, epochs=EPOCHS)
    assert finding.verdict != "differs", finding


@pytest.mark.skipif(not HERE, reason="MNIST is not here; PHYSNN_DATA names its folder")
def test_a_table_that_was_changed_is_found():
    """Three images of ten thousand are more than rounding."""
    study = Study("as-printed")
    phase, replica, rows = smallest(study, study.table(), seed=0)
    changed = rows.assign(validation_accuracy=rows.validation_accuracy + 3e-4 * (rows.epoch == 1))
    finding = retrain(study, phase, replica, changed, epochs=1)
    assert (finding.verdict, finding.column, finding.epoch) == ("differs", "validation_accuracy", 1), finding


@pytest.mark.results
@pytest.mark.parametrize("name", RECORDED)
def test_a_sample_comes_out_again(name, capsys):
    """A failure names the seed, and ``make test-results SEED=`` repeats it."""
    study = Study(name)
    with capsys.disabled():
        print(f"\n{name}, SEED={SEED}")
        findings = []
        for phase, replica, rows in sample(study, study.table(), SEED):
            findings.append(retrain(study, phase, replica, rows))
            print(f"  {findings[-1]}", flush=True)
    wrong = [str(finding) for finding in findings if finding.verdict == "differs"]
    assert not wrong, f"make test-results SEED={SEED}\n" + "\n".join(wrong)
