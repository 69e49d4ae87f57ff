"""The command of a small sweep, for the tests of what interrupts it."""

import pytest

from tests.lab.sweeping.sweeps import make_notebook


@pytest.fixture
def command(tmp_path):
    """Return a command of three points, that are not run yet."""
    notebook = make_notebook(tmp_path / "notebooks")
    return ["sweep", str(notebook), "--grid", "seed=0:3", "--out", str(tmp_path / "out")]
