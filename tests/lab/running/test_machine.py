"""The cores that a process may use."""

import os
import subprocess
import sys

import pytest

CODE = "from physnn.lab.running.machine import cores; print(cores())"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_that_is_held_to_a_core_has_one():
    first = min(os.sched_getaffinity(0))

    def count(**options) -> int:
        return int(subprocess.run([sys.executable, "-c", CODE], text=True, stdout=subprocess.PIPE, **options).stdout)

    assert count(preexec_fn=lambda: os.sched_setaffinity(0, {first})) == 1
    assert 1 <= count() <= os.cpu_count()
    assert count(env={**os.environ, "LOKY_MAX_CPU_COUNT": "1"}) == 1
