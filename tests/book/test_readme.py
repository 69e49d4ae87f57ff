"""The README's promises hold: its Python runs as printed, its commands exist, its ablation runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from scipy import stats

import physnn
from physnn import log_predictive

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def blocks(*languages: str) -> list[str]:
    """Return the README's fenced blocks in these languages."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [body for language, body in found if language in languages]


def commands() -> list[str]:
    """Return the README's shell lines, without prompts, comments and printed output."""
    lines = [line for body in blocks("console") for line in body.splitlines() if line.startswith("$ ")]
    lines += [line for body in blocks("sh", "bash", "shell") for line in body.replace("\\\n", " ").splitlines()]
    stripped = [line.removeprefix("$ ").partition(" #")[0].strip() for line in lines]
    return [line for line in stripped if line and not line.startswith("#")]


def test_the_python_blocks_run_in_their_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "readme"}
    for number, body in enumerate(blocks("python", "py"), start=1):
        exec(compile(body, f"README.md, Python block {number}", "exec"), names)
    assert list(tmp_path.iterdir()) == [], "the README's Python leaves files behind"


def test_the_posterior_is_sampled_as_the_readme_says(capsys):
    """Mean, variance and temperature against the closed form, with a false-alarm rate below 1e-6 each.

    The scheme is exact on a parabola, and what 60 steps leave of the start is 0.71^60 of it. The chains are
    independent and normal: (n - 1) times their variance over the true one is chi-square with n - 1 degrees of freedom.
    Without the prior the variance would be 25 % larger.
    """
    (body,) = [body for body in blocks("python") if "Thermometer" in body]
    torch.manual_seed(0)
    names: dict = {}
    exec(compile(body, "README.md, the posterior", "exec"), names)
    x, y, slopes = names["x"], names["y"], names["slopes"].detach()
    variance, n = 1 / (x @ x + 1).item(), len(slopes)
    low, high = stats.chi2.interval(1 - 1e-6, n - 1)
    assert low < (n - 1) * slopes.var().item() / variance < high
    assert abs(slopes.mean() - variance * (x @ y)).item() < stats.norm.isf(5e-7) * (variance / n) ** 0.5
    (reading,) = names["thermometer"].read(confidence=1 - 1e-6)
    assert reading["low"] < reading["kinetic"] < reading["high"]
    assert f"exactly {variance:.3f}" in capsys.readouterr().out


def test_the_package_page_has_the_same_posterior_and_its_python_runs(capsys):
    page = (ROOT / "book/package.md").read_text(encoding="utf-8")
    bodies = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert [body for body in bodies if "Thermometer" in body] == [
        body for body in blocks("python") if "Thermometer" in body
    ]
    for number, body in enumerate(bodies, start=1):
        exec(compile(body, f"book/package.md, Python block {number}", "exec"), {})
    assert capsys.readouterr().out.endswith("temperature 0.000\n"), "the schedule ends cold"


def test_the_network_on_the_package_page_is_unsure_where_it_should_be(capsys):
    page = (ROOT / "book/package.md").read_text(encoding="utf-8")
    (body,) = [b for b in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) if "Samples" in b]
    torch.manual_seed(0)
    names: dict = {}
    exec(compile(body, "book/package.md, the network", "exec"), names)
    assert len(names["samples"]) == 50
    p = log_predictive(names["samples"].predict(names["new"]), dim=(0, 1)).exp()
    assert p[0, 1] > 0.9 and p[1, 0] > 0.9 and 0.1 < p[2, 0] < 0.9
    assert str(p) in capsys.readouterr().out


@pytest.mark.parametrize("command", commands())
def test_every_command_exists(command):
    words = shlex.split(command)
    while "=" in words[0]:  # settings before the command
        words.pop(0)
    if words[0] == "make":
        asked = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
        assert set(asked) <= TARGETS, f"the Makefile has no {set(asked) - TARGETS}"
        return
    program = words[0]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    known = (ROOT / program).exists() or program == "cd" or shutil.which(program, path=path)
    assert known, f"{program} does not exist"
    for script in [word for word in words[1:] if re.fullmatch(r"[\w./-]+\.(py|md|ipynb|yml)", word)]:
        if not script.startswith("_build/"):  # what the command makes
            assert (ROOT / script).exists(), f"{script} does not exist"


@pytest.mark.parametrize("command", [line for line in commands() if "papermill" in line])
def test_the_ablation_runs_as_printed(command, tmp_path):
    words = shlex.split(command.replace("_build/", f"{tmp_path}/"))
    words[0] = str(Path(sys.executable).parent / Path(words[0]).name)
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    (made,) = tmp_path.glob("*.ipynb")
    assert '"live-proposal"' in made.read_text(encoding="utf-8")


def test_links_lead_somewhere_from_the_package_index_too():
    """There a relative link or picture would be broken; what they lead to in the repository exists."""
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert [target for target in targets if not target.startswith("https://")] == []
    ours = r"https://(?:github\.com/physnn/physnn/blob|raw\.githubusercontent\.com/physnn/physnn)/main/([^#]+)"
    named = [match[1] for match in map(re.compile(ours).match, targets) if match]
    assert "CONTRIBUTING.md" in named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_stable_names_are_public():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (names, others) = re.search(r"^Thirteen names: (.+?)\. (The factors .+?)\.", text, re.MULTILINE).groups()
    stable, riding = (re.findall(r"`(\w+)`", part) for part in (names, others))
    assert len(stable) == 13
    assert sorted([*stable, *riding]) == sorted(physnn.__all__)


def test_contributing_names_files_and_targets_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bmake ([a-z][a-z-]+)\b", text)) <= TARGETS | {
        "and",
        "chapters",
    }  # the words after the verb
    named = re.findall(r"`((?:physnn|tests|book|notebooks|results)/[\w./*-]+|[\w.]+\.(?:md|yml|toml|cff|lock))`", text)
    real = [name for name in named if not re.search(r"NAME|STUDY|ROOM|results/scaled|physnn/physnn|\*", name)]
    assert len(real) > 15
    short = {"design.yml", "claims.yml", "release.yml"}  # named without their folders
    assert [name for name in real if name not in short and not (ROOT / name).exists()] == []
