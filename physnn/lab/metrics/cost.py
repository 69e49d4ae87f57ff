"""What layers and training steps cost, side by side: their times, and the largest tensor that is made."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def layer_costs(layers: Mapping[str, nn.Module], x: Tensor, rounds: int = 3) -> pd.DataFrame:
    """Measure one forward and backward pass of each layer on ``x``, on one thread.

    The layers take turns, so that a slow moment of the machine does not hit one of them alone; the shortest time of
    each counts, which is the one least disturbed.

    Returns:
        One row per layer: ``milliseconds``, and ``largest tensor, MiB``.
    """

    def run(layer: nn.Module) -> None:
        layer(x).sum().backward()

    seconds = {name: float("inf") for name in layers}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(rounds):
            for name, layer in layers.items():
                start = time.perf_counter()
                run(layer)
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    rows = {
        name: {"milliseconds": 1e3 * seconds[name], "largest tensor, MiB": largest_tensor(partial(run, layer)) / 2**20}
        for name, layer in layers.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def training_steps(
    arms: Mapping[str, Sequence], x: Tensor, labels: Tensor, *, against: str, rounds: int = 20
) -> pd.DataFrame:
    """Time one training step of each arm on one thread: forward, loss, backward, and the optimizer's step.

    The arms take turns. What counts is the processor time of the process, and the ratio to the arm ``against`` within
    a round: other work on the machine lengthens these least. A first round, in which memory is allocated, is left out.

    Args:
        arms: name to network, loss and optimizer, as :meth:`physnn.lab.models.recipe.Recipe.modules` makes them.

    Returns:
        One row per arm: ``milliseconds`` (median of the rounds), ``ratio`` (median), and its quartiles ``low`` and
        ``high``.

    Raises:
        ValueError: ``against`` is no arm, or there is no round.
    """
    if against not in arms or rounds < 1:
        raise ValueError(f"against must be one of {list(arms)} and rounds at least 1, got {against!r} and {rounds}")
    taken: dict[str, list[float]] = {name: [] for name in arms}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(rounds + 1):
            for name, (model, loss, optimizer) in arms.items():
                start = time.process_time()
                optimizer.zero_grad()
                loss(model(x), labels).backward()
                optimizer.step()
                taken[name].append(1e3 * (time.process_time() - start))
    finally:
        torch.set_num_threads(threads)
    times = pd.DataFrame(taken).iloc[1:]
    ratios = times.div(times[against], axis=0).quantile([0.25, 0.5, 0.75])
    rows = {"milliseconds": times.median(), "ratio": ratios.loc[0.5], "low": ratios.loc[0.25], "high": ratios.loc[0.75]}
    return pd.DataFrame(rows)


def largest_tensor(run: Callable[[], object]) -> int:
    """Return the bytes of the largest tensor that any operation inside ``run()`` returns, backward pass included."""
    sizes = [0]

    class Record(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            sizes.extend(t.numel() * t.element_size() for t in tree_leaves(out) if isinstance(t, Tensor))
            return out

    with torch.enable_grad(), Record():
        run()
    return max(sizes)
