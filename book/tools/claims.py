"""Show what became of the post's claims, from ``book/claims.yml`` and the recorded studies alone.

:func:`write` makes the page "Scoreboard" and the cards of the introduction where a book is staged.
``python -m book.tools.claims [--check]`` writes the block between the two marks in the README, or only compares it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx_external_toc.parsing import parse_toc_yaml

from book.tools import fingerprint
from book.tools.project import HERE, BookError, Project, read_yaml
from physnn.lab.running import command, files

if TYPE_CHECKING:  # it brings torch, which an unchanged book can do without
    from physnn.lab.records.verdicts import Effect, Judgement

JUDGED, UNDECIDED = ("holds", "part", "fails", "untestable"), "undecided"
PAGE, DIGEST = "book/scoreboard", "book/claims-digest"
BEGIN, END = "<!-- scoreboard: written by `make scoreboard` -->", "<!-- end of the scoreboard -->"
BADGES = {
    "holds": "Holds",
    "part": "Holds in part",
    "fails": "Fails",
    "untestable": "Not testable as stated",
    UNDECIDED: "Undecided",
}
LOOKS = {"holds": "holds", "part": "mixed", "fails": "fails", "untestable": "mixed", UNDECIDED: "open"}
OF_SETTINGS = ("near-best", "diverged")  # measures over what was tried; the others are over seeds
SECTIONS = {  # the post's heading, what the page calls it, and a sentence about it
    "Experimental Results": (
        "Its table of results",
        "The first number of each row is the post's “Experimental NN”, the second its “Traditional NN”.",
    ),
    "Potential Benefits": ("Its potential benefits", ""),
    "Challenges": ("Its challenges", "The post names them itself, in fairness to it."),
    "Research Questions": ("Its research questions", "A question holds if its answer is yes."),
    "": ("What it says in passing", "Statements about the parts, from the text between its formulas."),
}


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

    @property
    def name(self) -> str:
        """The claim in a line: its table row, or the words that open it."""
        return self.quote[0]

    @property
    def heading(self) -> str:
        return self.section if self.section in SECTIONS else ""


@dataclass(frozen=True)
class Board:
    """All claims with their verdicts, and the pages that can be linked to."""

    claims: list[Claim]
    judgements: dict[int, Judgement]
    pages: list[str]
    results: Path

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
        if rule := claim.rule:
            can = {verdict for verdict in JUDGED if rule.get(verdict)}
            if not rule.get("written") or can - set(claim.says) or not claim.decided:
                raise BookError(
                    f"{path.name}, claim {claim.number}: a rule needs `written` (when), `says` for "
                    f"{', '.join(sorted(can))}, and `decided`"
                )
            if "repair" in rule and set(rule["repair"]) != {"when", "found", "missing"}:
                raise BookError(f"{path.name}, claim {claim.number}: a repair has `when`, `found` and `missing`")
        claims.append(claim)
    return claims


def board(root: Path = HERE) -> Board:
    """Judge the claims of a checkout by the studies recorded in it.

    Raises:
        BookError: a rule does not fit the studies.
    """
    from physnn.lab.records.verdicts import judge

    claims, results = read(root / "book" / "claims.yml"), root / "results"
    judgements = {}
    for claim in claims:
        try:
            judgements[claim.number] = judge(claim.rule, results)
        except (KeyError, ValueError) as error:
            raise BookError(f"book/claims.yml, claim {claim.number}: {error}") from error
    return Board(claims, judgements, list(parse_toc_yaml(root / "_toc.yml")), results)


def write(project: Project, folder: Path) -> None:
    """Write the pages made from the claims into the folder Sphinx reads; make them only if something changed."""
    made = project.out / "scoreboard"
    kept = made / fingerprint.scoreboard(project)
    if not kept.exists():
        shutil.rmtree(made, ignore_errors=True)
        partial = made / "partial"
        partial.mkdir(parents=True)
        judged = board(project.root)
        (partial / f"{Path(PAGE).name}.md").write_text(scoreboard(judged), encoding="utf-8")
        (partial / f"{Path(DIGEST).name}.md").write_text(digest(judged), encoding="utf-8")
        partial.rename(kept)
    for page in kept.iterdir():
        shutil.copy2(page, folder / "book" / page.name)


def value(how: Mapping[str, Any], effect: Effect) -> str:
    """Write an effect: its mean and interval, or how many of how many; of times that runs did not live to, a bound."""
    from physnn.lab.statistics.stats import written_number

    mean, n = effect.interval.mean, effect.interval.n
    if how.get("measure") in OF_SETTINGS and effect.pair is None:
        return f"{round(mean * n / 100)} of {n}"
    spec, unit = how.get("spec", ".2f"), f" {how['unit']}" if "unit" in how else ""
    written = (written_number(mean, spec) if n == 0 else effect.interval.format(spec)) + unit
    if not any(effect.censored):
        return written
    later, sooner = effect.censored
    side = "at least" if not sooner else "at most" if not later else "without a bound,"
    number = (
        written if later and sooner else written_number(effect.interval.low if later else effect.interval.high, spec)
    )
    lacking = f"{later + sooner} of {n * (1 if effect.pair is None else 2)} runs are not there at the end"
    return f"{side} {number}{'' if later and sooner else unit} ({lacking})"


def scoreboard(board: Board) -> str:
    """Return the page of all claims."""
    parts = [
        "# Scoreboard",
        "Every claim of the post {cite:p}`post2024`, in its own words, with the test that decides it and what came of "
        "it. The page is made from one list of claims and from the recorded studies when the book is built: no verdict "
        "is typed, and one that does not follow from the numbers by its rule cannot stand here.",
        f"{_counts(board)}.",
        "A claim **holds** if its rule is met as the post states it, and **holds in part** if a component of it is "
        "that its card names. It **fails** if the measurement goes the other way, and is **not testable as stated** "
        "where the post leaves open what would decide. Otherwise it is **undecided**: not yet measured, or measured "
        "and neither way. No two verdicts of a rule can be met at once. Apart from the verdict a card says whether a "
        "**repair** was found, a change that makes the statement true. Intervals are 95 % intervals of a mean, or of "
        "the mean of paired differences ({mod}`physnn.lab.statistics.stats`).",
    ]
    for heading, (title, about) in SECTIONS.items():
        parts += [f"## {title}", about]
        parts += [card(board, claim) for claim in board.claims if claim.heading == heading]
    parts += _errata(board)
    return "\n\n".join(filter(None, parts)) + "\n"


def card(board: Board, claim: Claim) -> str:
    """Return a claim's card: quotation, verdict, effects, test and rule."""
    judgement = board.judgements[claim.number]
    opening, *sentences = claim.quote
    quotation = f"{opening}{':' if sentences else ''} {' '.join(sentences)}".strip()
    lines = [
        f"(claim-{claim.number})=",
        f":::{{admonition}} Claim {claim.number} · “{quotation}”",
        f":class: claim {LOOKS[judgement.verdict]}",
        f"{_badge(judgement)} {_finding(board, claim, judgement)}",
    ]
    if judgement.effects:
        named = claim.rule["effects"]
        effects = [f"- {named[name]['label']}: {value(named[name], e)}" for name, e in judgement.effects.items()]
        lines += ["", *effects]
    if judgement.repaired is not None:
        repair = claim.rule["repair"]
        lines += ["", f"*Repair.* {repair['found' if judgement.repaired else 'missing'].strip()}"]
    lines += ["", f"*Test.* {claim.test.strip()}"]
    if claim.rule:
        lines += ["", _rule(claim, _sample(board, judgement, claim))]
    return "\n".join([*lines, ":::"])


