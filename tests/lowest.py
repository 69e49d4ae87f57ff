"""Print what the tests of the core need, with the lowest torch that pyproject.toml allows: python tests/lowest.py."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("expecttest", "hypothesis", "numpy", "pandas", "pytest", "pytest-xdist", "scikit-learn", "scipy")


def requirements() -> list[str]:
    """Return torch at its lower bound, and the tools at the versions of the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lowest = [text.replace(">=", "==") for text in project["dependencies"]]
    lock = (ROOT / "requirements.lock").read_text()
    return lowest + re.findall(rf"^(?:{'|'.join(TOOLS)})==[^\\\n]*[^\\\s]", lock, re.MULTILINE)


if __name__ == "__main__":
    print("\n".join(requirements()))
