"""One point, on a worker: run the notebook in a process of its own, and send back all that it left."""

import datetime
import importlib.metadata
import platform
import tempfile
import time
from pathlib import Path

import nbformat
from distributed import get_worker

from physnn.lab.running.cluster import wanted
from physnn.lab.running.notebook import Run, start
from physnn.lab.running.outcome import glued, troubles
from physnn.lab.sweeping.cells import TOPIC, Cells
from physnn.lab.sweeping.notebook import made_from

POLL = 0.1  # seconds
GLANCE = 1.0  # seconds between two looks at how far the notebook is
STOPPED = "stopped"


def run(task: dict) -> dict:
    """Run a notebook and return its outcome; whatever happens inside the notebook is an outcome, not an exception.

    Args:
        task: ``notebook`` (its text), ``folder`` (its own, used where the worker has it), ``parameters``,
            ``package`` (the digest of what it imports, that the worker's must equal), ``timeout`` (seconds or None),
            ``threads``.

    Returns:
        ``status`` (``done``, ``failed``, ``timeout``, or ``stopped`` when nobody waits for it any more), ``error``
        (one line), ``values`` (glued), ``seconds``, ``started``, ``host``, ``torch`` and ``python`` (versions),
        ``notebook`` (bytes) and ``log``.
    """
    torch = next((found.version for found in importlib.metadata.distributions(name="torch")), "")  # not imported
    outcome = {"started": datetime.datetime.now(datetime.UTC).isoformat(), "host": platform.node()}
    outcome |= {"torch": torch, "python": platform.python_version()}
    begin = time.monotonic()
    folder = Path(task["folder"])
    try:
        if task["package"] != made_from(task["notebook"], folder):
            raise ImportError(f"what the notebook imports on {platform.node()} is not what this sweep began with")
        # The worker's own folder: Dask empties it after a worker that was killed.
        with tempfile.TemporaryDirectory(dir=get_worker().local_directory, ignore_cleanup_errors=True) as work:
            there = folder if folder.is_dir() else None
            began = start(Path(work), task["notebook"], task["parameters"], there, task["threads"])
            status, error = _await(began, task["timeout"], Cells(task["notebook"], Path(work) / "log"))
            log, notebook = began.log(), began.notebook()
            if status == "failed":  # by the last error: an earlier one is one that the notebook allows
                raised = [trouble.error for trouble in troubles(notebook) if trouble.verdict == "raised"]
                error = raised[-1] if raised else began.last_words()
    except (ImportError, OSError) as refused:
        status, error = "failed", f"{type(refused).__name__}: {refused}"
        log, notebook = error, nbformat.reads(task["notebook"], as_version=4)
    values = {name: value for name, value in glued(notebook).items() if value is not None}
    outcome |= {"status": status, "error": " ".join(error.split()), "values": values}
    outcome |= {"seconds": round(time.monotonic() - begin, 2), "log": log}
    return outcome | {"notebook": nbformat.writes(notebook).encode(errors="backslashreplace")}


def _await(began: Run, timeout: float | None, cells: Cells) -> tuple[str, str]:
    """Wait until a notebook ends, takes too long, or nobody waits for it; return its status and error."""
    deadline, glance, told = time.monotonic() + (timeout or float("inf")), 0.0, -1
    with began.process:
        while (code := began.process.poll()) is None:
            if time.monotonic() > deadline:
                began.kill()
                return "timeout", f"took longer than {timeout:g} s"
            if not wanted():
                began.kill()
                return STOPPED, "nobody waited for it any more"
            if time.monotonic() > glance:
                glance, done = time.monotonic() + GLANCE, cells.done()
                if done != told:
                    get_worker().log_event(TOPIC, [get_worker().get_current_task(), done, cells.of])
                    told = done
            time.sleep(POLL)
    return ("failed", "") if code else ("done", "")
