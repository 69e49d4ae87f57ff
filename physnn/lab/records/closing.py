"""How a chapter ends: all its numbers by name, how long it takes, and where everything comes from."""

import time
from typing import TYPE_CHECKING

import pandas as pd

from physnn.lab.chapter.contract import Parameters
from physnn.lab.chapter.naming import glue, glued
from physnn.lab.records.provenance import READ, environment, package, recording_minutes, show_line

if TYPE_CHECKING:  # a chapter without a study is not made from what studies are made from
    from physnn.lab.records.studies import Study

_START = time.perf_counter()


def elapsed() -> float:
    """Return the seconds since this module was imported, near enough the start of the notebook."""
    return time.perf_counter() - _START


def study_minutes(*studies: "Study") -> float:
    """Return the minutes that recording the studies took together, on the machines that made them."""
    return sum(recording_minutes(study.provenance) for study in studies)


def numbers(*studies: "Study") -> pd.DataFrame:
    """Name the time to rerun the page (``minutes``) and the studies made for it (``study-minutes``).

    Returns:
        All values glued so far, one row per name (:func:`physnn.lab.chapter.naming.glued`).
    """
    glue("minutes", f"{max(elapsed() / 60, 0.1):.1f}")
    if studies:
        glue("study-minutes", f"{study_minutes(*studies):.0f}")
    return glued()


def provenance(parameters: Parameters, data: str) -> None:
    """Show where the page's numbers come from: a line for the page, and one for each study that it has read.

    Args:
        parameters: the values the chapter ran with.
        data: what the data were, from ``Dataset.describe``.
    """
    made = environment()
    show_line(
        "This page",
        package(made),
        ", ".join(f"{name} = {value}" for name, value in parameters.as_dict().items()),
        data,
        f"torch {made['torch']}, Python {made['python']}, {made['device']}",
        f"{made['date']}, {elapsed():.0f} s",
    )
    for show in READ.values():
        show()
