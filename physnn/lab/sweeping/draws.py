"""Distributions that a parameter of a sweep is drawn from."""

import math
import random
from dataclasses import dataclass

FLOATS = 1e6  # fewer than these between the ends, and draws would fall on each other


@dataclass(frozen=True)
class Distribution:
    """``uniform(a, b)``, ``log(a, b)`` (uniform in the logarithm), ``integers(a, b)`` (b not) or ``choice(...)``."""

    kind: str
    arguments: tuple

    def draw(self, generator: random.Random) -> object:
        """Draw one value; a real number has few digits, so that it can be read and typed again."""
        if self.kind == "choice":
            return generator.choice(self.arguments)
        low, high = self.arguments
        if self.kind == "integers":
            return generator.randrange(low, high)
        if self.kind == "log":
            value = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            value = generator.uniform(low, high)
        return self.short(value)

    def short(self, value: float) -> float:
        """Return a real number near a drawn one with six digits, or a millionth of the width where that is finer."""
        low, high = self.arguments
        width = high - low
        size = math.floor(math.log10(abs(value) or width)) - math.floor(math.log10(width))
        digits = 6 if size < 2 else min(size + 7, 17)
        return min(max(float(f"{value:.{digits}g}"), low), high)

    def constant(self) -> bool:
        """Tell whether every draw would be the same."""
        if self.kind == "choice":
            return len({repr(value) for value in self.arguments}) == 1
        return self.kind == "integers" and self.arguments[1] - self.arguments[0] == 1

    def narrow(self) -> bool:
        """Tell whether too few floats lie between the ends, or the width is none that a float can hold."""
        if self.kind not in {"uniform", "log"}:
            return False
        ends = [self.arguments]
        if self.kind == "log":
            ends.append((math.log(self.arguments[0]), math.log(self.arguments[1])))
        floats = [(high - low) / math.ulp(max(abs(low), abs(high))) for low, high in ends]
        return not FLOATS <= min(floats) < math.inf
