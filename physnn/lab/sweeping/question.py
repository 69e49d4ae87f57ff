"""What a sweep is run for: over which parameters it repeats, what it is compared with, which values are asked about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from physnn.lab.chapter.contract import Declaration, ParameterError
from physnn.lab.sweeping.notebook import SweepError, unknown
from physnn.lab.sweeping.values import cast


@dataclass(frozen=True)
class Question:
    """What the table and the page of a sweep answer.

    Attributes:
        replicates: parameters that only repeat a setting, such as a seed: means and intervals are over them.
        baseline: parameters and the values that a setting is compared with, paired over the replicates.
        values: the glued values that are asked about; all numbers where it is empty.
    """

    replicates: tuple[str, ...] = ()
    baseline: Mapping[str, object] = field(default_factory=dict)
    values: tuple[str, ...] = ()


def question(
    contract: Mapping[str, Declaration],
    replicates: Iterable[str] = (),
    baseline: Mapping[str, object] | Sequence[str] = (),
    values: Iterable[str] = (),
) -> Question:
    """Check a question against the parameters of a notebook.

    Args:
        baseline: a mapping, or texts such as ``"quartic=-5"``.

    Raises:
        SweepError: a name is unknown, a value is none that the parameter can have, or there is a baseline without
            replicates, or one that is a replicate itself.
    """
    replicates = tuple(dict.fromkeys(replicates))
    wanted = dict(baseline) if isinstance(baseline, Mapping) else dict(map(_pair, baseline))
    for name in (*replicates, *wanted):
        if name not in contract:
            raise SweepError(unknown(name, contract))
    if wanted and not replicates:
        raise SweepError(
            "--baseline pairs runs that differ in it alone, and needs to know what repeats them: add --replicates seed"
        )
    if both := [name for name in wanted if name in replicates]:
        raise SweepError(f"{', '.join(both)} cannot be both: what the runs repeat, and what they are compared by")
    try:
        point = {name: cast(value, contract[name]) for name, value in wanted.items()}
    except ParameterError as error:
        raise SweepError(f"--baseline: {error}") from error
    return Question(replicates, point, tuple(dict.fromkeys(values)))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SweepError(f"--baseline {text}: expected NAME=VALUE, such as quartic=-5")
    return name.strip(), value.strip()
