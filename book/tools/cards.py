"""What a claim's card, the page of all claims, the introduction and the README's block say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from book.tools.project import read_yaml

if TYPE_CHECKING:  # it brings torch, which an unchanged book can do without
    from book.tools.claims import Board, Claim, Work
    from physnn.lab.records.effects import Effect
    from physnn.lab.records.verdicts import Judgement

JUDGED, UNDECIDED = ("holds", "part", "fails", "untestable"), "undecided"
BADGES = {
    "holds": "Holds",
    "part": "Holds in part",
    "fails": "Fails",
    "untestable": "Not testable as stated",
    UNDECIDED: "Undecided",
}
WORKING = {"holds": "Works", "part": "Works in part", "fails": "Does not work", UNDECIDED: "Undecided"}
LOOKS = {"holds": "holds", "part": "mixed", "fails": "fails", "untestable": "mixed", UNDECIDED: "open"}
FILTERS = ":::{div} claim-filters\n:::"  # where book/static/claims.js puts its buttons
SECTIONS = {  # the post's heading, what the page calls it, and a sentence about it
    "Experimental Results": (
        "Its table of results",
        "The first number of each row is the post's “Experimental NN”, the second its “Traditional NN”.",
    ),
    "Potential Benefits": ("Its potential benefits", ""),
    "Challenges": ("Its challenges", "The post names them itself, in fairness to it."),
    "Research Questions": (
        "Its research questions",
        "Each question is read as the claim that its title suggests, and holds where the measurements say yes.",
    ),
    "": ("What it says in passing", "Statements about the parts, from the text between its formulas."),
}


def value(how: Mapping[str, Any], effect: Effect) -> str:
    """Write an effect: its mean and interval, or how many of how many; of times that runs did not live to, a bound."""
    from physnn.lab.records.effects import MEASURES
    from physnn.lab.statistics.stats import written_number

    mean, n = effect.interval.mean, effect.interval.n
    if MEASURES[how.get("measure", "final")].events and effect.pair is None:
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
        "the mean of paired differences ({mod}`physnn.lab.statistics.stats`); [](../notebooks/evidence.ipynb) says how "
        "far they hold.",
    ]
    parts.append(FILTERS)
    for heading, (title, about) in SECTIONS.items():
        parts += [f"## {title}", about]
        parts += [card(board, claim) for claim in board.claims if claim.heading == heading]
    if board.works:
        about = (
            "The same physics in places it was made for, by rules like those above. A statement stands here whether it "
        )
        parts += ["## Where the physics works", about + "came out or not."]
        parts += [_worked(board, work, judgement, True) for work, judgement in board.works]
    parts += _errata(board)
    return "\n\n".join(filter(None, parts)) + "\n"


def card(board: Board, claim: Claim) -> str:
    """Return a claim's card: quotation, verdict, effects, test and rule."""
    judgement = board.judgements[claim.number]
    opening, *sentences = claim.quote
    quotation = f"{opening}{':' if sentences else ''} {' '.join(sentences)}".strip()
    lines = [
        f"(claim-{claim.number})=",
        f"::::{{admonition}} Claim {claim.number} · “{quotation}”",
        f":class: {_classes(claim, judgement)}",
        f"{_badge(judgement)} {_finding(board, claim, judgement)}",
    ]
    if judgement.effects:
        named = claim.rule["effects"]
        effects = [f"- {named[name]['label']}: {value(named[name], e)}" for name, e in judgement.effects.items()]
        lines += ["", *effects]
    if judgement.repaired is not None:
        repair = claim.rule["repair"]
        lines += ["", f"*Repair.* {repair['found' if judgement.repaired else 'missing'].strip()}"]
    rule = _rule(claim, _sample(board, judgement, claim)) if claim.rule else ""
    return "\n".join([*lines, *_folded(claim.test, rule), "::::"])


