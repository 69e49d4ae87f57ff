"""What a sweep would do and how long it would take, and what it could not do."""

import shlex
from collections.abc import Mapping
from statistics import median

from physnn.lab.running.machine import cores
from physnn.lab.sweeping.grid import repeats, written
from physnn.lab.sweeping.plan import Plan
from physnn.lab.sweeping.progress import duration


def outlook(plan: Plan, workers: int | None, *, remote: bool) -> str:
    """List the points of a plan with their parameters, and estimate the time from the points finished in its folder."""
    if plan.search:
        of, trials = len(plan.search.runs), plan.search.trials
        each = f"each of {of} points, " if of > 1 else ""
        return f"{trials} trials of {plan.notebook.path.name}, {each}chosen as the search goes"
    kept, fixed = plan.kept(), plan.fixed()
    missing = [point for point in plan.points if point.name not in kept]
    lines = [
        f"{kept[point.name]['status'] if point.name in kept else 'to run':<7} {point.name}  {point.told(fixed)}"
        for point in plan.points
    ]
    failed = sum(row["status"] != "done" for row in kept.values())
    lines.append(
        f"{len(plan.points)} points of {plan.notebook.path.name}: {len(kept) - failed} done, "
        f"{f'{failed} failed, ' if failed else ''}{len(missing)} to run"
    )
    lines += [f"every point has {written(fixed)}"] if fixed else []
    lines += [said] if (said := repeats(plan.points)) else []
    return "\n".join([*lines, *_time(plan, len(missing), workers, remote)])


def failures(plan: Plan, rows: Mapping[str, dict]) -> str:
    """List the points that failed, each with its error and where its log is; nothing where none did."""
    ran = [point for point in plan.points if point.name in rows]
    failed = [point for point in ran if rows[point.name]["status"] != "done"]
    if not failed:
        return ""
    again = "the same command runs them again" if plan.how.retry_failed else "they run again without --no-retry-failed"
    lines = [f"{len(failed)} of {len(plan.points)} points failed; {again}:"]
    for point in failed:
        row = rows[point.name]
        lines += [f"  {point}  {row['status']}: {row['error']}", f"    log: {plan.folder.file(point.name, '.log')}"]
    return "\n".join(lines)


def _time(plan: Plan, missing: int, workers: int | None, remote: bool) -> list[str]:
    if not missing:
        return []
    # Of another package or notebook too: an estimate may be old.
    seconds = [row["seconds"] for row in plan.folder.rows() if row["status"] == "done"]
    if not seconds:
        one = [f"--grid {shlex.quote(f'{name}={value}')}" for name, value in plan.points[0].given.items()]
        command = [
            "physnn sweep",
            shlex.quote(str(plan.notebook.path)),
            *one,
            "--out",
            shlex.quote(str(plan.folder.path)),
        ]
        return [
            "time: not known, because no point has finished in this folder; run one to learn it:",
            " ".join(command),
        ]
    known = f"{duration(median(seconds))} is the median of the {len(seconds)} finished here"
    if remote:
        return [f"time: about {duration(missing * median(seconds))} of work, shared by the cluster's workers ({known})"]
    n = min(workers or cores(), missing)
    rounds = -(-missing // n)
    return [f"time: about {duration(rounds * median(seconds))} on {n} worker{'s' if n > 1 else ''} ({known})"]
