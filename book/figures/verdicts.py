"""Draw the figure of the first screen: what was claimed, what was measured, and what works.

It is drawn from the judgements where a book is staged (:func:`book.tools.claims.write`), and so is in no commit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from book.tools import cards
from physnn.lab.figures import plots
from physnn.lab.figures.style import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from book.tools.claims import Board, Claim
    from physnn.lab.records.verdicts import Judgement

WIDTH = 4.7  # inches: on a phone of 390 px its letters are as large as those of a caption
LETTER = 0.021  # of a word below the bar, in widths of the bar
ROLES = {"holds": "corrected", "mixed": "theory", "fails": "proposal", "open": "muted"}  # of a card's look
WORDS = {"holds": "hold", "part": "in part", "fails": "fail", "untestable": "not testable", cards.UNDECIDED: "open"}
WORKING = {"holds": "works", "part": "in part", "fails": "does not work", cards.UNDECIDED: "undecided"}


def draw(board: Board) -> str:
    """Return the figure as an SVG that follows the reader's light or dark page."""
    plots.style()
    front = fronted(board)
    heights = [0.85 if front else 0, 0.42, 0.21 * max(len(board.works), 1)]
    shown = [height > 0 for height in heights]
    size = (WIDTH, 1.15 + sum(heights) + 0.35 * sum(shown))
    fig, axes = plt.subplots(sum(shown), figsize=size, height_ratios=[h for h in heights if h])
    axes = list(axes)
    if front:
        _accuracy(axes.pop(0), board, front)
    _counts(axes.pop(0), board)
    _works(axes.pop(0), board)
    drawn = svg(fig)
    plt.close(fig)
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def fronted(board: Board) -> Claim | None:
    """Return the claim whose numbers stand on the first screen: a row of the post's table with two of its own."""
    for claim in board.claims:
        if claim.front and board.judgements[claim.number].effects and len(_claimed(claim)) == 2:
            return claim
    return None


def caption(board: Board) -> str:
    """Return the caption, its finding first."""
    holds, fails, n = len(board.of("holds")), len(board.of("fails")), len(board.claims)
    text = f"Of the post's {n} claims and questions {holds} hold{'s' * (holds == 1)}"
    text += f", and {fails} fail{'s' * (fails == 1)}."
    if board.works:
        counted = {verdict: sum(each.verdict == verdict for _, each in board.works) for verdict in ("holds", "part")}
        text += f" Of {len(board.works)} places that the same physics was made for, it works in {counted['holds']}"
        waiting = sum(not each.effects for _, each in board.works)
        text += f", and in part in {counted['part']} more" if counted["part"] else ""
        text += f"; {waiting} {'is' if waiting == 1 else 'are'} not yet measured." if waiting else "."
    if fronted(board):
        text += " Above, what the post claims of the accuracy on MNIST, and what was measured, with 95 % intervals"
        text += ": its network (vermillion) and a plain one (blue)."
    return text + " The [scoreboard](scoreboard.md) has all of it."


def alt(board: Board) -> str:
    """Return what the figure shows, in words for those who do not see it."""
    counted = ", ".join(f"{n} {WORDS[verdict]}" for verdict, n in _counted(board))
    parts = [f"A bar of the {len(board.claims)} claims: {counted}."]
    if claim := fronted(board):
        claimed, measured = _claimed(claim), _measured(board, claim)
        told = [f"{own:.1f} against {plain:.1f} percent" for own, plain in (claimed, measured)]
        parts.insert(
            0, f"Test accuracy of the post's network and of a plain one, claimed {told[0]}, measured {told[1]}."
        )
    if board.works:
        parts.append("Below, places with what came of them:")
        parts.append("; ".join(f"{work.short or work.name} – {_came(each)}" for work, each in board.works) + ".")
    return " ".join(parts)


def _claimed(claim: Claim) -> list[float]:
    return [float(number) for number in re.findall(r"\| *([\d.]+)%", claim.name)]


