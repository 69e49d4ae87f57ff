"""Ratios of times, measured side by side in one process."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Row:
    """One line of the table: ``name`` takes ``ratio`` times as long as ``against``."""

    name: str
    against: str
    ratio: float | None
    low: float | None = None  # quartiles of the ratios of single rounds
    high: float | None = None
    must: str = ""
    aim: str = ""
    note: str = ""
    unit: str = "x"


def compare(
    subjects: dict[str, Callable[[], object]],
    against: str,
    *,
    seconds: float = 6.0,
    must: dict[str, str] | None = None,
    aim: dict[str, str] | None = None,
    title: str = "",
) -> list[Row]:
    """Time ``subjects`` in turns for about ``seconds``; return the ratio of each to the one named ``against``.

    Every round runs all of them, so that a slow moment of the machine hits none alone. What counts is the processor
    time of this process, which other programs lengthen little, and the minimum over the rounds, which they lengthen
    least. The spread is that of the ratios within the rounds.
    """
    calls = {}
    for name, run in subjects.items():
        run()
        start = time.perf_counter()
        run()
        # At least 2 ms between two readings of the clock.
        calls[name] = max(1, int(2e-3 / max(time.perf_counter() - start, 1e-7)))
    times: dict[str, list[float]] = {name: [] for name in subjects}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[against]) < 5:
        for name, run in subjects.items():
            start = time.process_time()
            for _ in range(calls[name]):
                run()
            times[name].append((time.process_time() - start) / calls[name])
    rows = []
    for name in subjects:
        if name == against:
            continue
        low, _, high = statistics.quantiles([a / b for a, b in zip(times[name], times[against], strict=True)], n=4)
        ratio = min(times[name]) / min(times[against])
        rows.append(
            Row(f"{title}{name}", against, ratio, low, high, (must or {}).get(name, ""), (aim or {}).get(name, ""))
        )
    return rows
