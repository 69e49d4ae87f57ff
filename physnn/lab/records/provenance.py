"""Where a number comes from: commit, package, parameters, data, versions, machine, duration."""

import datetime
import hashlib
import platform
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import physnn

if TYPE_CHECKING:
    import torch

PACKAGE = Path(physnn.__file__).parent
# An installed package carries the recorded results inside; a checkout has them at its top.
RESULTS = next(path for path in (PACKAGE / "results", PACKAGE.parent / "results") if path.is_dir())


def source_digest() -> str:
    """Return the SHA-256 of the package's Python files, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def commit() -> str:
    """Return the commit of the checkout that the package runs from; "" where it is none, or there is no git."""
    if not (PACKAGE.parent / ".git").exists():
        return ""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True).stdout.strip()
    except OSError:  # not installed
        return ""


def processor() -> str:
    """Return the processor's name; the chapters and studies compute on it, also where there is a GPU."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def environment(device: "torch.device | str" = "cpu") -> dict[str, str]:
    """Return what a reader needs to judge a number: commit, versions, source digest, Python, device and date."""
    import torch  # takes seconds, and a sweep asks for the source digest alone

    name = f"{processor()}, {torch.get_num_threads()} threads"
    if torch.device(device).type == "cuda":
        name = f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}, beside {name}"

    return {
        "commit": commit(),
        "physnn": physnn.__version__,
        "source": source_digest(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": name,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }


def show_line(what: str, *parts: str) -> None:
    """Show ``what`` and the parts of its provenance as one line of Markdown."""
    from IPython.display import Markdown, display

    display(Markdown(f"*{what}:* " + " · ".join(parts)))
