"""What a layer costs, side by side with others: the time of a step, and the largest tensor that it makes."""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from physnn.lab.provenance import RESULTS


def compare(layers: Mapping[str, nn.Module], x: Tensor, rounds: int = 3) -> pd.DataFrame:
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


def recorded() -> pd.DataFrame:
    """Return the table of the last recorded ``make bench``, by name: ``ratio``, its quartiles, and ``against`` what."""
    made = json.loads((RESULTS / "speed" / "bench.json").read_text(encoding="utf-8"))
    table = pd.DataFrame(made["rows"]).set_index("name")
    table.attrs = {"environment": made["environment"], "peers": made["peers"]}
    return table
