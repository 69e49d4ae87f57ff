"""Show what became of the post's claims, and where its physics works, from two lists and the recorded studies alone.

:func:`write` makes the page "Scoreboard" and the cards of the introduction where a book is staged, from
``book/claims.yml`` and ``book/works.yml``.
``python -m book.tools.claims [--check]`` writes the block between the two marks in the README, or only compares it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx_external_toc.parsing import parse_toc_yaml

from book.tools import cards, fingerprint, front
from book.tools.project import HERE, BookError, Project, read_yaml
from physnn.lab.running import command, files

if TYPE_CHECKING:  # it brings torch, which an unchanged book can do without
    from physnn.lab.records.verdicts import Judgement

PAGE = "book/scoreboard"
BEGIN, END = "<!-- scoreboard: written by `make scoreboard` -->", "<!-- end of the scoreboard -->"


@dataclass(frozen=True)
class Claim:
    """One claim of the post, as ``book/claims.yml`` has it."""

    number: int
    section: str
    quote: list[str]
    test: str
    rule: dict[str, Any] | None = None
    says: dict[str, str] = field(default_factory=dict)
    decided: dict[str, str] | None = None
    note: str = ""
    see: dict[str, str] | None = None
    errata: list[dict[str, str]] = field(default_factory=list)
    front: dict[str, str] | None = None

    @property
    def name(self) -> str:
        """The claim in a line: its table row, or the words that open it."""
        return self.quote[0]

    @property
    def heading(self) -> str:
        return self.section if self.section in cards.SECTIONS else ""


@dataclass(frozen=True)
class Work:
    """A place where the physics works, if it does, as ``book/works.yml`` has it."""

    name: str
    test: str
    rule: dict[str, Any]
    says: dict[str, str]
    decided: dict[str, str]
    short: str = ""
    front: dict[str, str] | None = None


@dataclass(frozen=True)
class Board:
    """All claims with their verdicts, the pages that can be linked to, and where the physics works."""

    claims: list[Claim]
    judgements: dict[int, Judgement]
    pages: list[str]
    results: Path
    works: list[tuple[Work, Judgement]] = field(default_factory=list)

    def of(self, *verdicts: str) -> list[Claim]:
        return [claim for claim in self.claims if self.judgements[claim.number].verdict in verdicts]


def read(path: Path) -> list[Claim]:
    """Read the claims.

    Raises:
        BookError: a claim has an unknown key or lacks one, or its rule lacks what it has to say.
    """
    claims = []
    for row in read_yaml(path):
        try:
            claim = Claim(**row)
        except TypeError as error:
            raise BookError(f"{path.name}, claim {row.get('number')}: {error}") from None
        if any(set(each) != {"was", "why"} for each in claim.errata):
            raise BookError(f"{path.name}, claim {claim.number}: an erratum has `was` and `why`, got {claim.errata}")
        _check_rule(claim, f"{path.name}, claim {claim.number}")
        claims.append(claim)
    return claims


def read_works(path: Path) -> list[Work]:
    """Read where the physics works; nothing where there is no such file.

    Raises:
        BookError: as of :func:`read`.
    """
    works = []
    for row in read_yaml(path) if path.exists() else ():
        try:
            work = Work(**row)
        except TypeError as error:
            raise BookError(f"{path.name}, {row.get('name')}: {error}") from None
        _check_rule(work, f"{path.name}, {work.name}")
        works.append(work)
    return works


def _check_rule(claim: Claim | Work, where: str) -> None:
    if rule := claim.rule:
        can = {verdict for verdict in cards.JUDGED if rule.get(verdict)}
        if not rule.get("written") or can - set(claim.says) or not claim.decided:
            needed = f"`written` (when), `says` for {', '.join(sorted(can))}, and `decided`"
            raise BookError(f"{where}: a rule needs {needed}")
        if "repair" in rule and set(rule["repair"]) != {"when", "found", "missing"}:
            raise BookError(f"{where}: a repair has `when`, `found` and `missing`")
    if claim.front and set(claim.front) != {"number", "text"}:
        raise BookError(f"{where}: a front has `number` and `text`")


def board(root: Path = HERE) -> Board:
    """Judge the claims of a checkout by the studies recorded in it.

    Raises:
        BookError: a rule does not fit the studies.
    """
    from physnn.lab.records.verdicts import judge

    def judged(claim: Claim | Work, where: str) -> Judgement:
        try:
            return judge(claim.rule, results)
        except (KeyError, ValueError) as error:
            raise BookError(f"{where}: {error}") from error

    claims, results = read(root / "book" / "claims.yml"), root / "results"
    judgements = {claim.number: judged(claim, f"book/claims.yml, claim {claim.number}") for claim in claims}
    works = [(each, judged(each, f"book/works.yml, {each.name}")) for each in read_works(root / "book" / "works.yml")]
    return Board(claims, judgements, list(parse_toc_yaml(root / "_toc.yml")), results, works)


def write(project: Project, folder: Path) -> None:
    """Write the pages made from the claims into the folder Sphinx reads; make them only if something changed."""
    made = project.out / "scoreboard"
    kept = made / fingerprint.scoreboard(project)
    if not kept.exists():
        shutil.rmtree(made, ignore_errors=True)
        partial = made / "partial"
        partial.mkdir(parents=True)
        judged = board(project.root)
        pages = {
            "answer": front.answer,
            "claims-digest": cards.digest,
            "scoreboard": cards.scoreboard,
            "works": cards.works,
        }
        for name, page in pages.items():
            (partial / f"{name}.md").write_text(page(judged), encoding="utf-8")
        from book.figures import verdicts  # brings matplotlib

        (partial / front.FIGURE).write_text(verdicts.draw(judged), encoding="utf-8")
        partial.rename(kept)
    for page in kept.iterdir():
        shutil.copy2(page, folder / "book" / page.name)


def with_block(text: str, block: str) -> str:
    """Return the README's text with the block between its marks.

    Raises:
        BookError: the marks are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise BookError(f"README.md needs the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def main(arguments: Iterable[str] | None = None) -> int:
    """Write the README's block, or with ``--check`` only compare it; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the scoreboard's block in the README.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the block is stale")
    parser.add_argument("--root", type=Path, default=HERE, help="the checkout")
    options = parser.parse_args(arguments)
    return command.run("make scoreboard", lambda: _main(options.root, options.check), "the README is as it was")


def _main(root: Path, check: bool) -> int:
    path = root / "README.md"
    try:
        old = path.read_text(encoding="utf-8")
        new = with_block(old, cards.readme(board(root)))
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    if new == old:
        return 0
    if check:
        print("the README's scoreboard does not follow from the records: run `make scoreboard`", file=sys.stderr)
        return 1
    files.write(path, new)
    print("wrote the scoreboard in README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
