"""One thread and no display for every test, and for the processes a test starts; the finished book."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

# Before torch is imported, and without importing it: many tests do not need it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# Started in the background of a shell, or by nohup, the tests are deaf to Ctrl-C or to the end of a terminal, and so
# would be all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parents[1]


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks
def pytest_collection_modifyitems(items):
    """Mark what reads the finished book: `make check-site` runs it, `make test` has no book to read."""
    for item in items:
        if "book" in getattr(item, "fixturenames", ()):
            item.add_marker("site")


def pytest_ignore_collect(collection_path, config):
    """For `-m cuda` read only the files that have such tests: a bare machine cannot import the others."""
    if config.option.markexpr == "cuda" and collection_path.suffix == ".py":
        return True if not collection_path.name.startswith(("test_cuda", "test_devices")) else None
    return None


@pytest.fixture(scope="session")
def book() -> Path:
    """Return the folder of the finished book."""
    folder = ROOT / "_build" / "html"
    assert (folder / "index.html").exists(), "there is no book yet: run `make book`"
    return folder


@pytest.fixture(scope="session")
def product(book):
    """Return a function that finds what was made of the finished book, by its ending."""

    from book.tools import bundle  # the tests of the core do without its packages

    def find(ending: str) -> Path:
        made = book.parent / f"{bundle.NAME}.{ending}"
        assert made.exists(), f"there is no {made} yet: run `make bundle epub`"
        return made

    return find


@pytest.fixture(scope="session")
def browser():
    """Return the Chromium that all tests share."""
    from tests.reading import chromium  # many tests do without

    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def address(book):
    """Return where the built book is served, ending in a slash."""
    from tests.reading import served

    with served(book) as address:
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
