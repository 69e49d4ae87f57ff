"""Two commits of a tiny repository, and what the comparison of their records says."""

import hashlib
import json
import subprocess

import pandas as pd
import pytest
import yaml

from book.tools import results_diff
from physnn.lab.records.studies import Study
from tests.lab.records.by_hand import RULE, record


def commit(root):
    def git(*arguments):
        run = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    if not (root / ".git").exists():
        git("init", "-q")
    git("add", "-A")
    git("-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", "a commit")
    return git("rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "repository"
    (root / "book").mkdir(parents=True)
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/intro\n")
    record(root / "results" / "small", a=0.92, b=0.90)
    return root


def claim(root, **conditions):
    row = {
        "number": 1, "section": "Benefits", "quote": ["Speed | 9"], "test": "Whether a beats b.",
        "rule": RULE | conditions, "says": dict.fromkeys(conditions, "So it is."), "decided": {"page": "notebooks/one"},
    }  # fmt: skip
    (root / "book" / "claims.yml").write_text(yaml.safe_dump([row]))


def told(root, *revisions, capsys):
    assert results_diff.main([*revisions, "--repository", str(root)]) == 0
    return capsys.readouterr().out


def test_nothing_changed(root, capsys):
    claim(root, holds=["gain above 0"])
    first = commit(root)
    (root / "README.md").write_text("other words\n")
    commit(root)
    said = told(root, first, capsys=capsys)
    assert "None of 1 verdicts differs." in said and "None of 4 effects differs." in said
    assert "None of 2 numbers differs." in said and "|" not in said


def test_a_number_that_moved_is_inside_or_outside_its_old_interval(root, capsys):
    first = commit(root)
    record(root / "results" / "small", a=0.9205, b=0.95)
    second = commit(root)
    said = told(root, first, second, capsys=capsys)
    assert "2 of 2 numbers differ; 1 of 2 lie outside the old interval." in said
    outside, inside = [line for line in said.splitlines() if "test_accuracy" in line]
    assert outside == (
        "| b | test_accuracy, % | 90.00 [90.00,\xa090.00], n = 3 | 95.00 [95.00,\xa095.00], n = 3 | **outside** |"
    )
    assert inside.startswith("| a | test_accuracy, % | 92.10 [91.85,\xa092.35], n = 3 | 92.15 [")
    assert inside.endswith("| inside |")
    assert f"{first} → {second}" in said


def test_the_result_of_another_task_is_compared_and_texts_are_not(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    design = {"task": "embedding", "arms": {"a": {}}, "tuning": {"lr": [1.0], "seeds": [9], "epochs": 1}}
    (folder / "design.yml").write_text(yaml.safe_dump(design | {"final": {"seeds": [0, 1], "epochs": 1}}))
    same = {"phase": "final", "arm": "a", "lr": 1.0, "epoch": 1, "test_right": "00ff", "distortion": 0.2}
    pd.DataFrame([{**same, "seed": seed, "map": 0.8 + seed / 10} for seed in (0, 1)]).to_csv(folder / "table.csv")
    digest = hashlib.sha256((folder / "table.csv").read_bytes()).hexdigest()
    made = {"design": Study("tree", tmp_path).digest, "table": digest}
    (folder / "provenance.json").write_text(json.dumps(made))
    found = results_diff._study(Study("tree", tmp_path))
    assert [*found] == [("a", "map")] and found["a", "map"].mean == pytest.approx(0.85)


def test_a_verdict_that_turned_comes_first(root, capsys):
    claim(root, holds=["gain above 0"], fails=["gain below 0"])
    first = commit(root)
    record(root / "results" / "small", a=0.85, b=0.90)
    commit(root)
    said = told(root, first, capsys=capsys)
    assert "| 1, Speed \\| 9 | Holds | Fails |" in said
    assert "| 1, Speed \\| 9 | gain | 2.10 [1.85,\xa02.35], n = 3 | −4.90 [" in said


def test_what_is_new_gone_or_broken_is_said(root, capsys):
    first = commit(root)
    (root / "results" / "small").rename(root / "results" / "other")
    table = root / "results" / "other" / "table.csv"
    second = commit(root)
    claim(root, holds=["gain above 0"])
    said = told(root, first, commit(root), capsys=capsys)
    assert "Recorded now: 2 numbers." in said and "No longer recorded: 2 numbers." in said
    assert "the claims cannot be judged" in said and "no study 'small'" in said
    table.write_text(table.read_text().replace("0.92", "0.99"))
    said = told(root, second, commit(root), capsys=capsys)
    assert "study `other` cannot be read: the table of study 'other' changed" in said


def test_claims_that_are_new_are_counted(root, capsys):
    first = commit(root)
    claim(root, holds=["gain above 0"])
    commit(root)
    assert "New here: 1 claims." in told(root, first, capsys=capsys)


@pytest.mark.parametrize("revision", ["nowhere", "--output=x"])
def test_a_commit_that_does_not_exist_is_refused(root, revision, capsys):
    commit(root)
    assert results_diff.main(["--repository", str(root), "--", revision]) == 1
    said = capsys.readouterr().err
    assert f"has no commit {revision!r}; name a branch" in said
    assert said.count("\n") == 1


def test_without_git_a_line_says_so(root, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert results_diff.main(["--repository", str(root), "main"]) == 1
    assert capsys.readouterr().err.startswith("there is no git on this machine")
