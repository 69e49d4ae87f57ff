"""The command of a small sweep, for the tests of what interrupts it, and a page of one."""

import pytest

from physnn.lab.sweeping.notebook import load
from physnn.lab.sweeping.report import report
from physnn.lab.sweeping.store import Folder
from tests.lab.sweeping.pages import EVIL, asked, row
from tests.lab.sweeping.sweeps import make_notebook


@pytest.fixture
def command(tmp_path):
    """Return a command of three points, that are not run yet."""
    notebook = make_notebook(tmp_path / "notebooks")
    return ["sweep", str(notebook), "--grid", "seed=0:3", "--out", str(tmp_path / "out")]


@pytest.fixture
def written(tmp_path):
    rows = [row(number) for number in range(6)]
    rows.append(row(6, status="failed", error=EVIL, values={}))
    folder = Folder(tmp_path / "out")
    for each in rows:
        folder.keep(each, b"{}", "log")
    notebook = load(make_notebook(tmp_path, name="tiny & <i>.ipynb"))
    report(asked(notebook), rows, None, folder)
    return notebook, rows, folder
