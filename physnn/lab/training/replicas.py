"""Many replicas of one experiment at once: seeds, learning rates and arms of one architecture as one computation.

A replica is plain data: the arm's recipe, a learning rate and a seed. What it computes does not depend on who is
trained beside it: start values, batches and noise come from its own seed, as :func:`physnn.lab.training.loop.fit` and
the modules of its recipe draw them.
"""

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import wait as wait_for
from typing import Any, NamedTuple

import pandas as pd
import torch

from physnn.lab.data.images import load
from physnn.lab.models.recipe import Recipe
from physnn.lab.training.measures import EXTRAS, after_epoch, at_end
from physnn.lab.training.stack import Stack

CHUNK = 2**20  # parameters of one computation: beyond, they leave the cache, and batching gains nothing
SHARED = 4  # replicas of one seed that are worth a computation of their own: they see the same images


@dataclass(frozen=True)
class Replica:
    """One training run: the name of its arm, the arm's recipe (see :class:`Recipe`), a learning rate and a seed."""

    arm: str
    recipe: Mapping[str, Any]
    lr: float
    seed: int


class Chunk(NamedTuple):
    """Replicas that were trained together: their places in the list, their rows, and whether they reached the end."""

    members: list[int]
    rows: list[dict[str, Any]]
    complete: bool