def _folded(test: str, rule: str) -> list[str]:
    """Return the lines of a fold with the test and, if there is one, the rule; on paper it is open."""
    what = "The test and the rule" if rule else "The test"
    return ["", f":::{{dropdown}} {what}", *filter(None, [f"*Test.* {test.strip()}", rule and f"\n{rule}"]), ":::"]


def _classes(claim: Claim, judgement: Judgement) -> str:
    """Return a card's classes: its look, and what the filters tell it by."""
    part = SECTIONS[claim.heading][0].removeprefix("Its ").lower().replace(" ", "-")
    return f"claim {LOOKS[judgement.verdict]} verdict-{judgement.verdict} part-{part}"


def digest(board: Board) -> str:
    """Return what the introduction shows: the decided claims as short cards, and the names of the others."""
    parts = [f"{_counts(board)}. [](scoreboard.md) has each with its test, its rule and its numbers.", FILTERS]
    for claim in board.of(*JUDGED):
        judgement = board.judgements[claim.number]
        parts.append(
            f":::{{admonition}} {{ref}}`Claim {claim.number} <claim-{claim.number}>` · “{claim.name}”\n"
            f":class: {_classes(claim, judgement)}\n"
            f"{_badge(judgement)} {_finding(board, claim, judgement)}\n\n{_headline(claim, judgement)}."
            f"{_sample(board, judgement, claim, shown=True)}\n:::"
        )
    measured = [claim for claim in board.of(UNDECIDED) if board.judgements[claim.number].effects]
    if measured:
        names = ", ".join(map(_linked, measured))
        parts.append(f"**Measured, and neither way:** {names}.")
    if partly := [claim for claim in board.of(UNDECIDED) if _in_part(board, claim)]:
        parts.append(f"**Answered in part:** {', '.join(map(_linked, partly))}.")
    waiting = [claim for claim in board.of(UNDECIDED) if claim not in [*measured, *partly]]
    for heading, (title, _) in SECTIONS.items():
        if names := ", ".join(_linked(claim) for claim in waiting if claim.heading == heading and heading):
            parts.append(f"**Not yet measured, of {title[0].lower()}{title[1:]}:** {names}.")
    return "\n\n".join(parts) + "\n"


def works(board: Board) -> str:
    """Return what the introduction shows of where the physics works, as short cards."""
    return "\n\n".join(_worked(board, work, judgement, False) for work, judgement in board.works) + "\n"


def _worked(board: Board, work: Work, judgement: Judgement, whole: bool) -> str:
    """Return the card of a place where the physics works, or does not: with its test and rule, or without."""
    lines = [
        f"::::{{admonition}} {work.name}",
        f":class: claim {LOOKS[judgement.verdict]}",
        f"**{WORKING[judgement.verdict]}** {_finding(board, work, judgement)}",
    ]
    if not whole:
        shown = (
            f"{_headline(work, judgement)}.{_sample(board, judgement, work, shown=True)}" if judgement.effects else ""
        )
        return "\n".join([*lines, "", shown, "::::"])
    named = work.rule["effects"]
    lines += [
        "",
        *(f"- {named[name]['label']}: {value(named[name], each)}" for name, each in judgement.effects.items()),
    ]
    lines += _folded(work.test, _rule(work, _sample(board, judgement, work), WORKING))
    return "\n".join([*lines, "::::"])


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
    if board.works:
        lines += [
            "",
            "The same physics in places it was made for:",
            "",
            "| The statement | Verdict | Measured |",
            "|---|---|---|",
        ]
    for work, judgement in board.works:
        told = (
            f"{_headline(work, judgement)}.{_sample(board, judgement, work, shown=True)}" if judgement.effects else ""
        )
        lines.append(f"| {work.name} | {WORKING[judgement.verdict]} | {told} |")
    return "\n".join(lines)


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


