"""Where a number comes from: commit, package, parameters, data, versions, machine, duration."""

import datetime
import hashlib
import platform
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import physnn

if TYPE_CHECKING:
    import torch

PACKAGE = Path(physnn.__file__).parent
# An installed package carries the recorded results inside; a checkout has them at its top.
RESULTS = next(path for path in (PACKAGE / "results", PACKAGE.parent / "results") if path.is_dir())
READ: dict[str, Callable[[], None]] = {}  # the studies whose tables this process has read, and what shows their lines


def source_digest() -> str:
    """Return the SHA-256 of the package's Python files, in order of their names; line endings do not count."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("[!.]*.py")):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + content + b"\0")
    return digest.hexdigest()


def commit() -> str:
    """Return the commit of the checkout that the package runs from.

    It is "" where the package is no checkout, and "unknown" where git is not there or does not answer for it.
    """
    if not (PACKAGE.parent / ".git").exists():
        return ""
    return _git("rev-parse", "--short=12", "HEAD") or "unknown"


def dirty() -> bool | None:
    """Tell whether the package's files differ from those of :func:`commit`; None where that is not known."""
    if commit() in ("", "unknown"):
        return None
    changed = _git("status", "--porcelain", "--", ".")
    return None if changed is None else bool(changed)


def _git(*command: str) -> str | None:
    """Return what git says in the package's folder; None where it is not installed, or refuses."""
    try:
        # Reading the state must not lock the repository for whoever commits meanwhile.
        told = subprocess.run(["git", "--no-optional-locks", *command], cwd=PACKAGE, capture_output=True, text=True)
    except OSError:
        return None
    return None if told.returncode else told.stdout.strip()


def processor() -> str:
    """Return the processor's name; the chapters and studies compute on it, also where there is a GPU."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def environment(device: "torch.device | str" = "cpu") -> dict[str, str | bool | None]:
    """Return what a reader needs to judge a number: commit, changes to it, versions, source digest, device and date."""
    import torch  # takes seconds, and a sweep asks for the source digest alone

    name = f"{processor()}, {torch.get_num_threads()} threads"
    if torch.device(device).type == "cuda":
        name = f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}, beside {name}"

    return {
        "commit": commit(),
        "dirty": dirty(),
        "physnn": physnn.__version__,
        "source": source_digest(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def package(made: Mapping[str, Any]) -> str:
    """Say which package made something, by its :func:`environment`: version, commit, changes to it, and source."""
    commit = f"commit {made['commit']}" + " with changes" * bool(made.get("dirty")) if made["commit"] else ""
    return ", ".join(filter(None, (f"physnn {made['physnn']}", commit, f"source {made['source'][:12]}")))


def recording_minutes(made: Mapping[str, Any]) -> float:
    """Return the minutes that a study took on the two cores that record them: its run's, or half its training's.

    A run that went on where an earlier one had been interrupted is the shorter of the two.
    """
    return max(made["seconds_of_this_run"], made["seconds_of_training"] / 2) / 60


def show_line(what: str, *parts: str) -> None:
    """Show ``what`` and the parts of its provenance as one line of Markdown."""
    from IPython.display import Markdown, display

    display(Markdown(f"*{what}:* " + " · ".join(parts)))
