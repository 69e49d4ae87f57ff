"""Compare the recorded numbers of two commits: ``python -m book.tools.results_diff BASE [HEAD]``.

For every study and arm the means over the final seeds of its task's result and of what else begins with ``test_``, and
for every claim its verdict and its effects, all computed now, from the tables as they were then. The output is
Markdown: what changed, old and new with 95 % intervals, and whether the new value lies inside the old interval.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from book.tools import cards, claims
from book.tools.project import HERE, BookError
from physnn.lab.records.effects import effect
from physnn.lab.records.finals import final_rows
from physnn.lab.records.studies import Study
from physnn.lab.running import command
from physnn.lab.statistics.stats import Interval, mean_interval
from physnn.lab.training.task import column

PATHS = ("results", "book/claims.yml", "_toc.yml")
METRICS = "test_"  # how columns begin that are published beside the result


@dataclass
class Numbers:
    """What a commit publishes."""

    studies: dict[str, dict[tuple[str, str], Interval]] = field(default_factory=dict)  # by arm and metric
    verdicts: dict[str, str] = field(default_factory=dict)
    effects: dict[tuple[str, str], Interval] = field(default_factory=dict)  # by claim and label
    troubles: list[str] = field(default_factory=list)


def numbers(repository: Path, revision: str) -> Numbers:
    """Return what a commit publishes, from its own tables.

    Raises:
        BookError: there is no such commit.
    """
    found = Numbers()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _extract(repository, revision, root)
        for design in sorted((root / "results").glob("*/design.yml")):
            name = design.parent.name
            try:
                found.studies[name] = _study(Study(name, root / "results"))
            except FileNotFoundError:
                pass  # designed, and not yet recorded
            except (KeyError, ValueError) as error:
                found.troubles.append(f"study `{name}` cannot be read: {error}")
        if (root / "book" / "claims.yml").exists():
            try:
                _claims(claims.board(root), found)
            except BookError as error:
                found.troubles.append(f"the claims cannot be judged: {error}")
    return found


def report(old: Numbers, new: Numbers, names: tuple[str, str]) -> str:
    """Return the differences as Markdown."""
    parts = [f"# Recorded numbers, {names[0]} → {names[1]}"]
    parts += [
        f"**{name}:** {trouble}" for name, made in zip(names, (old, new), strict=True) for trouble in made.troubles
    ]
    verdicts = _changed(old.verdicts, new.verdicts)
    rows = [[claim, was or "–", now or "–"] for claim, (was, now) in verdicts.items()]
    if old.verdicts or not new.verdicts:
        parts += ["## Verdicts", _table(["claim", "old", "new"], rows) if rows else _none("verdict", len(new.verdicts))]
        parts += ["## Effects behind the verdicts", _compared(["claim", "effect"], old.effects, new.effects, "effect")]
    else:
        parts += ["## Verdicts", f"New here: {len(new.verdicts)} claims."]
    for study in sorted({*old.studies, *new.studies}):
        parts.append(f"## Study `{study}`")
        was, now = old.studies.get(study), new.studies.get(study)
        if was is None or now is None:
            parts.append(f"{'Recorded now' if was is None else 'No longer recorded'}: {len(now or was)} numbers.")
        else:
            parts.append(_compared(["arm", "metric"], was, now, "number"))
    return "\n\n".join(parts) + "\n"


def _extract(repository: Path, revision: str, root: Path) -> None:
    def git(*arguments: str, trouble: str = "") -> bytes:
        run = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, check=False)
        if run.returncode:
            said = " ".join(run.stderr.decode(errors="replace").split())
            raise BookError(f"{trouble or 'git ' + ' '.join(arguments)}: {said}")
        return run.stdout

    if shutil.which("git") is None:
        raise BookError("there is no git on this machine, and the commits are read with it: install it")
    unknown = f"{repository} has no commit {revision!r}; name a branch, a tag or a commit of it, such as main"
    named = f"{revision}^{{commit}}"
    commit = git("rev-parse", "--verify", "--end-of-options", named, trouble=unknown).decode().strip()
    paths = [path for path in PATHS if git("ls-tree", commit, "--", path)]
    if paths:
        with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", commit, "--", *paths))) as archive:
            archive.extractall(root, filter="data")


def _study(study: Study) -> dict[tuple[str, str], Interval]:
    if "final" not in study.design:
        shares = {arm: effect({"study": study.name, "arm": arm, "measure": "diverged"}, study.folder.parent)
                  for arm in study.arms}  # fmt: skip
        return {(arm, "diverged, %"): share.interval for arm, share in shares.items()}
    found = {}
    for arm, rows in final_rows(study).groupby("arm", sort=False):
        numbers = rows.select_dtypes("number")
        for metric in (name for name in numbers if name == study.task.RESULT or name.startswith(METRICS)):
            values = numbers[metric].dropna()
            if len(values) > 1:
                percent = column(study.task, metric).scale == 100
                found[arm, f"{metric}, %" if percent else metric] = mean_interval(100 * values if percent else values)
    return found


def _claims(board: claims.Board, found: Numbers) -> None:
    for claim in board.claims:
        judgement, name = board.judgements[claim.number], f"{claim.number}, {claim.name}"
        found.verdicts[name] = cards.BADGES[judgement.verdict]
        for key, made in judgement.effects.items():
            found.effects[name, claim.rule["effects"][key]["label"]] = made.interval


def _changed(old: dict, new: dict) -> dict:
    return {key: (old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)}


def _compared(columns: list[str], old: dict, new: dict, what: str) -> str:
    changed = _changed(old, new)
    if not changed:
        return _none(what, len(new))
    rows, outside = [], 0
    for key, (was, now) in changed.items():
        if was and now:
            inside = was.low <= now.mean <= was.high
            outside += not inside
            said = "inside" if inside else "**outside**"
        else:
            said = "new" if now else "gone"
        rows.append([*key, _shown(was), _shown(now), said])
    rows.sort(key=lambda row: row[-1] != "**outside**")
    both = sum(1 for was, now in changed.values() if was and now)
    first = f"{len(changed)} of {len({**old, **new})} {what}s differ; {outside} of {both} lie outside the old interval."
    return f"{first}\n\n{_table([*columns, 'old', 'new', 'the new mean and the old interval'], rows)}"


def _none(what: str, n: int) -> str:
    return f"None of {n} {what}s differs." if n else f"There are no {what}s."


def _shown(interval: Interval | None) -> str:
    return interval.format(".2f" if abs(interval.mean) >= 1 else ".4f") + f", n = {interval.n}" if interval else "–"


def _table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the comparison; return the exit status, the reason for a failure last."""
    parser = argparse.ArgumentParser(description="Compare the recorded numbers of two commits.")
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("head", nargs="?", default="HEAD", help="the commit that is compared")
    parser.add_argument("--repository", type=Path, default=HERE, help="where the commits are")
    options = parser.parse_args(arguments)
    names = options.base, options.head
    return command.run("make results-diff", lambda: _main(options.repository, names), "nothing is written")


def _main(repository: Path, names: tuple[str, str]) -> int:
    try:
        old, new = (numbers(repository, revision) for revision in names)
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    print(report(old, new, names), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