def _finding(board: Board, claim: Claim | Work, judgement: Judgement) -> str:
    said = claim.says.get(judgement.verdict, "").strip() if judgement.effects else ""
    note, see = getattr(claim, "note", ""), getattr(claim, "see", None)
    if judgement.verdict == UNDECIDED:
        reason = "answered in part" if see and not judgement.effects else judgement.reason
        said = " ".join(filter(None, [f"{reason.capitalize()}.", said or note.strip()]))
    place = claim.decided if judgement.effects else see
    return f"{said} {_place(board, place, judgement.verdict)}".strip()


def _in_part(board: Board, claim: Claim) -> bool:
    """Tell whether nothing decides a claim, and a chapter says something of it."""
    judgement = board.judgements[claim.number]
    return judgement.verdict == UNDECIDED and not judgement.effects and bool(claim.see)


def _place(board: Board, place: Mapping[str, str] | None, verdict: str) -> str:
    if not place or place["page"] not in board.pages:
        return ""
    kind = "eq" if place.get("label", "").startswith("eq-") else "numref"
    label = f", {{{kind}}}`{place['label']}`" if "label" in place else ""
    return f"{'See' if verdict == UNDECIDED else 'Decided in'} [](../{place['page']}.ipynb){label}."


def _headline(claim: Claim | Work, judgement: Judgement) -> str:
    shown = claim.rule.get("headline") or claim.rule["effects"]
    named = claim.rule["effects"]
    told = "; ".join(f"{named[name]['label']}: {value(named[name], judgement.effects[name])}" for name in shown)
    return told[0].upper() + told[1:]


def _linked(claim: Claim) -> str:
    return f"“{claim.name}” ({{ref}}`{claim.number} <claim-{claim.number}>`)"


def _rule(claim: Claim | Work, sample: str, badges: Mapping[str, str] = BADGES) -> str:
    named = claim.rule["effects"]

    def told(condition: str) -> str:
        name, relation, bound = condition.split()
        words = {"covers": "contains", "within": "is within ±", "atleast": "is at least", "atmost": "is at most"}
        relation = words.get(relation, f"is {relation}")
        return f"“{named[name]['label']}” {relation} {bound}".replace("± ", "±")

    def all_ways(texts: list) -> str:
        several = [texts] if all(isinstance(text, str) for text in texts) else texts
        return ", or where ".join(" and ".join(map(told, needed)) for needed in several)

    verdicts = [f"{badges[v].lower()} where {all_ways(claim.rule[v])}" for v in JUDGED[:3] if claim.rule.get(v)]
    verdicts = verdicts or ["none, as the post leaves open what decides"]
    if "repair" in claim.rule:
        verdicts.append(f"repaired where {all_ways(claim.rule['repair']['when'])}")
    return f"*Rule,* written {_when(claim)}: {'; '.join(verdicts)}.{sample}"


def _when(claim: Claim | Work) -> str:
    """Say when the rule was written: ``before`` or ``after``, or in the claim's own words."""
    written = claim.rule["written"]
    return f"{written} its numbers were seen" if written in ("before", "after") else written.strip()


def _sample(board: Board, judgement: Judgement, claim: Claim | Work, shown: bool = False) -> str:
    """Say over what the effects are means: all of them, or those of the headline."""
    from physnn.lab.records.effects import MEASURES

    counts, headline = {}, claim.rule.get("headline")
    for name, effect in judgement.effects.items():
        how = claim.rule["effects"][name]
        if shown and headline and name not in headline:
            continue
        if "study" in how:
            unit = MEASURES[how.get("measure", "final")].counts
            if unit == "settings" and "trials" in read_yaml(board.results / how["study"] / "design.yml")["tuning"]:
                unit = "trials"
            counts.setdefault((how["study"], unit), set()).add(effect.interval.n)
    told = [
        f"n = {' to '.join(map(str, sorted({min(n), max(n)})))} {unit} (study `{study}`)"
        for (study, unit), n in counts.items()
    ]
    return f" {', '.join(told)}." if told else ""
