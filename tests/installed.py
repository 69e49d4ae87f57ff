"""Install a wheel outside the repository, in an environment of its own, and use it: python tests/installed.py WHEEL."""

import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE_ALONE = """
import sys
from pathlib import Path

import physnn
from physnn.lab.records.provenance import RESULTS

where = Path(physnn.__file__).parent
assert where.is_relative_to(sys.prefix), f"physnn is not the one installed, but {where}"
assert RESULTS == where / "results", f"the recorded studies are not in the wheel, but in {RESULTS}"
assert (where / "py.typed").exists()
for name in physnn.__all__:
    assert callable(getattr(physnn, name)), name
"""
WITH_THE_LAB = """
from physnn.lab.records.studies import RESULTS, Study

for path in RESULTS.glob("*/provenance.json"):
    assert len(Study(path.parent.name).table()), path
"""


def examples() -> list[str]:
    """Return the README's Python."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def alone(python: Path, folder: Path, version: str) -> None:
    """Use what torch alone is enough for, from ``folder``."""
    command = python.with_name("physnn")
    said = subprocess.run([command, "--version"], cwd=folder, check=True, capture_output=True, text=True).stdout
    assert said == f"physnn {version}\n", f"the wheel is {version}, and says {said!r}"
    subprocess.run([command, "sweep", "--help"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for code in (PACKAGE_ALONE, *examples()):
        subprocess.run([python, "-c", code], cwd=folder, check=True)


def with_the_lab(python: Path, folder: Path) -> None:
    """Read every recorded study, and plan a sweep."""
    subprocess.run([python, "-c", WITH_THE_LAB], cwd=folder, check=True)
    notebook = ROOT / "notebooks" / "as-printed.ipynb"
    sweep = ["sweep", notebook, "--grid", "temperature=0,1e-3", "--grid", "data=digits", "--out", "heat", "--dry-run"]
    subprocess.run([python.with_name("physnn"), *sweep], cwd=folder, check=True)


def main(wheel: Path) -> None:
    """Install the wheel and use it, first without its extras."""
    wheel = wheel.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        subprocess.run([python, "-m", "pip", "install", "-q", wheel], cwd=folder, check=True)
        alone(python, folder, wheel.name.split("-")[1])
        subprocess.run([python, "-m", "pip", "install", "-q", f"{wheel}[sweep]"], cwd=folder, check=True)
        with_the_lab(python, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
