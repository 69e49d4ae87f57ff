"""The folder that a build works in: one process at a time, and no folder where it would replace somebody's things."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from book.tools.project import BookError, Project
from physnn.lab.running.files import alone

# What is made in it and replaced; `make clean` deletes it.
MADE = ("executed", "stage", "html", "matplotlib", "scoreboard", "plain-sphinx", "epub-stage", "epub-work")
SOURCES = ("book", "notebooks", "physnn", "results")


@contextmanager
def at_work(project: Project) -> Iterator[None]:
    """Work in ``project.out``, which is made where it is missing; the next process waits, and says so.

    Raises:
        BookError: it lies among the sources, or holds what no build has made and this one would replace.
    """
    out = project.out
    if among := [name for name in SOURCES if out.is_relative_to(project.root / name)]:
        raise BookError(f"--out {out} lies in {among[0]}/, which the book is made from: choose a folder outside")
    there = [name for name in MADE if (out / name).exists()]
    if there and not (out / ".lock").exists():  # which every build leaves
        raise BookError(
            f"{out} holds {', '.join(there)}, which no build has made and this one would replace: "
            "move them away, or choose another folder by --out"
        )
    with alone(out, "build"):
        yield
