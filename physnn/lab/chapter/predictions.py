"""The predictions of a chapter, each with its verdict and with what was measured.

What was predicted stands in the chapter's text, numbered, and was committed before the results. The outcomes are
added under the same numbers and shown as one table::

    kept = Predictions("points of accuracy, unless said")
    kept.add(1, gap.low > 0, gap.format("+.2f"))
    kept.glue()
    kept.table()
"""

import re
from dataclasses import dataclass, field

import pandas as pd
from pandas.io.formats.style import Styler

from physnn.lab.chapter.naming import glue

VERDICTS = {True: "held", False: "failed", None: "open"}


@dataclass
class Predictions:
    """The outcomes of numbered predictions, in the order of their numbers.

    Args:
        unit: what the measured numbers are where they do not say so themselves; it heads their column.
    """

    unit: str = ""
    _rows: list[tuple[int, str, str]] = field(default_factory=list, init=False, repr=False)

    def add(self, number: int, held: bool | None, measured: str) -> None:
        """Say whether a prediction held, and what was measured; a hyphen before a digit becomes a minus sign.

        Args:
            held: None where the measurement cannot decide.

        Raises:
            ValueError: the number is not the next one.
        """
        if number != len(self._rows) + 1:
            raise ValueError(f"prediction {number} comes after {len(self._rows)}; add all, in order, each once")
        verdict = VERDICTS[None if held is None else bool(held)]
        self._rows.append((number, verdict, re.sub(r"-(?=\d)", "−", measured)))

    def numbers(self, verdict: str) -> str:
        """Return the numbers of the predictions that ``held``, ``failed`` or are ``open``, with commas, or "none"."""
        if verdict not in VERDICTS.values():
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS.values())}, got {verdict!r}")
        return ", ".join(str(number) for number, said, _ in self._rows if said == verdict) or "none"

    def glue(self) -> None:
        """Name the counts ``n-predictions`` and ``n-held``, and the numbers of those ``failed`` and ``open``."""
        glue("n-predictions", len(self._rows))
        glue("n-held", sum(verdict == "held" for _, verdict, _ in self._rows))
        for verdict in ("failed", "open"):
            glue(verdict, self.numbers(verdict))

    def table(self) -> Styler:
        """Return the table of numbers, verdicts and measurements as a notebook shows it."""
        columns = ["prediction", "verdict", f"measured ({self.unit})" if self.unit else "measured"]
        rows = pd.DataFrame(self._rows, columns=columns)
        return rows.style.hide(axis="index").set_properties(subset=columns[1:], **{"text-align": "left"})
