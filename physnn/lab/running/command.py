"""What the commands have in common: one line and an exit status where they cannot go on, and no traceback."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

INTERRUPTED = 130  # the exit status of shells for Ctrl-C
TRACEBACK = "PHYSNN_TRACEBACK"


def run(program: str, work: Callable[[], int], kept: str) -> int:
    """Do the work of a command and return its exit status.

    An interruption (Ctrl-C, SIGTERM, SIGHUP) is 130, what the system refuses and what nobody foresaw 1, each with one
    line: what happened, and what is kept. With ``PHYSNN_TRACEBACK`` set an error is shown in full. What the terminal's
    encoding cannot show is escaped.

    Args:
        program: what the line begins with, such as ``physnn sweep``.
        work: returns an exit status, or raises.
        kept: what is kept and what to do, such as "what is finished is kept, and the same command continues".
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # somebody's own stream
            stream.reconfigure(errors="backslashreplace")
    with interruptible():
        try:
            return work()
        except KeyboardInterrupt:
            _say(f"\n{program}: interrupted; {kept}")
            return INTERRUPTED
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            _say(f"{program}: {described(error)}; {kept}")
            return 1
        finally:
            _give_up()


def described(error: BaseException) -> str:
    """Return what happened, in one line; of an error that is no refusal of the system, its kind and place as well."""
    if isinstance(error, OSError):
        told = [str(part) for part in (error.filename, error.filename2, error.strerror) if part]
        return ": ".join(told) if error.strerror else " ".join(str(error).split()) or type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {os.path.basename(frames[-1].filename)}, line {frames[-1].lineno}" if frames else ""
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"unforeseen {said[:300]}{place} (all of it with {TRACEBACK}=1)"


@contextmanager
def interruptible() -> Iterator[None]:
    """Take SIGTERM, with which a batch system ends a job, and SIGHUP, of a terminal that is closed, for Ctrl-C.

    One that is ignored, as under ``nohup``, stays so. Outside the main thread, where Python has no signals, this does
    nothing.
    """
    before = {}

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with suppress(ValueError):
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C, SIGTERM, SIGHUP and an alarm to the end of the block: for the moments of writing results."""
    before, late = {}, []
    with suppress(ValueError):  # outside the main thread
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda *_: late.append(1))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if late:
        raise KeyboardInterrupt


def _give_up() -> None:
    """Drop what a closed pipe or a full disk does not take: Python would complain of it once more when it ends."""
    with suppress(AttributeError, ValueError):  # somebody's own stream
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    with suppress(OSError, ValueError):  # a terminal that is gone, a closed pipe
        print(text, file=sys.stderr, flush=True)
