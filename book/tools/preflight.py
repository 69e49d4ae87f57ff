"""Say what this machine lacks for the set-up, before anything is downloaded.

It runs on the Python that is there, however old, so it uses the standard library and no syntax
newer than Python 3.6. Run by ``make``; by hand: ``python3 -m book.tools.preflight --venv .venv``.
"""

import argparse
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys

OLDEST = (3, 11)
NEEDED_GB = 6.0
# For what the lock has packages, PyTorch's being the ones that are missing first.
GLIBC = (2, 28)
MACOS = (14, 0)
PROCESSORS = ("x86_64", "amd64", "aarch64", "arm64")
ELSEWHERE = "use a Linux machine or container such as python:3.12, or open the notebooks in Colab"


def problems(version, has_venv, free_gb, venv_state, unserved=None):
    """List what is missing, each with what to do; an empty list means go ahead.

    ``venv_state`` is "ours" (made by make, complete or not), "none" or "foreign"; ``unserved`` is what
    :func:`unserved` says.
    """
    found = [unserved] if unserved else []
    if tuple(version[:2]) < OLDEST:
        newer = newer_python()
        advice = "install a newer one and name it: make PYTHON=/path/to/python3.11 book"
        if newer:
            advice = "found a newer one here: make PYTHON={} book".format(newer)
        found.append(
            "Python {}.{} is too old: physnn needs {}.{} or newer; {}".format(version[0], version[1], *OLDEST, advice)
        )
    if not has_venv:
        found.append(
            "this Python cannot make virtual environments (module venv or ensurepip is missing); "
            "on Debian and Ubuntu: apt-get install python3-venv; or install uv, which needs neither"
        )
    if free_gb is not None and free_gb < NEEDED_GB:
        found.append(
            "only {:.1f} GB are free for the environment, it needs {:.0f} GB (PyTorch is large); "
            "free some, or put it on another disk: make VENV=/path/on/another/disk book".format(free_gb, NEEDED_GB)
        )
    if venv_state == "foreign":
        found.append(
            "the environment's folder exists and was not made by make, so it is left alone; "
            "delete it, or choose another: make VENV=.venv-physnn book"
        )
    return found


def unserved(system, machine, release):
    """Say why the lock has no packages for a platform, and what to do; None where it has them.

    ``system`` and ``machine`` are those of :mod:`platform`; ``release`` is the version of macOS, or of glibc under
    Linux, as a tuple, empty where that is another C library.
    """
    if system not in ("Linux", "Darwin"):
        return "these commands need Linux, macOS or WSL, not {}; on Windows: wsl --install, then make in there".format(
            system
        )
    if machine.lower() not in PROCESSORS:
        return "PyTorch has no packages for processors of the kind {}; {}".format(machine, ELSEWHERE)
    if system == "Darwin":
        if machine == "x86_64":
            return (
                "PyTorch has had no packages for Macs with Intel processors since 2.3; {} "
                "(on a Mac with Apple's processor this Python is one for Intel: take one for arm64)".format(ELSEWHERE)
            )
        if release < MACOS:
            return "PyTorch has packages for macOS {}.{} or newer, this is {}.{}; {}".format(
                *(MACOS + release + (ELSEWHERE,))
            )
    elif not release:
        return "PyTorch has packages for glibc alone, and this Linux has another C library (Alpine?); " + ELSEWHERE
    elif release < GLIBC:
        return "the packages are for glibc {}.{} or newer, this Linux has {}.{}; {}".format(
            *(GLIBC + release + (ELSEWHERE,))
        )
    return None


def here():
    """Return system, processor and release of this machine, for :func:`unserved`."""
    system, said = platform.system(), ""
    if system == "Darwin":
        said = platform.mac_ver()[0]
    elif system == "Linux":
        try:
            said = (os.confstr("CS_GNU_LIBC_VERSION") or "").replace("glibc ", "")
        except (OSError, ValueError):  # musl does not know the name
            said = ""
    numbers = [*said.split("."), "0"] if said else []
    return system, platform.machine(), tuple(int(number) for number in numbers[:2])


def newer_python():
    """Name a Python on PATH that is new enough and really starts, or None."""
    for minor in (14, 13, 12, 11):
        name = "python3.{}".format(minor)
        if shutil.which(name) and subprocess.call([name, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            return name
    return None


def state(venv):
    """Tell whose folder ``venv`` is: "ours", "foreign" or "none"."""
    if any(os.path.exists(os.path.join(venv, mark)) for mark in (".done", ".begun")):
        return "ours"
    return "foreign" if os.path.isdir(venv) and os.listdir(venv) else "none"


def made_for(venv):
    """Name the folder that the programs of ``venv`` look for their Python in, where that is another one; else None."""
    try:
        with open(os.path.join(venv, "bin", "physnn"), encoding="utf-8", errors="replace") as program:
            said = re.search(r"(/[^'\"\n]*)/bin/python[\d.]*['\"\s]", program.read(4096))
    except OSError:
        return None
    if said is None or os.path.realpath(said.group(1)) == os.path.realpath(venv):
        return None
    return said.group(1)


def free_gigabytes(venv):
    """Free space on the disk that will hold ``venv``; what an interrupted set-up left there counts as free."""
    folder = os.path.abspath(venv)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    here = (os.path.join(top, name) for top, _, names in os.walk(venv) for name in names)
    return (shutil.disk_usage(folder).free + sum(os.lstat(path).st_size for path in here)) / 1e9


def main(arguments=None):
    """Print every problem to stderr; return 1 if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", required=True, help="the environment's folder")
    parser.add_argument("--with-uv", action="store_true", help="uv makes the environment, so venv is not needed")
    parser.add_argument("--in-place", action="store_true", help="only ask whether it is where it was set up")
    options = parser.parse_args(arguments)
    if options.in_place:
        other = made_for(options.venv)
        if other:
            sys.stderr.write(
                "{0} was set up as {1} and copied or moved: its programs would be those of there; "
                "delete it, and make sets it up anew, or use that one: make VENV={1}\n".format(options.venv, other)
            )
        return 1 if other else 0
    has_venv = all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))
    installed = os.path.exists(os.path.join(options.venv, ".done"))
    found = problems(
        sys.version_info,
        options.with_uv or has_venv,
        None if installed else free_gigabytes(options.venv),
        state(options.venv),
        unserved(*here()),
    )
    for problem in found:
        sys.stderr.write("cannot set up {}: {}\n".format(options.venv, problem))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
