"""Ratios of times, measured side by side in one process, on one device."""

import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

CONFIDENCE = 0.95
LEAST = 6  # rounds: of fewer, not even the extremes hold the median with this confidence
CPU = torch.device("cpu")
TICK = 2e-3  # seconds between two readings of a clock, at least


@dataclass
class Row:
    """One line of the table: ``name`` takes ``ratio`` times as long as ``against``.

    ``low`` to ``high`` is the interval of :func:`median`, around ``ratio``. ``bytes`` is how many times as many
    bytes it has to move.
    """

    name: str
    against: str
    ratio: float | None
    low: float | None = None
    high: float | None = None
    must: str = ""
    aim: str = ""
    note: str = ""
    unit: str = "x"
    bytes: float | None = None


@dataclass(frozen=True)
class Bench:
    """Where and how long to measure: on the processor, or with the rows of a GPU on ``device``.

    ``quick`` leaves a fiftieth of the time to each row, and shrinks what is largest: to see whether all of it runs.
    """

    device: torch.device = CPU
    gpu: bool = False
    quick: bool = False

    @classmethod
    def on(cls, kind: str, quick: bool = False) -> "Bench":
        """Return the bench for ``"cpu"`` or ``"cuda"``; PHYSNN_CUDA_AS=cpu lets the processor stand in for the GPU.

        Raises:
            RuntimeError: there is no GPU.
        """
        gpu = kind == "cuda"
        device = torch.device(os.environ.get("PHYSNN_CUDA_AS", kind) if gpu else kind)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("torch sees no GPU here; PHYSNN_CUDA_AS=cpu tries the rows of a GPU on the processor")
        return cls(device, gpu, quick)

    def time(self, run: Callable[[], object], calls: int) -> float:
        """Return the seconds that ``calls`` of ``run`` take.

        On a processor those of this process, which other programs lengthen little. On a GPU those from one event to
        another, launches and waiting included.
        """
        if self.device.type == "cpu":
            start = time.process_time()
            for _ in range(calls):
                run()
            return time.process_time() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        for _ in range(calls):
            run()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1e3

    def compare(
        self,
        subjects: dict[str, Callable[[], object]],
        against: str,
        *,
        seconds: float = 6.0,
        must: dict[str, str] | None = None,
        aim: dict[str, str] | None = None,
        title: str = "",
    ) -> list[Row]:
        """Time ``subjects`` in turns for about ``seconds``; return the ratio of each to the one named ``against``.

        Every round runs all of them, so that a slow moment of the machine hits none alone, and gives one ratio of
        each. What counts is their :func:`median`. A subject that fails is left out, and its row says why.
        """
        runs, calls, notes = {}, {}, {}
        for name, run in subjects.items():
            taken, notes[name] = self._try(run)
            if taken is not None:
                runs[name], calls[name] = run, max(1, int(TICK / max(taken, 1e-7)))
            elif name == against:
                raise RuntimeError(f"{name}, which the others are held against, {notes[name]}")
        times: dict[str, list[float]] = {name: [] for name in runs}
        end = time.perf_counter() + seconds / (50 if self.quick else 1)
        while time.perf_counter() < end or len(times[against]) < LEAST:
            for name, run in runs.items():
                times[name].append(self.time(run, calls[name]) / calls[name])
        rows = []
        for name in subjects:
            if name == against:
                continue
            row = Row(title + name, against, None, must=(must or {}).get(name, ""), aim=(aim or {}).get(name, ""))
            if name in times:
                ratios = [a / b for a, b in zip(times[name], times[against], strict=True)]
                row.low, row.ratio, row.high = median(ratios)
            row.note = notes[name]
            rows.append(row)
        return rows

    def _try(self, run: Callable[[], object]) -> tuple[float | None, str]:
        """Run once and once more; return the seconds of the second run, and the warnings; or None, and what failed."""
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                run()
                start = time.perf_counter()
                run()
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
            said = dict.fromkeys(str(warning.message).splitlines()[0] for warning in caught)
            return time.perf_counter() - start, "; ".join(said)
        except Exception as error:  # whatever it is, the other rows are worth having
            return None, f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def median(ratios: Sequence[float]) -> tuple[float, float, float]:
    """Return the median of the rounds' ratios between the ends of its 95 % interval: low, median, high.

    What disturbs a whole round, a slow clock say, cancels in its ratio; what hits one subject alone spoils the ratio
    of that round, and half of them may be spoilt before the median is. A ratio of minima is steady too, but each of
    its minima comes from a luckiest moment of its own, and no spread of rounds says how far such a ratio is off.

    The interval is that of the sign test, from the k-th smallest ratio to the k-th largest, with the largest k for
    which a binomial variable of n trials and chance 1/2 is below k with a probability of at most 2.5 %. It holds for
    rounds of any law that are independent; a disturbance that lasts over many makes it too narrow. It is of this run:
    the next one, with its memory laid out in another way, may differ by more.

    Raises:
        ValueError: fewer than 6 ratios have no such interval.
    """
    n, ordered = len(ratios), sorted(ratios)
    if n < LEAST:
        raise ValueError(f"an interval of {CONFIDENCE:.0%} needs {LEAST} rounds or more, got {n}")
    k, below = 0, 0.5**n
    while below <= (1 - CONFIDENCE) / 2:
        k += 1
        below += math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))
    return ordered[k - 1], (ordered[(n - 1) // 2] + ordered[n // 2]) / 2, ordered[n - k]