def digest(board: Board) -> str:
    """Return what the introduction shows: the decided claims as short cards, and the names of the others."""
    parts = [f"{_counts(board)}. [](scoreboard.md) has each with its test, its rule and its numbers."]
    for claim in board.of(*JUDGED):
        judgement = board.judgements[claim.number]
        parts.append(
            f":::{{admonition}} {{ref}}`Claim {claim.number} <claim-{claim.number}>` · “{claim.name}”\n"
            f":class: claim {LOOKS[judgement.verdict]}\n"
            f"{_badge(judgement)} {_finding(board, claim, judgement)}\n\n{_headline(claim, judgement)}."
            f"{_sample(board, judgement, claim, shown=True)}\n:::"
        )
    measured = [claim for claim in board.of(UNDECIDED) if board.judgements[claim.number].effects]
    if measured:
        names = ", ".join(map(_linked, measured))
        parts.append(f"**Measured, and neither way:** {names}.")
    waiting = [claim for claim in board.of(UNDECIDED) if claim not in measured]
    for heading, (title, _) in SECTIONS.items():
        if names := ", ".join(_linked(claim) for claim in waiting if claim.heading == heading and heading):
            parts.append(f"**Not yet measured, of {title[0].lower()}{title[1:]}:** {names}.")
    return "\n\n".join(parts) + "\n"


def readme(board: Board) -> str:
    """Return the README's block, plain Markdown."""
    lines = [
        f"{_counts(board)}; the book's page “Scoreboard” has each with its test, its rule and its numbers.",
        "",
        "| The post says | Verdict | Measured: means and 95 % intervals |",
        "|---|---|---|",
    ]
    for claim in board.of(*JUDGED):
        judgement = board.judgements[claim.number]
        cells = [f"“{claim.name}”", _badge(judgement).strip("*"), _headline(claim, judgement)]
        cells[-1] += f".{_sample(board, judgement, claim, shown=True)}"
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines)


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


