"""Stand-ins for Colab's machine: environments that hold what Colab ships, and nothing of this project."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

import nbformat
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from book.tools import parameters
from book.tools.project import Project

ROOT = Path(__file__).resolve().parents[2]

# Runs inside the environment: execute a notebook from top to bottom, and write it with its outputs.
RUNNER = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""
VERSIONS = """
import json
from importlib.metadata import distributions
print(json.dumps({d.name.lower().replace("_", "-"): d.version for d in distributions()}))
"""


def linked_environment(folder: Path, names: Iterable[str]) -> Path:
    """Make an environment of links to the named distributions and all they require; return its Python.

    The links point into the environment that runs the tests, so it stands in seconds and needs no network.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    target = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    for name in _closure(names):
        found = distribution(name)
        site = Path(str(found.locate_file(""))).resolve()
        for top in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
            if not (target / top).exists():
                (target / top).symlink_to(site / top)
    return python


def _closure(names: Iterable[str]) -> set[str]:
    """Name the distributions with all they require on this machine."""
    seen: set[tuple[str, str]] = set()
    waiting = [(name, "") for name in names]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for requirement in map(Requirement, distribution(name).requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                required = canonicalize_name(requirement.name)
                waiting += [(required, ""), *((required, wanted) for wanted in requirement.extras)]
    return {name for name, _ in seen}


def versions(python: Path) -> dict[str, str]:
    """Return every distribution in the environment with its version."""
    result = subprocess.run([python, "-c", VERSIONS], capture_output=True, text=True, check=True, env=clean())
    return json.loads(result.stdout)


def clean(**extra: str) -> dict[str, str]:
    """Return the variables of a process that knows nothing of this checkout."""
    keep = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return keep | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"} | extra


def notebook_to_run(stem: str, folder: Path) -> Path:
    """Copy the committed pair into ``folder`` with the test profile's parameters after its own."""
    chosen = parameters.chosen(Project(ROOT, folder), "test", "digits")[stem]
    notebook = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)
    tagged = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    if tagged and chosen:
        values = "\n".join(f"{name} = {value!r}" for name, value in chosen.items())
        cell = nbformat.v4.new_code_cell(values, id="colab-parameters", metadata={"tags": ["injected-parameters"]})
        notebook.cells.insert(tagged[0] + 1, cell)
    path = folder / f"{stem}.ipynb"
    nbformat.write(notebook, path)
    return path


def run(python: Path, notebook: Path, source: str, **variables: str) -> subprocess.CompletedProcess:
    """Run a notebook in the environment, its first cell installing the package from ``source``."""
    return subprocess.run(
        [python, "-c", RUNNER, str(notebook)],
        cwd=notebook.parent,
        env=clean(PHYSNN_SOURCE=source, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


def stems() -> list[str]:
    """Name the chapters."""
    return [source.stem for source in Project(ROOT, ROOT / "_build").sources]


def snapshot(folder: Path) -> Path:
    """Commit the working tree as it stands to a repository of its own in ``folder``."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-C", str(folder)]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "snapshot"]):
        subprocess.run([*git, *arguments], check=True)
    return folder