def _compared(claim: Claim) -> list[str]:
    """Return the names of the effects in the number of the first screen: the post's network's, and the plain one's."""
    return re.findall(r"\{([\w-]+)\}", claim.front["number"])


def _measured(board: Board, claim: Claim) -> list[float]:
    effects = board.judgements[claim.number].effects
    return [effects[name].interval.mean for name in _compared(claim)]


def _counted(board: Board) -> list[tuple[str, int]]:
    return [(verdict, n) for verdict in WORDS if (n := len(board.of(verdict)))]


def _came(judgement: Judgement) -> str:
    return WORKING[judgement.verdict] if judgement.effects else judgement.reason


def _color(verdict: str) -> str:
    return plots.COLORS[ROLES[cards.LOOKS[verdict]]]


def _accuracy(ax: Axes, board: Board, claim: Claim) -> None:
    claimed, measured = _claimed(claim), _measured(board, claim)
    low, high = min(*claimed, *measured), max(*claimed, *measured)
    room = high - low
    kinds = zip(("proposal", "baseline"), ("the post's network", "a plain one"), claimed, _compared(claim), strict=True)
    for role, kind, said, name in kinds:
        color, interval = plots.COLORS[role], board.judgements[claim.number].effects[name].interval
        look = {"color": color, "markersize": 8, "markeredgewidth": 2}
        ax.plot(said, 1, "o", **look, markerfacecolor=plots.COLORS["paper"])
        ax.hlines(0, interval.low, interval.high, color=color)
        ax.plot(interval.mean, 0, "o", **look)
        near = {"textcoords": "offset points", "ha": "center", "color": color}
        ax.annotate(f"{said:.0f} %", (said, 1), (0, 8), **near)
        ax.annotate(f"{interval.mean:.1f} %", (interval.mean, 0), (0, 8), **near)
        ax.annotate(kind, (interval.mean, 0), (0, -8), va="top", **near)
    left = low - 0.55 * room
    ax.set(xlim=(left, high + 0.18 * room), ylim=(-0.75, 1.7), xticks=[], yticks=[])
    for y, row in enumerate(("measured", "claimed")):
        ax.text(left, y, row, va="center")
        ax.hlines(y, low - 0.1 * room, high + 0.18 * room, color=plots.COLORS["grid"], linewidth=0.8, zorder=0)
    ax.set_title(claim.name.partition("|")[0].strip())
    ax.spines[:].set_visible(False)


def _counts(ax: Axes, board: Board) -> None:
    n, left, free = len(board.claims), 0, 0.0
    for verdict, count in _counted(board):
        color, word = _color(verdict), WORDS[verdict]
        ax.barh(0, count, left=left, height=1, color=color, edgecolor=plots.COLORS["paper"], linewidth=1.5)
        ax.text(left + count / 2, 0, str(count), color=plots.COLORS["paper"], ha="center", va="center", weight="bold")
        last = left > 0 and left + count == n
        free = max(left, free)
        ax.text(n if last else free, -0.72, word, color=color, ha="right" if last else "left", va="top")
        left, free = left + count, free + n * LETTER * (len(word) + 2)
    ax.set(xlim=(0, n), ylim=(-1.6, 0.5))
    ax.set_title(f"Its {n} claims and questions")
    ax.axis("off")


def _works(ax: Axes, board: Board) -> None:
    for row, (work, judgement) in enumerate(board.works):
        color = _color(judgement.verdict)
        ax.plot(0.015, -row, "s" if judgement.verdict == cards.UNDECIDED else "o", color=color, markersize=7)
        ax.text(0.05, -row, work.short or work.name, ha="left", va="center")
        ax.text(1, -row, _came(judgement), color=color, ha="right", va="center")
    ax.set(xlim=(0, 1), ylim=(-len(board.works) + 0.4, 0.6))
    ax.set_title("Where the same physics belongs" if board.works else "")
    ax.axis("off")
