"""What the history of a checkout says of a claim's rule: whether it stood before the tables that it judges."""

import subprocess
from pathlib import Path

import yaml

CLAIMS = "book/claims.yml"


def git(root: Path, *command: str) -> str:
    """Return what git says, "" where it says nothing or there is no history."""
    told = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True, check=False)
    return "" if told.returncode else told.stdout.strip()


def whole(root: Path) -> bool:
    """Tell whether the history is there, and not cut."""
    return git(root, "rev-parse", "--is-shallow-repository") == "false"


def before_the_tables(root: Path, number: int, rule: dict) -> bool:
    """Tell whether every table of a rule's studies came later than the rule as it stands, ``written`` aside."""
    studies = {how["study"] for how in rule["effects"].values() if "study" in how}
    return all(_stood(root, number, rule, f"results/{study}/table.csv") for study in sorted(studies))


def _stood(root: Path, number: int, rule: dict, table: str) -> bool:
    first = git(root, "log", "--diff-filter=A", "--format=%H", "--", table).splitlines()
    if not first:
        return True  # it is still to come
    for commit in git(root, "log", "--format=%H", f"{first[-1]}~1", "--", CLAIMS).splitlines():
        for row in yaml.safe_load(git(root, "show", f"{commit}:{CLAIMS}")) or []:
            if row["number"] == number and _decides(row.get("rule") or {}) == _decides(rule):
                return True
    return False


def _decides(rule: dict) -> dict:
    return {key: value for key, value in rule.items() if key not in ("written", "headline")}
