"""What a newcomer meets first: the checks before the set-up, the list of targets."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from book.tools import preflight

ROOT = Path(__file__).resolve().parents[2]
PLENTY = 100.0


def test_a_machine_with_everything_has_no_problems():
    assert preflight.problems((3, 11, 0), True, PLENTY, "none") == []


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (((3, 10, 9), True, PLENTY, "none"), ["3.10 is too old", "3.11", "make PYTHON="]),
        (((3, 12, 0), False, PLENTY, "none"), ["venv", "apt-get install python3-venv", "uv"]),
        (((3, 12, 0), True, 2.5, "none"), ["2.5 GB are free", "needs 6 GB", "make VENV="]),
        (((3, 12, 0), True, None, "foreign"), ["not made by make", "make VENV="]),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(machine, said):
    (problem,) = preflight.problems(*machine)
    for words in said:
        assert words in problem


def test_everything_missing_is_said_at_once():
    assert len(preflight.problems((3, 6, 0), False, 0.1, "foreign", "no packages")) == 5


def test_this_platform_is_served():
    assert preflight.unserved(*preflight.here()) is None


@pytest.mark.parametrize(
    ("platform", "said"),
    [
        (("Windows", "AMD64", ()), ["Windows", "wsl --install"]),
        (("MSYS_NT-10.0-19045", "x86_64", ()), ["MSYS", "wsl --install"]),
        (("Darwin", "x86_64", (14, 5)), ["Intel", "since 2.3", "arm64", "Colab"]),
        (("Darwin", "arm64", (13, 6)), ["macOS 14.0 or newer", "this is 13.6"]),
        (("Linux", "x86_64", ()), ["glibc alone", "Alpine", "python:3.12"]),
        (("Linux", "x86_64", (2, 17)), ["glibc 2.28 or newer", "has 2.17", "python:3.12"]),
        (("Linux", "riscv64", (2, 41)), ["riscv64", "Colab"]),
    ],
)
def test_a_platform_without_packages_is_told_before_they_are_sought(platform, said):
    problem = preflight.unserved(*platform)
    assert "\n" not in problem
    for words in said:
        assert words in problem


@pytest.mark.parametrize(
    "platform",
    [
        ("Linux", "x86_64", (2, 28)),
        ("Linux", "aarch64", (2, 41)),
        ("Darwin", "arm64", (14, 0)),
        ("Darwin", "arm64", (26, 1)),
    ],
)
def test_a_platform_with_packages_has_no_problem(platform):
    assert preflight.unserved(*platform) is None


def test_preflight_stops_on_such_a_platform(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(preflight, "here", lambda: ("Linux", "x86_64", ()))
    assert preflight.main(["--venv", str(tmp_path / "venv"), "--with-uv"]) == 1
    assert "glibc alone" in capsys.readouterr().err


def test_preflight_starts_on_an_old_python():
    """Its syntax is that of Python 3.6, or the old Python would say SyntaxError instead of what is wrong."""
    check = "import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 6))"
    subprocess.run([sys.executable, "-c", check, ROOT / "book/tools/preflight.py"], check=True)


def test_preflight_leaves_a_foreign_folder_alone(tmp_path):
    (tmp_path / "precious.txt").touch()
    command = [sys.executable, "-m", "book.tools.preflight", "--venv", tmp_path, "--with-uv"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "not made by make" in result.stderr
    (tmp_path / ".begun").touch()
    assert preflight.state(str(tmp_path)) == "ours"


def test_the_space_an_interrupted_set_up_took_counts_as_free(tmp_path):
    before = preflight.free_gigabytes(str(tmp_path / "none"))
    (tmp_path / "venv").mkdir()
    with open(tmp_path / "venv" / "half", "wb") as half:
        half.truncate(10**12)  # sparse: it takes no space here, and counts by its length
    assert preflight.free_gigabytes(str(tmp_path / "venv")) > before + 900


def test_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in set(phony) - {"help"}:
        assert f"make {target} " in listed


def test_a_commit_is_checked_by_what_lint_runs():
    makefile = (ROOT / "Makefile").read_text()
    named = re.search(r"^LINTS := (.+)$", makefile, re.MULTILINE)[1].split()
    assert re.search(r"^lint: (.+) ##", makefile, re.MULTILINE)[1] == "$(LINTS)"
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [f"make -s {name}" for name in named] == [hook["entry"] for hook in local["hooks"]]
    places = [folder.glob("*.*") for folder in (ROOT, ROOT / "physnn", ROOT / "notebooks", ROOT / ".github/workflows")]
    names = [path.relative_to(ROOT).as_posix() for several in places for path in several]
    for hook in local["hooks"]:
        assert any(re.search(hook["files"], name) for name in names), f"{hook['id']} looks at no file"


def test_a_uv_that_fails_counts_as_no_uv(tmp_path):
    shim = tmp_path / "uv"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    command = ["make", "-n", "-W", "pyproject.toml", "test", f"VENV={tmp_path / 'venv'}"]
    path = f"{tmp_path}:/usr/bin:/bin"
    planned = subprocess.run(command, cwd=ROOT, env={"PATH": path}, capture_output=True, text=True, check=True).stdout
    assert "-m pip install" in planned
    assert "uv pip" not in planned
