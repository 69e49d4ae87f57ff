"""The seam between studies and what they train: a task is a module of :mod:`physnn.lab.training.tasks`.

It has these things:

- ``read(recipe)`` checks plain data, an arm's recipe, and returns it as an object with ``architecture`` (hashable:
  replicas of one architecture can be computed together) and ``size`` (the number of trainable scalars). It raises
  ValueError for what it does not understand.
- ``run(replicas, recipes, budget)`` is a generator that trains replicas of one architecture together: it gives, before
  training and after every epoch, a list with the numbers of each replica, a dictionary, or None once it has diverged.
  ``recipes`` are the replicas' own, as ``read`` returned them. Whoever has enough closes it. Among the numbers are
  ``seconds``, the time of training so far.
- ``COLUMNS`` says what the numbers mean: a :class:`Column` for every name, or for every family of names. Those with a
  label are offered by the explorer, in this order.
- ``SCORE`` names the column by which hyperparameters are chosen, one whose better values are larger, or smaller; and
  ``RESULT`` the one that says how good a run was, in its last row, where the budget asks for the test.
- ``checksum(data)`` returns what stands in a record for the data of that name.

What a replica computes must not depend on who is trained beside it: all chance comes from its own seed.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from physnn.lab.training import tasks

IMAGES = "images"  # the task of designs that name none


@dataclass(frozen=True)
class Replica:
    """One training run: the name of its arm, the arm's recipe, a learning rate and a seed."""

    arm: str
    recipe: Mapping[str, Any]
    lr: float
    seed: int


@dataclass(frozen=True)
class Budget:
    """What all replicas of a run have in common.

    Attributes:
        data: the name of a data set that the task knows.
        epochs: passes over the training data, at least 1.
        batch_size: samples of a step, at least 1.
        test: read the test data too, once, after the last epoch.
        extras: what else to measure, of what the task can.
        device: where tensors live; not Apple's GPU, ``mps``, as sums are kept in double precision, which it lacks.

    Raises:
        ValueError: a number below 1, or a device of another kind.
    """

    data: str
    epochs: int
    batch_size: int = 128
    test: bool = False
    extras: tuple[str, ...] = ()
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "extras", tuple(self.extras))
        if min(self.epochs, self.batch_size) < 1:
            raise ValueError(
                f"epochs and batch_size must be at least 1, got epochs={self.epochs}, batch_size={self.batch_size}"
            )
        if str(self.device).startswith("mps"):
            raise ValueError(
                f"device {self.device} has no double precision, which training needs for its sums: use cpu"
            )


@dataclass(frozen=True)
class Column:
    """What a recorded column holds, or every column of a family: one whose name ends with ``*`` where theirs go on.

    Attributes:
        meaning: in words.
        label: what the heads of tables say, with the unit that is shown; without it, the explorer leaves it out. Of a
            family the mean is shown.
        scale: what a recorded number is multiplied by to have that unit.
        decimals: how many are shown; None for as many as make four digits, or three and a power of ten.
        margin: within which the book speaks of no difference, in that unit; 0 where it names none.
        tolerance: by how much rounding may change a recorded number (:mod:`physnn.lab.records.reproduce`); None for a
            small share of it.
        larger: whether larger values are better, or smaller ones; None where neither are.
        guess: the recorded number that a run which diverged counts as, where it has to be counted.
    """

    meaning: str
    label: str = ""
    scale: float = 1.0
    decimals: int | None = None
    margin: float = 0.0
    tolerance: float | None = None
    larger: bool | None = None
    guess: float | None = None


class Recipe(Protocol):
    """What ``read`` returns."""

    @property
    def architecture(self) -> tuple: ...

    @property
    def size(self) -> int: ...


class Task(Protocol):
    """A module of :mod:`physnn.lab.training.tasks`."""

    COLUMNS: Mapping[str, Column]
    SCORE: str
    RESULT: str

    def read(self, recipe: Mapping[str, Any]) -> Recipe: ...

    def run(
        self, replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
    ) -> Iterator[list[dict[str, Any] | None]]: ...

    def checksum(self, data: str) -> str: ...


def find(name: str) -> Task:
    """Return the task of a name.

    Raises:
        ValueError: there is none; it says which there are.
    """
    known = [module.name for module in pkgutil.iter_modules(tasks.__path__)]
    if name not in known:
        raise ValueError(f"task must be one of {', '.join(known)}, got {name!r}")
    return importlib.import_module(f"{tasks.__name__}.{name}")


def column(task: Task, name: str) -> Column:
    """Return what a task says of a recorded column, by its name or by its family's.

    Raises:
        ValueError: it says nothing.
    """
    for known, entry in task.COLUMNS.items():
        if name == known or (known.endswith("*") and name.startswith(known[:-1])):
            return entry
    raise ValueError(f"COLUMNS of the task must say what {name!r} is; it knows {', '.join(task.COLUMNS)}")
