"""Every command of the book ends in one line where it cannot go on, and with the status of what stopped it."""

import ast
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import drift
from book.figures import card, icon, opening
from book.tools import (
    back,
    build,
    bundle,
    claims,
    epub,
    pairs,
    plain_sphinx,
    record_values,
    results_diff,
    serve,
    sweep_page,
)

ROOT = Path(__file__).resolve().parents[2]
# Of each, what it is told, and something of its work.
COMMANDS = {
    back: (["a"], "taken_back"),
    bench: (["--quick", "loss"], "measured"),
    build: ([], "build"),
    bundle: ([], "bundle"),
    card: ([], "sync_playwright"),
    claims: ([], "board"),
    drift: (["1"], "environment"),
    epub: ([], "epub"),
    icon: ([], "sync_playwright"),
    opening: ([], "Study"),
    pairs: ([], "write"),
    plain_sphinx: (["--python", sys.executable], "build"),
    record_values: ([], "record"),
    results_diff: (["main"], "numbers"),
    serve: ([], "_serve"),
    sweep_page: (["runs/signs"], "record"),
}
ENDS = {
    "full disk": (OSError(28, "No space left on device", "place"), 1, ": place: No space left on device; "),
    "Ctrl-C": (KeyboardInterrupt(), 130, ": interrupted; "),
    "unforeseen": (RuntimeError("two\nlines"), 1, "unforeseen RuntimeError: two lines in test_commands.py, line "),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__)
def test_a_command_ends_in_a_line(module, end, monkeypatch, tmp_path, capsys):
    error, status, said = end
    arguments, work = COMMANDS[module]

    def stop(*_, **__):
        raise error

    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.md").touch()
    (tmp_path / "README.md").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    monkeypatch.setattr(module, work, stop)
    if module in (back, pairs):
        monkeypatch.setattr(sys, "argv", ["command", *arguments, "--folder", str(tmp_path / "notebooks")])
    elif module is claims:
        monkeypatch.setattr(sys, "argv", ["command", "--root", str(tmp_path)])
    elif module is build:
        monkeypatch.setattr(sys, "argv", ["command", "--root", str(tmp_path), "--out", str(tmp_path / "out")])
    elif hasattr(module, "HERE"):
        monkeypatch.setattr(module, "HERE", tmp_path)
    assert module.main() == status
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]


def test_these_are_all_of_them():
    """What can be run as a module does its work so; those of the set-up run without the packages."""
    found = {path for folder in ("book", "benchmarks") for path in (ROOT / folder).rglob("*.py") if _runs(path)}
    assert {path.stem for path in found} - {"preflight", "turn"} == {Path(module.__file__).stem for module in COMMANDS}


def _runs(path: Path) -> bool:
    tests = [node.test for node in ast.parse(path.read_text()).body if isinstance(node, ast.If)]
    return any("__main__" in ast.unparse(test) for test in tests)
