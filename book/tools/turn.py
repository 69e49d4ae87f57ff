"""Run a command when it is its turn in a folder: ``python -m book.tools.turn FOLDER COMMAND ...``.

Whoever else waits for the folder waits until the command has ended, however it ends. It becomes this process, so
signals and the exit status are its own. Where there are no locks, or no folder, it runs at once.
"""

import fcntl
import os
import signal
import sys


def main(folder: str, command: list[str]) -> None:
    """Wait for the folder, and become the command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # without a traceback
    try:
        lock = os.open(folder, os.O_RDONLY)
    except OSError:
        os.execvp(command[0], command)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another set-up of {folder}", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        print(f"warning: {folder} has no locks ({error.strerror}): start no second set-up of it", flush=True)
    os.set_inheritable(lock, True)  # the lock is held as long as the command has the folder open
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
