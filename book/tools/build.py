"""Build the book: ``python -m book.tools.build [--profile book|test] [--data mnist|digits] [--out _build]``.

Notebooks are executed where their result is out of date, staged beside the prose, and made into
HTML by Jupyter Book with every warning an error. The new site takes the place of the old one only
when it is whole, and carries the fingerprint of what it was made from.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from book.tools import fingerprint, glue_keys, sphinx_run
from book.tools import stage as staging
from book.tools.parameters import chosen
from book.tools.place import at_work
from book.tools.project import HERE, BookError, Project
from book.tools.run_all import run_all
from physnn.lab.running import command

MARK = ".fingerprint"
WORK = ".site-"
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
KEPT = "the chapters that ran and the book of before are kept, and the same command goes on"


def build(project: Project, profile: str = "book", data: str | None = None) -> None:
    """Bring the book under ``project.out`` up to date and say where it is.

    Raises:
        BookError: a notebook, a glued number or a page is wrong.
    """
    _sweep(project)
    pages = staging.pages(project)
    times = run_all(project, chosen(project, profile, data))
    if problems := [*glue_keys.missing(project, pages), *glue_keys.twice(project)]:
        raise BookError("\n\n".join(problems))
    staging.stage(project)
    wanted = fingerprint.site(project)
    mark = project.html / MARK
    if not (mark.exists() and mark.read_text() == wanted and (project.html / "index.html").exists()):
        _render(project, wanted)
    for name, (seconds, ran) in times.items():
        print(f"{name}: {seconds:.1f} s{'' if ran else ' (when it last ran; nothing it depends on has changed)'}")
    print(f"The book is at {project.html / 'index.html'}")


def _render(project: Project, wanted: str) -> None:
    # From nothing, because Sphinx keeps the pages of deleted sources; in a folder of its own, because
    # an interrupted builder may have left a Sphinx that still writes.
    work = Path(tempfile.mkdtemp(dir=project.out, prefix=WORK))
    options = ["--config", project.stage / "_config.yml", "--path-output", work, "-W", "-n", "--keep-going", "-q"]
    print("building the pages", flush=True)
    result = sphinx_run.run(project, [sys.executable, "-c", JUPYTER_BOOK, "build", project.stage, *options])
    if result.returncode:
        complaints = re.findall(r"^.*(?:WARNING|ERROR|CRITICAL).*$", result.stdout, re.MULTILINE)
        raise BookError("\n".join([result.stdout.rstrip(), "", "Jupyter Book complained:", *complaints]))
    made = work / "_build" / "html"
    (made / MARK).write_text(wanted)
    with command.uninterrupted():
        if project.html.exists():
            os.replace(project.html, work / "old")
        os.replace(made, project.html)
    _sweep(project)


def _sweep(project: Project) -> None:
    for left in project.out.glob(f"{WORK}*"):
        shutil.rmtree(left, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Build as told on the command line; return the exit status, the reason for a failure last."""
    parser = argparse.ArgumentParser(description="Build the book.")
    parser.add_argument("--profile", choices=["book", "test"], default="book", help="the notebooks' parameters")
    parser.add_argument("--data", choices=["mnist", "digits"], help="the images; by default MNIST where available")
    parser.add_argument("--out", type=Path, default=HERE / "_build", help="where everything generated goes")
    parser.add_argument("--root", type=Path, default=HERE, help="where the book's sources are")
    options = parser.parse_args(arguments)
    project = Project(options.root.resolve(), options.out.resolve())
    return command.run("make book", lambda: _main(project, options.profile, options.data), KEPT)


def _main(project: Project, profile: str, data: str | None) -> int:
    try:
        with at_work(project):
            build(project, profile, data)
    except BookError as error:
        sys.stdout.flush()
        print(f"\nThe book was not built.\n\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
