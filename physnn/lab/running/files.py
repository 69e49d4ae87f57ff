"""Files that are whole or not there, and folders that one process at a time works in."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part"
NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}


def write(path: Path, content: bytes | str) -> None:
    """Write a file as a whole or not at all; text in UTF-8, its line endings as they are.

    A lone surrogate, which UTF-8 cannot write, is escaped as in JSON.

    What was begun is called ``.NAME.PID.part`` beside it, and :func:`tidy` deletes what a killed process left.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    part.write_bytes(content.encode(errors="backslashreplace") if isinstance(content, str) else content)
    os.replace(part, path)


def tidy(folder: Path) -> None:
    """Delete what killed processes left half-written. Nobody may be writing there: see :func:`alone`."""
    for left in folder.glob(f".*{PART}"):
        left.unlink(missing_ok=True)


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Let one process at a time into a folder, which is made where it is missing; the next ones wait, and say so.

    The system lifts the lock when the process ends, however it ends. It is the system's own: the package filelock asks
    again and again instead of waiting, and where there are no locks it leaves a file that outlives a killed process.
    On a file system without locks this says so and goes on.

    Args:
        what: for the line that is printed, such as "sweep".
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another {what} in {folder}", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            print(f"warning: {folder} has no locks ({error.strerror}): start no second {what} in it", flush=True)
        yield
