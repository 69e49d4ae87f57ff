"""How a command ends: with one line and its exit status, whatever happens in it."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from physnn.lab.running.command import described, interruptible, run, uninterrupted

KEPT = "the rest is kept"


def ended(code: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command whose work is ``code``, in a process."""
    body = "\n".join(f"    {line}" for line in code.splitlines())
    script = f"""\
import os, signal, sys
from physnn.lab.running.command import interruptible, run, uninterrupted
def work():
{body}
sys.exit(run("a command", work, {KEPT!r}))
"""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.run([sys.executable, "-c", script], check=False, **options)


@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_command_that_comes_to_its_end_has_its_own_status(status):
    assert run("a command", lambda: status, KEPT) == status


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_every_interruption_is_one_line(name):
    done = ended(f"os.kill(os.getpid(), signal.{name})\nsignal.pause()")
    assert (done.returncode, done.stderr) == (130, f"\na command: interrupted; {KEPT}\n")


def test_under_nohup_a_closed_terminal_is_no_interruption():
    code = "os.kill(os.getpid(), signal.SIGHUP)\nreturn 0"
    done = ended(code, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "o/table.csv"), "o/table.csv: No space left on device"),
        (OSError(errno.EXDEV, "Invalid link", "a", None, "b"), "a: b: Invalid link"),
        (ConnectionError("the scheduler\nwent away"), "the scheduler went away"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("of\ntwo lines"), "unforeseen ValueError: of two lines (all of it with PHYSNN_TRACEBACK=1)"),
    ],
)
def test_an_error_is_described_in_a_line(error, said):
    assert described(error) == said


def test_what_nobody_foresaw_says_where_and_is_shown_in_full_on_request(monkeypatch, capsys):
    def work():
        return 1 // 0

    assert run("a command", work, KEPT) == 1
    said = capsys.readouterr().err
    assert said.startswith("a command: unforeseen ZeroDivisionError: ")
    assert "in test_command.py, line " in said
    assert said.endswith(f"; {KEPT}\n") and said.count("\n") == 1
    monkeypatch.setenv("PHYSNN_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("a command", work, KEPT)


def test_what_a_terminal_cannot_show_is_escaped():
    done = ended("print('α > β')\nraise OSError('φ')", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert done.stdout == "\\u03b1 > \\u03b2\n"
    assert done.stderr == f"a command: \\u03c6; {KEPT}\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_under_the_output_is_no_traceback():
    with open("/dev/full", "w") as full:
        done = ended("print('much' * 5000, flush=True)\nreturn 0", stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith("a command: No space left on device")
    assert "Traceback" not in done.stderr


def test_what_writes_results_is_not_interrupted_and_the_interruption_comes_after():
    done = ended(
        "with uninterrupted():\n"
        "    for name in ('INT', 'TERM', 'HUP', 'INT'): os.kill(os.getpid(), signal.Signals['SIG' + name])\n"
        "    print('written')\n"
        "print('never')"
    )
    assert (done.returncode, done.stdout) == (130, "written\n")


def test_the_handlers_are_as_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with interruptible(), uninterrupted():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
