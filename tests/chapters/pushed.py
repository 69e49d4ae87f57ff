"""A chapter's figure that one can push, alone on a page in Chromium."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page

from book.tools import pairs
from physnn.lab.figures import interactive
from tests.reading import Complaints, chromium, opened, served


@contextmanager
def pushed(source: Path, first: str, before: str, folder: Path) -> Iterator[Page]:
    """Draw a chapter's figure into a folder, and open it."""
    drawn(source, first, before, folder)
    with (
        served(folder) as address,
        chromium() as browser,
        opened(browser, f"{address}index.html") as (page, complaints),
    ):
        page.wait_for_function("window.Bokeh?.documents.length > 0")
        page.wait_for_selector(".noUi-handle")
        yield page
        assert complaints == Complaints()


def drawn(source: Path, first: str, before: str, folder: Path) -> None:
    """Run ``before`` and the cells from the one with ``first`` to the figure's, and write what they show."""
    cells = [cell.source for cell in pairs.notebook(source).cells if cell.cell_type == "code"]
    start = next(i for i, cell in enumerate(cells) if first in cell)
    end = next(i for i, cell in enumerate(cells) if i >= start and re.search(r"^interactive\(", cell, re.MULTILINE))
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interactive, "display", lambda output, **_: shown.append(output))
        names = {}
        exec(before, names)
        for cell in cells[start : end + 1]:
            exec(cell, names)
    text = shown[0]["text/html"] if isinstance(shown[0], dict) else shown[0].data
    (folder / "index.html").write_text(
        '<!doctype html><html data-theme="light"><meta charset="utf-8"><link rel="icon" href="data:,">'
        f"<body><article>{text}</article></body></html>"
    )
