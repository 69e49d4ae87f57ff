"""Execute a notebook with papermill in this process: ``python -m physnn.lab.sweeping.execute WORK FOLDER``.

``WORK`` holds ``clean.ipynb`` and ``parameters.json``, and gets ``ran.ipynb``; what the notebook prints is printed.
A process of its own, because papermill changes the working directory of the whole process, and so that it can be
killed with its kernel. It ends when the worker that holds its stdin does.
"""

import json
import logging
import os
import re
import sys
import threading
import traceback
from pathlib import Path

ANSI = re.compile(r"\x1b\[[0-9;]*m")
ATTEMPTS = 3


def main(work: Path, folder: Path) -> int:
    """Run the notebook with ``folder`` as its working directory; return 1 if it did not run to its end."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(message)s")
    logging.getLogger("papermill").setLevel(logging.INFO)
    import papermill

    for attempt in range(ATTEMPTS):
        try:
            papermill.execute_notebook(
                work / "clean.ipynb",
                work / "ran.ipynb",
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
