"""One thread and no display for every test, and for the processes a test starts; the built book."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
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
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "book"
    command = [sys.executable, "-m", "book.tools.build", "--profile", "test", "--out", str(out)]
    # Of the processes that run the tests, the first builds it; for the others, and itself, nothing is left to do.
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"the book does not build:\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return out / "html"


@pytest.fixture(scope="session")
def book(request) -> Path:
    """Return the folder of HTML that PHYSNN_HTML names; without it, skip: the test is one of the finished book."""
    if "PHYSNN_HTML" not in os.environ:
        pytest.skip("reads the finished book: make check-site")
    return request.getfixturevalue("site")


@pytest.fixture(scope="session")
def browser():
    """Return the Chromium that all tests share."""
    from tests.reading import chromium  # many tests do without

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def address(site):
    """Return where the built book is served, ending in a slash."""
    from tests.reading import served

    with served(site) as address:
        yield address


@pytest.fixture(scope="session")
def turn_to(browser, address):
    """Return a function that turns to a page of the book: each is loaded once, and wide, light and idle each time."""
    from tests.reading import opened, rest

    with ExitStack() as tabs:
        loaded = {}

        def turn_to(name: str):
            if name not in loaded:
                loaded[name] = tabs.enter_context(opened(browser, f"{address}{name}.html"))
            rest(loaded[name][0])
            return loaded[name]

        yield turn_to
