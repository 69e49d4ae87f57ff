"""A notebook in a process of its own, with papermill: ``python -m physnn.lab.running.notebook WORK FOLDER``.

:func:`start` begins such a process, for the book and for sweeps. ``WORK`` holds ``clean.ipynb`` and
``parameters.json``, and gets ``ran.ipynb`` and ``log``; ``FOLDER`` is the working directory of the notebook. It is a
process of its own, because papermill changes the working directory of the whole process, and so that it can be killed
with its kernel. It ends when the process that started it does.
"""

import json
import logging
import os
import re
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import physnn
from physnn.lab.running.outcome import ANSI

if TYPE_CHECKING:
    from nbformat import NotebookNode

ATTEMPTS = 3
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Run:
    """A notebook that runs, or has run.

    Attributes:
        work: the folder of this run alone.
        process: its status is 0 when the notebook has come to its end.
    """

    work: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End the process and all that it started; its kernel is in a session of its own, out of reach of a group."""
        import psutil

        try:
            root = psutil.Process(self.process.pid)
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            family = []
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()

    def log(self) -> str:
        """Return what the notebook has printed, and why it stopped if it did."""
        return ANSI.sub("", (self.work / "log").read_text(encoding="utf-8", errors="replace"))

    def last_words(self) -> str:
        """Return the last line of the log, which after a failure is the error."""
        lines = self.log().strip().splitlines() or [f"its process ended with status {self.process.returncode}"]
        return re.sub(r"^(?:\w+\.)+(?=\w+(?::|$))", "", lines[-1])

    def notebook(self) -> "NotebookNode":
        """Return the notebook as far as it came; clean, where it did not start or was killed while it was written.

        It names no folder of this machine.
        """
        import nbformat

        try:
            notebook = nbformat.read(self.work / "ran.ipynb", as_version=4)
        except (OSError, nbformat.reader.NotJSONError, nbformat.ValidationError):
            return nbformat.read(self.work / "clean.ipynb", as_version=4)
        for key in ("input_path", "output_path"):
            notebook.metadata.get("papermill", {}).pop(key, None)
        return notebook


def start(
    work: Path,
    notebook: str,
    parameters: Mapping[str, object],
    folder: Path | None = None,
    threads: int | None = None,
    variables: Mapping[str, str] | None = None,
) -> Run:
    """Start a notebook. It imports the physnn that this process has imported.

    Args:
        work: an empty folder.
        notebook: the text of an .ipynb without outputs.
        folder: the working directory of the notebook; ``work`` where it is None.
        threads: for OpenMP, MKL and OpenBLAS; None leaves them as they are.
        variables: of its environment, beside those of this process.

    Raises:
        OSError: the work cannot be written.
        ImportError: the folder holds another physnn, which the notebook would import.
    """
    package = Path(physnn.__file__).parent
    if folder:
        refuse_another_physnn(folder)
    (work / "clean.ipynb").write_text(notebook, encoding="utf-8")
    (work / "parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
    environment = dict(os.environ, JUPYTER_PREFER_ENV_PATH="1", IPYTHONDIR=str(work / "ipython"))
    environment |= {"JUPYTER_RUNTIME_DIR": str(work / "jupyter"), "PYTHONPATH": _python_path(package.parent)}
    # Neither a start-up file nor another kernel of the user's, which no digest knows of.
    environment |= {"PYTHONSTARTUP": "", "JUPYTER_PATH": "", "PYTHONIOENCODING": "utf-8"}
    if data := environment.get("PHYSNN_DATA"):  # the notebook's folder is another
        environment["PHYSNN_DATA"] = os.path.abspath(os.path.expanduser(data))
    environment |= variables or {}
    environment.pop("MPLBACKEND", None)  # any value would keep the figures from the notebook
    if threads is not None:
        environment |= dict.fromkeys(THREADS, str(threads))
    command = [sys.executable, "-m", "physnn.lab.running.notebook", str(work), str(folder or work)]
    with open(work / "log", "wb") as log:
        # stdin stays open as long as this process lives.
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    return Run(work, process)


def refuse_another_physnn(folder: Path) -> None:
    """Raise ImportError where a notebook in ``folder`` would import a physnn that is not this one."""
    package = Path(physnn.__file__).parent
    for other in (folder / "physnn", folder / "physnn.py"):
        if other.exists() and other.resolve() != package.resolve():
            raise ImportError(f"{other} would be imported in place of {package}; rename it, or move the notebook")


def _python_path(checkout: Path) -> str:
    """Return what leads to the checkout first, whatever physnn is installed; an installed one is found by itself."""
    given = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    installed = checkout.name in ("site-packages", "dist-packages")
    return os.pathsep.join([*([] if installed else [str(checkout)]), *map(os.path.abspath, given)])


def main(work: Path, folder: Path) -> int:
    """Run the notebook with ``folder`` as its working directory; return 1 if it did not run to its end."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(message)s")
    logging.getLogger("papermill").setLevel(logging.INFO)
    import papermill

    for attempt in range(ATTEMPTS):
        try:
            papermill.execute_notebook(
                *(_escaped(work / name) for name in ("clean.ipynb", "ran.ipynb")),
                parameters=json.loads((work / "parameters.json").read_text(encoding="utf-8")),
                kernel_name="python3",
                language="python",
                cwd=folder,
                progress_bar=False,
                log_output=True,
                start_timeout=180,  # seconds; a busy machine may take long
                extra_arguments=["--IPKernelApp.log_level=50"],  # else the kernel's own chatter fills the log
            )
            return 0
        except Exception as error:
            print(ANSI.sub("", "".join(traceback.format_exception(error))), flush=True)
            # Kernels that start together may choose the same port; then one of them dies before its first cell.
            if _began(work / "ran.ipynb") or attempt + 1 == ATTEMPTS:
                return 1
    return 1


def _escaped(path: Path) -> str:
    """Return a path as papermill takes it, which puts parameters between braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _began(ran: Path) -> bool:
    """Tell whether a cell has been run: then a second attempt would repeat what it did."""
    if not ran.exists():
        return False
    cells = json.loads(ran.read_text(encoding="utf-8"))["cells"]  # the notebook as a whole has a start, too
    return any(cell["metadata"].get("papermill", {}).get("start_time") for cell in cells)


def _leave_with_parent() -> None:
    os.read(0, 1)  # not sys.stdin: Python cannot end while a thread holds its lock
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