def _counts(board: Board) -> str:
    def count(verdict: str, one: str, several: str) -> str:
        n = len(board.of(verdict))
        return f"{n or 'none'} {several if n > 1 else one}"

    return (
        f"Of the post's {len(board.claims)} claims and questions, {count('holds', 'holds', 'hold')} as it stands, "
        f"{count('part', 'holds', 'hold')} in part, {count('fails', 'fails', 'fail')}, "
        f"{count('untestable', 'is', 'are')} not testable as stated, and {count(UNDECIDED, 'is', 'are')} undecided"
    ).replace("hold as it stands", "hold as they stand")


def _badge(judgement: Judgement) -> str:
    return f"**{BADGES[judgement.verdict]}**"


def _errata(board: Board) -> list[str]:
    """Return the section on verdicts that were others, each with what changed and why; nothing where there are none."""
    rows = [
        f"| {{ref}}`{claim.number} <claim-{claim.number}>` | {each['was']} | "
        f"{BADGES[board.judgements[claim.number].verdict]} | {each['why'].strip()} |"
        for claim in board.claims
        for each in claim.errata
    ]
    about = "Verdicts and rules that stood here before, and why they do not any more. A rule that was changed when its "
    about += "numbers were known says so here and on its card."
    return ["## Errata", about, "\n".join(["| Claim | Was | Is | Why |", "|---|---|---|---|", *rows])] if rows else []


def _finding(board: Board, claim: Claim, judgement: Judgement) -> str:
    said = claim.says.get(judgement.verdict, "").strip() if judgement.effects else ""
    if judgement.verdict == UNDECIDED:
        said = " ".join(filter(None, [f"{judgement.reason.capitalize()}.", said or claim.note.strip()]))
    place = claim.decided if judgement.effects else claim.see
    return f"{said} {_place(board, place, judgement.verdict)}".strip()


def _place(board: Board, place: Mapping[str, str] | None, verdict: str) -> str:
    if not place or place["page"] not in board.pages:
        return ""
    kind = "eq" if place.get("label", "").startswith("eq-") else "numref"
    label = f", {{{kind}}}`{place['label']}`" if "label" in place else ""
    return f"{'See' if verdict == UNDECIDED else 'Decided in'} [](../{place['page']}.ipynb){label}."


def _headline(claim: Claim, judgement: Judgement) -> str:
    shown = claim.rule.get("headline") or claim.rule["effects"]
    named = claim.rule["effects"]
    told = "; ".join(f"{named[name]['label']}: {value(named[name], judgement.effects[name])}" for name in shown)
    return told[0].upper() + told[1:]


def _linked(claim: Claim) -> str:
    return f"“{claim.name}” ({{ref}}`{claim.number} <claim-{claim.number}>`)"


def _rule(claim: Claim, sample: str) -> str:
    named = claim.rule["effects"]

    def told(condition: str) -> str:
        name, relation, bound = condition.split()
        words = {"covers": "contains", "within": "is within ±", "atleast": "is at least", "atmost": "is at most"}
        relation = words.get(relation, f"is {relation}")
        return f"“{named[name]['label']}” {relation} {bound}".replace("± ", "±")

    def all_ways(texts: list) -> str:
        several = [texts] if all(isinstance(text, str) for text in texts) else texts
        return ", or where ".join(" and ".join(map(told, needed)) for needed in several)

    verdicts = [f"{BADGES[v].lower()} where {all_ways(claim.rule[v])}" for v in JUDGED[:3] if claim.rule.get(v)]
    verdicts = verdicts or ["none, as the post leaves open what decides"]
    if "repair" in claim.rule:
        verdicts.append(f"repaired where {all_ways(claim.rule['repair']['when'])}")
    return f"*Rule,* written {_when(claim)}: {'; '.join(verdicts)}.{sample}"


def _when(claim: Claim) -> str:
    """Say when the rule was written: ``before`` or ``after``, or in the claim's own words."""
    written = claim.rule["written"]
    return f"{written} its numbers were seen" if written in ("before", "after") else written.strip()


def _sample(board: Board, judgement: Judgement, claim: Claim, shown: bool = False) -> str:
    """Say over what the effects are means: all of them, or those of the headline."""
    counts, headline = {}, claim.rule.get("headline")
    for name, effect in judgement.effects.items():
        how = claim.rule["effects"][name]
        if shown and headline and name not in headline:
            continue
        if "study" in how:
            trials = "trials" in read_yaml(board.results / how["study"] / "design.yml")["tuning"]
            unit = "seeds" if how.get("measure") not in OF_SETTINGS else "trials" if trials else "settings"
            counts.setdefault((how["study"], unit), set()).add(effect.interval.n)
    told = [
        f"n = {' to '.join(map(str, sorted({min(n), max(n)})))} {unit} (study `{study}`)"
        for (study, unit), n in counts.items()
    ]
    return f" {', '.join(told)}." if told else ""


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
        new = with_block(old, readme(board(root)))
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
