"""What is installed: the package with the mark that it is typed, and on the lowest torch it names it is tested."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import torch

from tests import lowest

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_says_that_it_is_typed(tmp_path):
    pytest.importorskip("hatchling")
    pytest.importorskip("hatch_vcs")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "physnn/py.typed" in names
    assert {f"physnn/{path.name}" for path in (ROOT / "physnn").glob("*.py")} <= names
    assert not any(name.startswith(("tests/", "book/", "benchmarks/")) for name in names)


def test_the_lowest_torch_is_the_bound_of_the_package_and_is_run():
    (bound,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = lowest.requirements()
    assert wanted[0] == bound.replace(">=", "==")
    assert {re.match(r"[\w-]+", line)[0] for line in wanted} == {"torch", *lowest.TOOLS}
    for place in (".ci/run", ".github/workflows/checks.yml"):
        assert "make test-lowest" in (ROOT / place).read_text()


def test_this_torch_is_one_that_the_package_takes():
    (bound,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert torch.__version__ >= torch.torch_version.TorchVersion(bound.partition(">=")[2])
