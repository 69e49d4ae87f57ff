"""What the last command asked of a folder, kept there: with it a report needs neither the notebook nor its code."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

from physnn.lab.chapter.contract import Declaration
from physnn.lab.running import files
from physnn.lab.running.command import described
from physnn.lab.sweeping.notebook import SweepError
from physnn.lab.sweeping.question import Question
from physnn.lab.sweeping.store import Folder

FILE = "sweep.json"


@dataclass(frozen=True)
class Asked:
    """What the last command asked of a folder.

    Attributes:
        notebook: the name of its file.
        digest: of the notebook's code.
        package: digest of what it imports.
        contract: the declarations of its parameters, by name.
        points: the names of the points, in the order of the grid.
        drawn: the parameters that were drawn, and from which kind of distribution.
        question: what the points are to answer.
        found: what a search has found.
    """

    notebook: str
    digest: str
    package: str
    contract: Mapping[str, Declaration]
    points: list[str]
    drawn: Mapping[str, str]
    question: Question
    found: str = ""

    def about(self, question: Question) -> "Asked":
        """Return the same points under another question."""
        return replace(self, question=question)

    def keep(self, folder: Folder) -> None:
        """Write it into the folder.

        Raises:
            SweepError: that is not possible.
        """
        try:
            files.write(folder.path / FILE, json.dumps(asdict(self), ensure_ascii=False))
        except OSError as error:
            raise SweepError(f"cannot write the results: {described(error)}; choose another --out") from error


def read(folder: Folder) -> Asked:
    """Return what the last command asked of a folder.

    Raises:
        SweepError: nothing there says so.
    """
    try:
        kept = json.loads((folder.path / FILE).read_bytes())
        kept = {each.name: kept[each.name] for each in fields(Asked)}
        kept["contract"] = {name: Declaration(**one) for name, one in kept["contract"].items()}
        asked = kept["question"]
        kept["question"] = Question(tuple(asked["replicates"]), asked["baseline"], tuple(asked["values"]))
        return Asked(**kept)
    except FileNotFoundError:
        said = "no sweep has begun there, or one of an earlier version"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
    raise SweepError(f"{folder.path} has no {FILE} that can be read ({said}); run the sweep's command again")


def count(asked: Asked, rows: Sequence[dict]) -> str:
    """Say how many points are done, have failed, and are still to come."""
    states = dict.fromkeys(asked.points, "to come") | {row["point"]: row["status"] for row in rows}
    done = sum(state == "done" for state in states.values())
    coming = sum(state == "to come" for state in states.values())
    failed = len(states) - done - coming
    told = [f"{done:,} of {len(states):,} points are done"]
    told += [f"{failed:,} failed"] if failed else []
    told += [f"{coming:,} have not run"] if coming else []
    return ", ".join(told)


def rows(asked: Asked, folder: Folder, known: Mapping[str, dict] | None = None) -> list[dict]:
    """Return the rows of the points that were asked for, then the other ones of the same code that are done.

    Args:
        known: rows of the points by name, where they are at hand.
    """
    found = {row["point"]: row for row in folder.rows()} | dict(known or {})
    wanted = [found.pop(name) for name in asked.points if name in found]
    code = (asked.digest, asked.package)
    return wanted + [r for r in found.values() if r["status"] == "done" and (r["notebook"], r["package"]) == code]
