"""What the page on sweeps prints works as printed: the commands, the Slurm job, the manifests, the certificates."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from physnn.lab.sweeping import cli, options
from tests.lab.running.clusters import PATIENCE, wait_for
from tests.lab.sweeping.sweeps import at_work_in, finish, make_notebook, runs, sweep

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "sweeps.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Return every sweep that the page, the README and ``--help`` print, from the word ``sweep`` on."""
    text = "\n".join([*blocks("bash"), *blocks("bash", README), options.EXAMPLES]).replace("\\\n", " ")
    return re.findall(r"physnn (sweep .*?)(?: &)?$", text, re.MULTILINE)


@pytest.mark.parametrize("command", commands())
def test_a_printed_command_has_points(command, tmp_path, capsys, monkeypatch):
    (tmp_path / "grid.yml").write_text(blocks("yaml")[0])
    words = shlex.split(command)
    notebook = (ROOT / words[1]).with_suffix(".md")  # the source, which other tests hold its pair to
    if words[1] == "chapter.ipynb":  # stands for any
        cell = "lr: float = 1.0  # rate, in (0, 10]\nseed: int = 0  # names a run, in [0, 99]\n"
        notebook = make_notebook(tmp_path, f"{cell}quartic: float = 0.0  # coefficient, in [-9, 9]\n", name=words[1])
    monkeypatch.chdir(tmp_path)
    more = ["--dry-run"] + ["--trials", "3"] * ("grid.yml" in command)
    assert cli.main(["sweep", str(notebook), *words[2:], *more]) == 0
    said = capsys.readouterr().out
    assert " 0 done" in said or ("--search" in words and "chosen as the search goes" in said)


@pytest.mark.parametrize(
    "command", re.findall(r"physnn ((?:report|prune) .*)$", "\n".join(blocks("bash")), re.MULTILINE)
)
def test_a_printed_report_or_prune_is_understood(command):
    assert options.parser().parse_args(shlex.split(command)).folder == Path("runs/quartic")


def test_the_notebook_that_is_shown_can_be_swept(tmp_path):
    cell, body = blocks("python")[:2]
    notebook = make_notebook(tmp_path, cell, body)
    grid = ["--grid", "lr=0.1,0.5", "--grid", "decay=none", "--grid", "title=a b", "--workers", 1]
    status, printed = sweep(notebook, *grid, "--out", tmp_path / "out")
    assert status == 0, printed
    assert list(pd.read_csv(tmp_path / "out" / "table.csv").steps) == [10, 2]


def test_there_are_commands_to_test():
    assert len(commands()) >= 10


def test_the_slurm_job_runs_and_stops_as_it_says(tmp_path):
    """With two workers in place of Slurm's, fewer seeds, and on loopback."""
    (job,) = [body for body in blocks("bash") if "#SBATCH" in body]
    job = job.replace("seed=0:20", "seed=0:2").replace("dask scheduler", "dask scheduler --host 127.0.0.1")
    (tmp_path / "job.sh").write_text(job)
    notebook = make_notebook(tmp_path / "notebooks", name="loss-terms.ipynb")
    (tmp_path / "notebooks" / "hold-1").touch()
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f"PATH={programs}:{Path(sys.executable).parent}:$PATH\n")
    (programs / "srun").write_text('#!/bin/bash\n"$@" &\n"$@" &\ntrap "kill $(jobs -p | xargs)" TERM\nwait\n')
    (programs / "physnn").write_text(f'#!/bin/bash\nexec {sys.executable} -m physnn.lab.sweeping.cli "$@"\n')
    for program in ("srun", "physnn"):
        (programs / program).chmod(0o755)

    def submit():
        environment = dict(os.environ, SLURM_JOB_ID="1", TMPDIR=str(tmp_path))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
        return subprocess.Popen(["bash", "job.sh"], cwd=tmp_path, env=environment, **pipes)

    def end(process):
        """Slurm ends what a job leaves behind."""
        process.wait(timeout=PATIENCE)
        os.killpg(process.pid, signal.SIGTERM)
        wait_for(lambda: not at_work_in(tmp_path / "notebooks"), "the end of the kernels")
        (tmp_path / "scheduler-1.json").unlink(missing_ok=True)
        return finish(process)

    first = submit()
    # Two points are kept then, and both workers held: what is interrupted has not come to its end.
    wait_for(lambda: runs(notebook, "begin")["-5 1"] and runs(notebook, "begin")["0 1"], "the start of two held points")
    wait_for(lambda: len(list(tmp_path.glob("runs/quartic/points/*.json"))) == 2, "the rows of the finished points")
    first.send_signal(signal.SIGTERM)
    status, printed = end(first)
    assert status == 130, printed
    assert "the same command continues" in printed
    (tmp_path / "notebooks" / "hold-1").unlink()
    status, printed = end(submit())
    assert status == 0, printed
    table = pd.read_csv(tmp_path / "runs" / "quartic" / "table.csv")
    assert list(table.energy) == [0, -5, 0, 0, 0, 5]
    assert max(runs(notebook).values()) == 1


def test_the_manifests_fit_together():
    scheduler, service, worker = yaml.safe_load_all(blocks("yaml")[1])
    for deployment in (scheduler, worker):
        spec = deployment["spec"]
        assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
        (container,) = spec["template"]["spec"]["containers"]
        known = subprocess.run(
            [sys.executable, "-m", *container["command"][:2], "--help"], capture_output=True, text=True, check=True
        ).stdout
        for option in (word for word in container["command"] if word.startswith("--")):
            assert re.search(rf"{option.removeprefix('--no-')}\b", known), option
    assert service["spec"]["selector"] == scheduler["spec"]["template"]["metadata"]["labels"]
    port = service["spec"]["ports"][0]["port"]
    assert (
        f"tcp://{service['metadata']['name']}:{port}" in worker["spec"]["template"]["spec"]["containers"][0]["command"]
    )
