"""A chunk: replicas of one architecture that are trained together, and what has become of them."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from physnn.lab.running import closure
from physnn.lab.training import task
from physnn.lab.training.task import Budget, Recipe, Replica

SIZE = 2**20  # parameters of one computation: beyond, they leave the cache, and batching gains nothing
SHARED = 4  # replicas of one seed that are worth a computation of their own: they see the same images


@dataclass(frozen=True)
class Job:
    """Replicas of one architecture, with the recipes that their task has read, and their places in a list."""

    task: str
    replicas: Sequence[Replica]
    recipes: Sequence[Recipe]
    members: Sequence[int]
    budget: Budget


class Chunk(NamedTuple):
    """Replicas that were trained together: their places in the list, their rows, and whether they reached the end.

    ``interrupted`` says that somebody wanted no more, which may have come too late to keep them from their end.
    """

    members: Sequence[int]
    rows: list[dict[str, Any]]
    complete: bool
    interrupted: bool = False


def train_chunk(job: Job) -> Iterator[list[dict[str, Any]]]:
    """Train the replicas of a job together; give their rows before training and after every epoch.

    A row has the replica's place in the list as ``replica``, then ``arm``, ``lr``, ``seed``, ``epoch`` and what the
    task measures. A replica that has diverged has no row any more.
    """
    with closing(task.find(job.task).run(job.replicas, job.recipes, job.budget)) as epochs:
        for epoch, measured in enumerate(epochs):
            several = zip(job.members, job.replicas, measured, strict=True)
            yield [
                {"replica": member, "arm": own.arm, "lr": own.lr, "seed": own.seed, "epoch": epoch, **values}
                for member, own, values in several
                if values is not None
            ]


def collect(job: Job, tick: Callable[[int], object] = lambda count: None) -> Chunk:
    """Train a job to its end, or until a KeyboardInterrupt comes or ``tick`` says False.

    ``tick`` is called with the number of replicas after every epoch.
    """
    rows: list[list[dict[str, Any]]] = []
    interrupted = False
    try:
        with closing(train_chunk(job)) as epochs:
            for epoch, several in enumerate(epochs):
                rows.append(several)
                if epoch and tick(len(job.members)) is False:
                    break
    except KeyboardInterrupt:
        interrupted = True
    alive = {row["replica"] for row in rows[-1]} if rows else set()
    marked = [row | {"diverged": row["replica"] not in alive} for several in rows for row in several]
    return Chunk(job.members, marked, len(rows) == job.budget.epochs + 1, interrupted)


def made_from(name: str) -> str:
    """Return the digest of what decides the numbers of a task: all of physnn that it and this module import, and torch.

    Of torch the release counts, not for which devices it was built. Other packages do not count: the lock fixes them.
    """
    own = Path(task.find(name).__file__)
    code = closure.of_modules("physnn.lab.training.chunk", own, chosen=[name]).digest()
    release = version("torch").partition("+")[0]
    return hashlib.sha256(f"{code} torch {release}".encode()).hexdigest()


def arrange(recipes: Sequence[Recipe], seeds: Sequence[int], workers: int = 1) -> list[list[int]]:
    """Put replicas of one architecture together, those of one seed by themselves where they are several."""
    groups: dict[tuple, dict[int, list[int]]] = {}
    for i, (recipe, seed) in enumerate(zip(recipes, seeds, strict=True)):
        groups.setdefault(recipe.architecture, {}).setdefault(seed, []).append(i)
    plan = []
    for by_seed in groups.values():
        several = [members for members in by_seed.values() if len(members) >= SHARED]
        mixed = [i for members in by_seed.values() if len(members) < SHARED for i in members]
        for members in [*several, mixed] if mixed else several:
            recipe = recipes[members[0]]
            size = 1 if getattr(recipe, "alone", False) else max(1, SIZE // recipe.size)
            if len(several) + bool(mixed) < workers:
                size = min(size, -(-len(members) // workers))
            plan += [members[start : start + size] for start in range(0, len(members), size)]
    return sorted(plan, key=lambda members: -recipes[members[0]].size * len(members))
