"""Execute the notebooks whose result is missing or out of date, side by side where there are cores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import nbformat

from book.tools import fingerprint
from book.tools.project import HERE, BookError, Project


@dataclass
class Task:
    """One notebook to be executed."""

    source: Path
    target: Path
    parameters: dict
    fingerprint: str


def run_all(project: Project, parameters: dict[str, dict], cores: int | None = None) -> dict[str, tuple[float, bool]]:
    """Bring every executed notebook up to date; return per notebook its seconds and whether it ran now.

    Two notebooks run at once where there are two cores, and share the cores; one alone has all.

    Raises:
        BookError: a notebook failed; those that already ran beside it are finished and kept.
    """
    project.executed.mkdir(parents=True, exist_ok=True)
    _sweep(project)
    tasks = []
    for source in project.sources:
        digest = fingerprint.notebook(project, source, parameters[source.stem])
        task = Task(source, project.executed / f"{source.stem}.ipynb", parameters[source.stem], digest)
        if _recorded(task.target).get("fingerprint") != digest:
            tasks.append(task)
    _run(project, tasks, cores or os.cpu_count() or 1)
    ran = {task.source.stem for task in tasks}
    return {
        source.stem: (_recorded(project.executed / f"{source.stem}.ipynb")["seconds"], source.stem in ran)
        for source in project.sources
    }


def _recorded(target: Path) -> dict:
    return nbformat.read(target, as_version=4).metadata.get("physnn", {}) if target.exists() else {}


def _sweep(project: Project) -> None:
    """Delete what interrupted runs and deleted notebooks left."""
    keep = {f"{source.stem}.ipynb" for source in project.sources}
    for path in project.executed.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in keep:
            path.unlink()


def _run(project: Project, tasks: list[Task], cores: int) -> None:
    at_once = min(len(tasks), 2 if cores >= 2 else 1)
    waiting, running, failures = list(tasks), {}, []
    with ThreadPoolExecutor() as readers:
        try:
            while running or (waiting and not failures):
                while waiting and not failures and len(running) < at_once:
                    process = _start(project, waiting.pop(0), cores // at_once)
                    running[readers.submit(process.stdout.read)] = process
                for printed in wait(running, return_when=FIRST_COMPLETED).done:
                    with running.pop(printed) as process:
                        if process.wait():
                            failures.append(printed.result().strip() or f"{process.args} gave {process.returncode}")
        finally:
            for process in running.values():  # only after an interruption
                process.kill()
    if failures:
        raise BookError("\n\n".join(failures))


def _start(project: Project, task: Task, threads: int) -> subprocess.Popen[str]:
    print(f"executing {task.source.stem} {task.parameters or ''}".rstrip(), flush=True)
    environment = dict(os.environ, JUPYTER_PREFER_ENV_PATH="1", IPYTHONDIR=str(project.out / "ipython"))
    environment.pop("MPLBACKEND", None)  # any value set outside would keep the figures from the page
    if threads < (os.cpu_count() or 1):
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    command = [sys.executable, "-m", "book.tools.execute", str(task.source), str(task.target), "--watched"]
    command += ["--parameters", json.dumps(task.parameters), "--fingerprint", task.fingerprint]
    return subprocess.Popen(
        command, cwd=HERE, env=environment, text=True, stdin=PIPE, stdout=PIPE, stderr=subprocess.STDOUT
    )
