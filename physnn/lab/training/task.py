"""The seam between studies and what they train: a task is a module of :mod:`physnn.lab.training.tasks`.

It has three things:

- ``read(recipe)`` checks plain data, an arm's recipe, and returns it as an object with ``architecture`` (hashable:
  replicas of one architecture can be computed together) and ``size`` (the number of trainable scalars). It raises
  ValueError for what it does not understand.
- ``run(replicas, recipes, budget)`` is a generator that trains replicas of one architecture together: it gives, before
  training and after every epoch, a list with the numbers of each replica, a dictionary, or None once it has diverged.
  ``recipes`` are the replicas' own, as ``read`` returned them. Whoever has enough closes it.
- ``COLUMNS`` says what the numbers mean, by name.

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
        device: where tensors live.

    Raises:
        ValueError: a number below 1.
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


class Recipe(Protocol):
    """What ``read`` returns."""

    @property
    def architecture(self) -> tuple: ...

    @property
    def size(self) -> int: ...


class Task(Protocol):
    """A module of :mod:`physnn.lab.training.tasks`."""

    COLUMNS: Mapping[str, str]

    def read(self, recipe: Mapping[str, Any]) -> Recipe: ...

    def run(
        self, replicas: Sequence[Replica], recipes: Sequence[Recipe], budget: Budget
    ) -> Iterator[list[dict[str, Any] | None]]: ...


def find(name: str) -> Task:
    """Return the task of a name.

    Raises:
        ValueError: there is none; it says which there are.
    """
    known = [module.name for module in pkgutil.iter_modules(tasks.__path__)]
    if name not in known:
        raise ValueError(f"task must be one of {', '.join(known)}, got {name!r}")
    return importlib.import_module(f"{tasks.__name__}.{name}")
