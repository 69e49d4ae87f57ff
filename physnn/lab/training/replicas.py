"""Many replicas of one experiment at once: seeds, learning rates and arms of one architecture as one computation.

A replica is plain data: the arm's recipe, a learning rate and a seed. What it computes does not depend on who is
trained beside it: start values, batches and noise come from its own seed, as :func:`physnn.lab.training.loop.fit` and
the modules of its recipe draw them.
"""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from physnn.lab.running.where import here
from physnn.lab.training import task as tasks
from physnn.lab.training.chunk import Chunk, Job, arrange, collect
from physnn.lab.training.pool import on_workers
from physnn.lab.training.task import IMAGES, Budget, Replica

if TYPE_CHECKING:
    from distributed import Client


def train(
    replicas: Sequence[Replica],
    dataset: str = "mnist",
    *,
    workers: int = 1,
    progress: bool | None = None,
    **budget: Any,
) -> pd.DataFrame:
    """Train all replicas, and return one row per replica and epoch, in the order of the replicas.

    Every replica sees the training images once an epoch, in an order that depends on its seed alone. One that diverges
    keeps the epochs it has finished, is marked, and the others go on. After Ctrl-C the epochs finished so far are
    returned, with a warning.

    Args:
        dataset: the name of a data set, see :func:`physnn.lab.data.images.load`.
        workers: as in :func:`chunks`.
        progress: as in :func:`chunks`.
        budget: the other values of a :class:`physnn.lab.training.task.Budget`: ``epochs``, which it needs,
            ``batch_size``, ``test``, ``extras`` and ``device``.

    Returns:
        ``arm``, ``lr``, ``seed``, ``epoch`` (0 is before training), what
        :data:`physnn.lab.training.tasks.images.COLUMNS` lists, and ``diverged``. The last row of a replica that
        reached the end has ``scale`` too, and with ``test`` the columns of the training and the test images.

    Raises:
        ValueError: no replicas, a recipe that is not understood, or a number below 1.
    """
    finished = list(chunks(replicas, Budget(dataset, **budget), workers=workers, progress=progress))
    left = len(replicas) - sum(len(chunk.members) for chunk in finished if chunk.complete)
    if left:
        warnings.warn(f"interrupted: {left} of {len(replicas)} replicas are incomplete", RuntimeWarning, stacklevel=2)
    rows = {i: [] for i in range(len(replicas))}
    for chunk in finished:
        for row in chunk.rows:
            rows[row["replica"]].append(row)
    return pd.DataFrame([row for several in rows.values() for row in several]).drop(columns="replica", errors="ignore")


def chunks(
    replicas: Sequence[Replica],
    budget: Budget,
    *,
    task: str = IMAGES,
    workers: int = 1,
    client: "Client | None" = None,
    progress: bool | None = None,
) -> Iterator[Chunk]:
    """Train as :func:`train` does; give the replicas that are computed together as soon as they are finished.

    After Ctrl-C what is not finished is given as incomplete, and a chunk says that it was ``interrupted``, also where
    that came too late to keep anything from its end.

    Args:
        task: what is learned: a module of :mod:`physnn.lab.training.tasks`.
        workers: processes of this machine, of one thread each; with 1, the calling process trains.
        client: a Dask client whose workers train instead: of one thread each, with this version of physnn and the data.
        progress: show a bar with the remaining time; None for where there is a terminal.

    Raises:
        ValueError: as :func:`train`.
        ClusterError: workers cannot start, or are not as they must be.
        ConnectionError: the client's scheduler was lost.
    """
    if not replicas or workers < 1:
        raise ValueError(f"training needs replicas, and at least 1 worker, got {len(replicas)} replicas and {workers}")
    read = tasks.find(task).read
    recipes = [read(replica.recipe) for replica in replicas]
    if client:
        from physnn.lab.running.cluster import slots

        workers = max(1, slots(client))
    jobs = [
        Job(task, [replicas[i] for i in members], [recipes[i] for i in members], members, budget)
        for members in arrange(recipes, [replica.seed for replica in replicas], workers)
    ]
    with _bar(len(replicas) * budget.epochs, progress) as tick:
        if client:
            yield from on_workers(jobs, client, tick)
            return
        if workers > 1:
            with here(min(workers, len(jobs))) as client:
                yield from on_workers(jobs, client, tick)
            return
        for job in jobs:
            chunk = collect(job, tick)
            yield chunk
            if not chunk.complete or chunk.interrupted:
                return


@contextlib.contextmanager
def _bar(total: int, progress: bool | None) -> Iterator[Callable[[int], Any]]:
    """Give the function that moves a bar of ``total`` epochs on, if there is one."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda count: None
        return
    from tqdm import tqdm  # a bare machine trains without

    with tqdm(total=total, unit="epoch") as bar:
        yield bar.update
