"""What a layer costs, side by side with others: time of a step, memory kept for the backward pass."""

import time
from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor, nn


def compare(layers: Mapping[str, nn.Module], x: Tensor, rounds: int = 3) -> pd.DataFrame:
    """Measure one forward and backward pass of each layer on ``x``.

    The layers take turns, so that a slow moment of the machine does not hit one of them alone; the shortest time of
    each counts, which is the one least disturbed.

    Returns:
        One row per layer: ``milliseconds``, and ``MiB kept`` for the backward pass beyond parameters and input.
    """
    seconds = {name: float("inf") for name in layers}
    for _ in range(rounds):
        for name, layer in layers.items():
            start = time.perf_counter()
            layer(x).sum().backward()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return pd.DataFrame(
        {
            name: {"milliseconds": 1e3 * seconds[name], "MiB kept": kept_for_backward(layer, x) / 2**20}
            for name, layer in layers.items()
        }
    ).T


def kept_for_backward(layer: nn.Module, x: Tensor) -> int:
    """Return the bytes that a forward pass keeps for the backward pass, beyond parameters and input."""
    sizes = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        phi = layer(x)  # holds the graph while storages are told apart by their addresses
    for tensor in [x, *layer.parameters(), *layer.buffers()]:
        sizes.pop(tensor.untyped_storage().data_ptr(), None)
    del phi
    return sum(sizes.values())
