"""When each page was first written and last changed, as its source's history says."""

from __future__ import annotations

import subprocess
from pathlib import Path

from book.tools import claims
from book.tools.project import Project

FILE = "dates.json"  # beside the staged pages
MADE_FROM = {claims.PAGE: "book/claims.yml"}  # a page that has no text of its own
DAY = "@"


def of_pages(project: Project) -> dict[str, list[str]]:
    """Return the days, as YYYY-MM-DD, of the first and the last commit of each page's source.

    A page that moved keeps its first day. Nothing is said where the history is not whole: in a shallow clone each file
    seems to be of the last commit.
    """
    if _git(project.root, "rev-parse", "--is-shallow-repository").strip() != "false":
        return {}
    sources = {MADE_FROM.get(page, f"{page}.md"): page for page in project.pages}
    asked = ["log", "--reverse", "-M", "--name-status", f"--format={DAY}%cs", "--relative", "--", "book", "notebooks"]
    days = read(_git(project.root, *asked))
    return {page: days[source] for source, page in sources.items() if source in days}


def read(log: str) -> dict[str, list[str]]:
    """Return the first and the last day of each file in a log, oldest first, of days and ``--name-status``."""
    days, day = {}, ""
    for line in log.splitlines():
        if line.startswith(DAY):
            day = line.removeprefix(DAY)
        elif line:
            status, *names = line.split("\t")
            first = days.pop(names[0])[0] if status[0] == "R" and names[0] in days else day
            if status[0] == "D":
                days.pop(names[0], None)
            else:
                days[names[-1]] = [days.get(names[-1], [first])[0], day]
    return days


def _git(root: Path, *arguments: str) -> str:
    try:
        said = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    return said.stdout if said.returncode == 0 else ""
