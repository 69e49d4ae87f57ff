"""One thread and no display for every test, and for the processes a test starts; the built book."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Before torch is imported, and without importing it: many tests do not need it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Started in the background of a shell, the tests are deaf to Ctrl-C, and so would be all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """Return the folder of HTML: the one PHYSNN_HTML names, else the test profile's book, built now."""
    if named := os.environ.get("PHYSNN_HTML"):
        folder = Path(named).resolve()
        assert (folder / "index.html").exists(), f"PHYSNN_HTML={named} holds no built book: run `make book`"
        return folder
    out = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "book.tools.build", "--profile", "test", "--out", str(out)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"the book does not build:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return out / "html"