def train(replicas: Sequence[Replica], dataset: str = "mnist", *, epochs: int, **options: Any) -> pd.DataFrame:
    """Train all replicas, and return one row per replica and epoch, in the order of the replicas.

    Every replica sees the training images once an epoch, in an order that depends on its seed alone. One that diverges
    keeps the epochs it has finished, is marked, and the others go on. After Ctrl-C the epochs finished so far are
    returned, with a warning.

    Args:
        dataset: the name of a data set, see :func:`physnn.lab.data.images.load`.
        epochs: passes over the training images.
        options: those of :func:`chunks`.

    Returns:
        ``arm``, ``lr``, ``seed``, ``epoch`` (0 is before training), ``loss`` (mean over the epoch's steps), for the
        Ginzburg-Landau loss ``energy`` (mean over the steps of the mean inside its bars) and ``negative`` (the share of
        steps where it was negative), ``kinetic`` and ``configurational`` (temperatures, see
        :class:`physnn.Thermometer`, means over every tenth step; not for Adam), ``validation_accuracy``,
        ``validation_nll`` and ``validation_ece``, ``norm`` and ``distance`` (of the parameters, and from their start),
        ``seconds`` (cumulative, shared among those trained together), ``diverged``; in the last row ``scale``
        (:func:`physnn.lab.metrics.outputs.fit_scale`, on the validation images) and, with ``test``, ``train_accuracy``
        and ``train_nll`` (of all training images, with their true labels), ``test_accuracy``, ``test_nll`` and
        ``test_ece`` (of the outputs times their scale), ``test_roughness`` (normalized Dirichlet energy of the
        outputs along the class index; its mean over all orders of the classes is 2) and ``test_spatial`` (mean over
        classes of the squared periodic central difference of the outputs divided by their largest magnitude), both
        means over images; with the extra ``corruptions`` the shares ``error_FAMILY_SEVERITY``
        of wrong answers on corrupted test images (:mod:`physnn.lab.data.corruptions`), and with ``coherence`` what
        :func:`physnn.lab.training.measures.coherence` lists. With the extra ``corrupted-validation`` every row has
        ``validation_corrupted``, the mean of these shares on the first 2,000 validation images.

    Raises:
        ValueError: no replicas, a recipe that is not understood, or a number below 1.
    """
    finished = list(chunks(replicas, dataset, epochs=epochs, **options))
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
    dataset: str = "mnist",
    *,
    epochs: int,
    batch_size: int = 128,
    test: bool = False,
    extras: Collection[str] = (),
    workers: int = 1,
    device: torch.device | str = "cpu",
    progress: bool | None = None,
) -> Iterator[Chunk]:
    """Train as :func:`train` does; give the replicas that are computed together as soon as they are finished.

    Those of one architecture are, up to ``CHUNK`` parameters. After Ctrl-C what has begun is given as incomplete.

    Args:
        test: read the test images too, once, after the last epoch.
        extras: what else to measure: ``corruptions`` and ``coherence`` then, ``corrupted-validation`` always.
        workers: processes, of one thread each; with 1, the calling process trains. A script that asks for more needs
            ``if __name__ == "__main__":``.
        progress: show a bar with the remaining time; None for where there is a terminal.

    Raises:
        ValueError: as :func:`train`.
    """
    if not replicas or min(epochs, batch_size, workers) < 1:
        raise ValueError(
            f"training needs replicas, and epochs, batch_size and workers of at least 1, "
            f"got {len(replicas)} replicas, {epochs}, {batch_size} and {workers}"
        )
    if unknown := {*extras} - {*EXTRAS}:
        raise ValueError(f"extras must be of {', '.join(EXTRAS)}, got {sorted(unknown)}")
    plan = arrange([Recipe.read(r.recipe) for r in replicas], [r.seed for r in replicas], workers)
    jobs = [
        ([replicas[i] for i in members], members, dataset, epochs, batch_size, test, extras, str(device))
        for members in plan
    ]
    with _bar(len(replicas) * epochs, progress) as tick:
        if workers > 1:
            yield from _in_processes(jobs, workers, tick)
            return
        for job in jobs:
            chunk = train_chunk(*job, tick=tick)
            yield chunk
            if not chunk.complete:
                return


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
            size = 1 if recipe.layer.kind == "convolutional" else max(1, CHUNK // recipe.size)
            if len(several) + bool(mixed) < workers:
                size = min(size, -(-len(members) // workers))
            plan += [members[start : start + size] for start in range(0, len(members), size)]
    return sorted(plan, key=lambda members: -recipes[members[0]].size * len(members))


def train_chunk(
    replicas: Sequence[Replica],
    members: list[int],
    dataset: str,
    epochs: int,
    batch_size: int,
    test: bool,
    extras: Collection[str],
    device: str,
    tick: Callable[[int], Any] = lambda count: None,
) -> Chunk:
    """Train replicas of one architecture together. Their rows hold their places in the list as ``replica``.

    ``tick`` is called with the number of replicas after every epoch; a KeyboardInterrupt, also one that ``tick``
    raises, ends the training early.
    """
    images, rows, seconds = _load(dataset, device), [], 0.0
    recipes = [Recipe.read(r.recipe) for r in replicas]
    count = recipes[0].images or len(images.train)
    steps = epochs * math.ceil(count / batch_size)
    stack = Stack(recipes, [r.lr for r in replicas], [r.seed for r in replicas], steps, device)
    nothing = dict.fromkeys(Stack.AVERAGES, torch.full((len(replicas),), torch.nan))
    complete = False
    with contextlib.suppress(KeyboardInterrupt):
        for epoch in range(epochs + 1):
            start = time.perf_counter()
            averages = stack.epoch(images, batch_size) if epoch else nothing
            seconds += (time.perf_counter() - start) / len(replicas) if epoch else 0.0
            measured = {**averages, **after_epoch(stack, images, extras)}
            if epoch == epochs:
                measured |= at_end(stack, images, test, extras)
            columns = {name: value.tolist() for name, value in measured.items()}
            for i, (replica, member) in enumerate(zip(replicas, members, strict=True)):
                if stack.alive[i]:
                    row = {"replica": member, "arm": replica.arm, "lr": replica.lr, "seed": replica.seed}
                    row |= {"epoch": epoch, **{name: column[i] for name, column in columns.items()}}
                    rows.append(row | {"seconds": seconds})
            if epoch:
                tick(len(replicas))
        complete = True
    alive = dict(zip(members, stack.alive, strict=True))
    return Chunk(members, [row | {"diverged": not alive[row["replica"]]} for row in rows], complete)


def _in_processes(jobs: Sequence[tuple], workers: int, tick: Callable[[int], Any]) -> Iterator[Chunk]:
    """Train chunks in processes. Ctrl-C asks them to stop after the epoch they are in, and gives what they have."""
    spawn = multiprocessing.get_context("spawn")  # a fork of a process that has threads may deadlock
    stop, ticks = spawn.Event(), spawn.SimpleQueue()
    with ProcessPoolExecutor(min(workers, len(jobs)), spawn, _begin, (stop, ticks)) as pool:
        running = {pool.submit(_job, *job) for job in jobs}
        try:
            while running:
                try:
                    done, running = wait(running, timeout=0.2, return_when="FIRST_COMPLETED")
                    while not stop.is_set() and not ticks.empty():  # Ctrl-C may have cut one in two
                        tick(ticks.get())
                except KeyboardInterrupt:
                    stop.set()
                    running = {job for job in running if not job.cancel()}
                    continue
                for job in done:
                    yield job.result()
        finally:  # nobody may want the rest
            stop.set()
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _bar(total: int, progress: bool | None) -> Iterator[Callable[[int], Any]]:
    """Give the function that moves a bar of ``total`` epochs on, if there is one."""
    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda count: None
        return
    from tqdm import tqdm  # a bare machine trains without

    with tqdm(total=total, unit="epoch") as bar:
        yield bar.update


def _begin(stop: Any, ticks: Any) -> None:
    """Set up a worker: one thread, and Ctrl-C left to the process that asked for it."""
    global _stop, _ticks
    _stop, _ticks = stop, ticks
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def _leave_with_parent() -> None:
    """End this process when the one that started it is gone, however it went: nobody would take its results."""
    wait_for([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _job(*job: Any) -> Chunk:
    def tick(count: int) -> None:
        _ticks.put(count)
        if _stop.is_set():
            raise KeyboardInterrupt

    return train_chunk(*job, tick=tick)


_load = cache(lambda dataset, device: load(dataset, device=device))
