"""The first screen of the book, made from the judgements: three facts, one figure, and when it was last measured."""

from __future__ import annotations

import datetime
import json
from typing import TYPE_CHECKING

from book.tools import cards

if TYPE_CHECKING:
    from book.tools.claims import Board, Claim, Work
    from physnn.lab.records.verdicts import Judgement

FIGURE = "verdicts.svg"
AUTHORS = "By the authors of [physnn](https://github.com/physnn/physnn)."
STANDING = ("holds", "part")


def answer(board: Board) -> str:
    """Return the first screen: what holds, what was measured, what works, and the figure that shows all three."""
    from book.figures import verdicts  # brings matplotlib

    facts = filter(None, [_counted(board), _measured(board), _working(board)])
    parts = [":::{div} facts", *(f"- **{number}** {text}" for number, text in facts), ":::", ""]
    figure = [f"```{{figure}} {FIGURE}", ":name: fig-verdicts", f":alt: {verdicts.alt(board)}", ""]
    parts += [*figure, verdicts.caption(board), "```"]
    if date := measured(board):
        parts += ["", ":::{div} byline", f"{AUTHORS} Last measured on {date}.", ":::"]
    return "\n".join(parts) + "\n"


def standing(board: Board) -> list[tuple[Work, Judgement]]:
    """Return where the physics works, at least in part."""
    return [(work, judgement) for work, judgement in board.works if judgement.verdict in STANDING]


def measured(board: Board) -> str:
    """Return the day of the youngest study that a verdict rests on, in words; nothing where none is recorded."""
    rules = [each.rule for each in [*board.claims, *(work for work, _ in board.works)] if each.rule]
    studies = {how["study"] for rule in rules for how in rule.get("effects", {}).values() if "study" in how}
    records = [board.results / study / "provenance.json" for study in studies]
    dates = [json.loads(path.read_text(encoding="utf-8")).get("date", "") for path in records if path.exists()]
    if not (latest := max(dates, default="")):
        return ""
    day = datetime.date.fromisoformat(latest)
    return f"{day.day} {day:%B %Y}"


def _counted(board: Board) -> tuple[str, str]:
    n, holds = len(board.claims), len(board.of("holds"))
    names = {
        "part": "{n} hold{s} in part",
        "fails": "{n} fail{s}",
        "untestable": "{n} {is_} not testable as stated",
        cards.UNDECIDED: "{n} {is_} undecided",
    }
    others = [
        told.format(n=count, s="s" if count == 1 else "", is_="is" if count == 1 else "are")
        for verdict, told in names.items()
        if (count := len(board.of(verdict)))
    ]
    text = f"claims and questions of the post {'holds as it stands' if holds == 1 else 'hold as they stand'}"
    others = [", ".join(others[:-1]) + " and " + others[-1]] if len(others) > 1 else others
    if holds > 1 and all(claim.section == "Challenges" for claim in board.of("holds")):
        text += f", {'both' if holds == 2 else 'all'} of them difficulties that it names itself"
    return f"{holds} of {n}", f"{text}; {others[0]}." if others else f"{text}."


def _measured(board: Board) -> tuple[str, str] | None:
    for claim in board.claims:
        judgement = board.judgements[claim.number]
        if claim.front and judgement.effects:
            return _filled(claim, judgement)
    return None


def _working(board: Board) -> tuple[str, str] | None:
    for work, judgement in standing(board):
        if work.front:
            return _filled(work, judgement)
    return None


def _filled(each: Claim | Work, judgement: Judgement) -> tuple[str, str]:
    """Return a fact's number and text, the effects of the rule in their places."""
    from physnn.lab.statistics.stats import written_number

    named = each.rule["effects"]
    means = {name: written_number(effect.interval.mean, ".1f") for name, effect in judgement.effects.items()}
    values = {name: cards.value(named[name], effect) for name, effect in judgement.effects.items()}
    n = judgement.effects[min(named, key=lambda name: each.front["number"].find(f"{{{name}}}") % 1000)].interval.n
    return each.front["number"].format(**means), each.front["text"].strip().format(n=n, **values)
