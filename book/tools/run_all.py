"""Execute the notebooks whose result is missing or out of date, side by side where there are cores.

A result appears under its name only when it is whole and clean. Its metadata ``physnn`` holds the fingerprint of what
it was made from, the parameters and the seconds taken. An interruption leaves the previous result or none.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import nbformat

from book.tools import fingerprint, outcome, pairs
from book.tools.project import BookError, Project
from physnn.lab.running import files, machine
from physnn.lab.running.notebook import Run, start


@dataclass
class Task:
    """One notebook to be executed."""

    source: Path
    target: Path
    parameters: dict
    fingerprint: str


def run_all(
    project: Project, parameters: dict[str, dict], cores: int | None = None, only: set[str] | None = None
) -> dict[str, tuple[float, bool]]:
    """Bring every executed notebook up to date; return per notebook its seconds and whether it ran now.

    Two notebooks run at once where there are two cores, and share the cores; one alone has all. ``only`` names those
    to look at, by default all.

    Raises:
        BookError: a notebook failed; those that already ran beside it are finished and kept.
    """
    project.executed.mkdir(parents=True, exist_ok=True)
    _sweep(project)
    tasks, sources = [], [source for source in project.sources if only is None or source.stem in only]
    for source in sources:
        digest = fingerprint.notebook(project, source, parameters[source.stem])
        task = Task(source, project.executed / f"{source.stem}.ipynb", parameters[source.stem], digest)
        if _recorded(task.target).get("fingerprint") != digest:
            tasks.append(task)
    _run(project, tasks, cores or machine.cores())
    ran = {task.source.stem for task in tasks}
    return {
        source.stem: (_recorded(project.executed / f"{source.stem}.ipynb")["seconds"], source.stem in ran)
        for source in sources
    }


def _recorded(target: Path) -> dict:
    try:
        return nbformat.read(target, as_version=4).metadata.get("physnn", {})
    except (FileNotFoundError, nbformat.reader.NotJSONError):  # a power failure may leave a file empty
        return {}


def _sweep(project: Project) -> None:
    """Delete what interrupted runs and deleted notebooks left."""
    keep = {f"{source.stem}.ipynb" for source in project.sources}
    for path in project.executed.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name not in keep:
            path.unlink()


def _run(project: Project, tasks: list[Task], cores: int) -> None:
    at_once = min(len(tasks), 2 if cores >= 2 else 1)
    waiting, failures = list(tasks), []
    running: dict[Future, tuple[Task, Run]] = {}
    with ThreadPoolExecutor() as waiters:
        try:
            while running or (waiting and not failures):
                while waiting and not failures and len(running) < at_once:
                    task = waiting.pop(0)
                    run = _start(project, task, cores // at_once)
                    running[waiters.submit(run.process.wait)] = task, run
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    task, run = running.pop(ended)
                    with run.process:
                        failures += _finish(task, run)
        finally:
            for _, run in running.values():  # only after an interruption
                run.kill()
    if failures:
        raise BookError("\n\n".join(failures))


def _start(project: Project, task: Task, threads: int) -> Run:
    print(f"executing {task.source.stem} {task.parameters or ''}".rstrip(), flush=True)
    work = Path(tempfile.mkdtemp(dir=project.executed, prefix=f".{task.source.stem}-"))
    share = threads < machine.cores() and "OMP_NUM_THREADS" not in os.environ
    # The working directory is the notebook's own folder, as in Jupyter.
    text, folder, share_of = pairs.text(task.source), task.source.parent, threads if share else None
    try:
        return start(work, text, task.parameters, folder, share_of, project.variables)
    except ImportError as error:
        raise BookError(str(error)) from error


def _finish(task: Task, run: Run) -> list[str]:
    """Put the result in its place if it is clean; return what is wrong with it."""
    problem = outcome.failure(task.source.stem, run)
    if problem is None:
        notebook = run.notebook()
        papermill = notebook.metadata.pop("papermill")
        notebook.metadata["physnn"] = {
            "fingerprint": task.fingerprint,
            "parameters": task.parameters,
            "seconds": round(papermill["duration"], 1),
        }
        files.write(task.target, nbformat.writes(notebook) + "\n")
    shutil.rmtree(run.work)
    return [problem] if problem else []
