"""One point, on a worker: run the notebook in a process of its own, and send back all that it left."""

import ast
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
from distributed import get_worker

from physnn.lab.records.provenance import source_digest
from physnn.lab.running.cluster import wanted

RECORD = "application/papermill.record/text/plain"
POLL = 0.1  # seconds
STOPPED = "stopped"


def run(task: dict) -> dict:
    """Run a notebook and return its outcome; whatever happens inside the notebook is an outcome, not an exception.

    Args:
        task: ``notebook`` (its text), ``folder`` (its own, used where the worker has it), ``parameters``,
            ``package`` (the source digest that the worker's must equal), ``timeout`` (seconds or None), ``threads``.

    Returns:
        ``status`` (``done``, ``failed``, ``timeout``, or ``stopped`` when nobody waits for it any more), ``error``
        (one line), ``values`` (glued), ``seconds``, ``started``, ``host``, ``notebook`` (bytes) and ``log``.
    """
    outcome = {"started": datetime.datetime.now(datetime.UTC).isoformat(), "host": platform.node()}
    start = time.monotonic()
    # The worker's own folder: Dask empties it after a worker that was killed.
    with tempfile.TemporaryDirectory(dir=get_worker().local_directory, ignore_cleanup_errors=True) as made:
        work = Path(made)
        (work / "clean.ipynb").write_text(task["notebook"], encoding="utf-8")
        (work / "parameters.json").write_text(json.dumps(task["parameters"]), encoding="utf-8")
        if task["package"] != source_digest():
            status, error = "failed", f"the package on {platform.node()} is not the physnn that this sweep began with"
            log = error
        else:
            status, error = _execute(work, task)
            log = (work / "log").read_text(encoding="utf-8", errors="replace")
        notebook = _read(work)
    failure = _failure(notebook)
    if status == "failed" and (failure or log):
        error = failure or log.strip().splitlines()[-1]
    outcome |= {"status": status, "error": " ".join(error.split()), "values": glued(notebook)}
    outcome |= {"seconds": round(time.monotonic() - start, 2), "log": log}
    return outcome | {"notebook": nbformat.writes(notebook).encode()}


def glued(notebook: nbformat.NotebookNode) -> dict[str, object]:
    """Return the numbers, texts and truth values that a notebook glued; its figures and tables stay in it."""
    values = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            text = output.get("data", {}).get(RECORD)
            if name is not None and text is not None and (value := _literal(text)) is not None:
                values[name] = value
    return values


def _literal(text: str) -> object:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return float(text) if text in {"nan", "inf", "-inf"} else None
    return value if isinstance(value, (bool, int, float, str)) else None


def _execute(work: Path, task: dict) -> tuple[str, str]:
    """Run the notebook until it ends, takes too long, or nobody waits for it; return its status and error."""
    environment = dict(os.environ, JUPYTER_PREFER_ENV_PATH="1", IPYTHONDIR=str(work / "ipython"))
    environment.pop("MPLBACKEND", None)  # any value would keep the figures from the notebook
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment[name] = str(task["threads"])
    folder = task["folder"] if Path(task["folder"]).is_dir() else str(work)
    command = [sys.executable, "-m", "physnn.lab.sweeping.execute", str(work), folder]
    with (
        open(work / "log", "wb") as log,
        # stdin stays open as long as this worker lives; the process and its kernel end with it.
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        ) as process,
    ):
        deadline = time.monotonic() + (task["timeout"] or float("inf"))
        while (code := process.poll()) is None:
            if time.monotonic() > deadline:
                _kill(process.pid)
                return "timeout", f"took longer than {task['timeout']:g} s"
            if not wanted():
                _kill(process.pid)
                return STOPPED, "nobody waited for it any more"
            time.sleep(POLL)
    return ("failed", f"its process ended with status {code}") if code else ("done", "")


def _kill(pid: int) -> None:
    """End a process and all that it started; its kernel is in a session of its own, out of reach of a group."""
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def _read(work: Path) -> nbformat.NotebookNode:
    """Read the executed notebook, or the clean one where it did not start or was killed while it was written."""
    try:
        notebook = nbformat.read(work / "ran.ipynb", as_version=4)
    except (OSError, nbformat.reader.NotJSONError, nbformat.ValidationError):
        return nbformat.read(work / "clean.ipynb", as_version=4)
    for key in ("input_path", "output_path"):  # of the worker's temporary folder
        notebook.metadata.get("papermill", {}).pop(key, None)
    return notebook


def _failure(notebook: nbformat.NotebookNode) -> str:
    """Return what the last cell raised, or nothing; an earlier error is one that the notebook allows."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    errors = [f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"]
    return errors[-1] if errors else ""
