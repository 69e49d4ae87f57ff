"""The notebook of a sweep: its clean text, its contract, and the digest by which its results are known."""

import difflib
import hashlib
import importlib.util
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from physnn.lab.chapter.contract import Declaration, ParameterError, declarations
from physnn.lab.running import closure
from physnn.lab.sweeping.table import RESERVED

# A worker reads sources for a run in one thread and for the driver's question in another. Where both are in Python's
# parser, 3.11 may raise a SystemError (CPython issue 106905).
READING = threading.Lock()


class SweepError(ValueError):
    """A sweep cannot start: the notebook, the grid, the cluster or an installed package is not as it must be."""


@dataclass(frozen=True)
class Notebook:
    """A notebook that can be swept.

    Attributes:
        path: where it is; its folder is the working directory of every run.
        text: the .ipynb without outputs.
        contract: the declarations of its parameters cell, by name.
        digest: SHA-256 of its code cells. Prose and outputs do not count, so that mending a sentence keeps the results.
    """

    path: Path
    text: str
    contract: dict[str, Declaration]
    digest: str


def load(path: str | Path) -> Notebook:
    """Read a notebook, .ipynb or (where jupytext is installed) its .md source.

    Raises:
        SweepError: it cannot be read, or has no well-formed parameters cell, or a parameter has a reserved name.
    """
    import nbformat

    path = Path(path).absolute()
    try:
        raw = path.read_text(encoding="utf-8-sig")  # Windows' editors begin with a byte-order mark
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"cannot read the notebook {path}: {error}") from error
    try:
        notebook = _from_source(path, raw) if path.suffix == ".md" else nbformat.reads(raw, as_version=4)
    except SweepError:
        raise
    except Exception as error:  # the readers raise whatever comes of a malformed file
        why = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise SweepError(
            f"{path} is not a notebook ({why}); expected an .ipynb file, or an .md source for jupytext"
        ) from error
    # What an earlier papermill run injected would count as the notebook's own.
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in code:
        cell.outputs, cell.execution_count = [], None
    declared = [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])]
    if len(declared) != 1:
        raise SweepError(
            f"{path} has {len(declared)} code cells tagged 'parameters', expected one with lines like  "
            "epochs: int = 10  # passes over the images, in [1, 100]"
        )
    try:
        contract = declarations(declared[0])
    except (ParameterError, SyntaxError) as error:
        raise SweepError(f"{path}: {error}") from error
    if taken := [name for name in contract if name in RESERVED]:
        raise SweepError(
            f"{path}: rename the parameter {', '.join(taken)}; a sweep's table has columns of its own called "
            f"{', '.join(RESERVED)}"
        )
    digest = hashlib.sha256(json.dumps([cell.source for cell in code]).encode()).hexdigest()
    return Notebook(path, nbformat.writes(notebook), contract, digest)


def made_from(text: str, folder: Path) -> str:
    """Return the digest of what a notebook imports, of physnn and of the modules in its folder.

    Whatever module of physnn a parameter may name (a task, say) counts as well.
    """
    import nbformat

    code = [cell for cell in nbformat.reads(text, as_version=4).cells if cell.cell_type == "code"]
    declared = [cell.source for cell in code if "parameters" in cell.metadata.get("tags", [])]
    words = re.findall(r"[\w-]+", "\n".join(declared))
    with READING:
        return closure.of_cells([cell.source for cell in code], folder, words).digest()


def unknown(name: object, contract: Mapping[str, Declaration]) -> str:
    """Say that a notebook has no such parameter, and which ones it has."""
    guess = difflib.get_close_matches(str(name), contract, 1)
    hint = f"; did you mean {guess[0]}?" if guess else ""
    return f"unknown parameter {name!r}; this notebook has {', '.join(contract)}{hint}"


def _from_source(path: Path, raw: str):
    if importlib.util.find_spec("jupytext") is None:
        raise SweepError(f"reading {path.name} needs jupytext: pip install jupytext, or name the .ipynb beside it")
    import jupytext

    return jupytext.reads(raw, fmt="md:myst")
