"""One step of the optimizer on a batch of parameters: the noise, then the form of the update that applies."""

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from physnn import scheme as schemes
from physnn.compiled import DTYPES, compiled_update
from physnn.noise import draw, room

BATCH = 2**21  # values: their noise is still in the last cache when the update reads it
WINDOW = 2**17  # values: in the second one, where an update can go piece by piece
LAST = 64  # values in a window at the least: fewer than 16, and parts of 64 signs, are drawn in another way


def batches(group: dict[str, Any]) -> Iterator[list[Tensor]]:
    """Split a group's parameters that have a gradient into lists of one device and type, of BATCH values or one tensor.

    The split decides which noise each value gets, so it is the same for every form of the update.
    """
    buckets = defaultdict(list)
    for p in group["params"]:
        if p.grad is not None:
            buckets[p.device, p.dtype].append(p)
    for params in buckets.values():
        if group["noise"] == "byte-sum":
            params.sort(key=Tensor.numel)  # as compiled_update wants them
        batch, size = [], 0
        for p in params:
            if batch and size + p.numel() > BATCH:
                yield batch
                batch, size = [], 0
            batch.append(p)
            size += p.numel()
        yield batch


def update(
    params: list[Tensor],
    group: dict[str, Any],
    states: list[dict[str, Any]],
    generator: torch.Generator,
    scratch: dict[tuple[torch.device, torch.dtype], Tensor],
) -> None:
    """Take one step of ``params`` with the options of ``group``.

    Args:
        states: for each parameter its velocity and, with the scheme ``"gjf"``, its last noise; made where they miss.
        scratch: a buffer for each device and type, which the next call uses again: fresh pages cost more than the step.
    """
    for p, state in zip(params, states, strict=True):
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(p, memory_format=torch.preserve_format)
    # A complex number is two real degrees of freedom.
    thetas = [_real(p) for p in params]
    tensors = (thetas, [_real(p.grad) for p in params], [_real(state["velocity"]) for state in states])
    scheme, kind, hot = group["scheme"], group["noise"], group["temperature"] > 0
    last = None
    if hot and scheme == "gjf":
        last = _last_noise(states, params, lambda: _noise(kind, thetas, generator, scratch))
    spread = 2 - group["damping"] if scheme == "baoa" else 2
    noise_std = math.sqrt(spread * group["damping"] * group["lr"] * group["temperature"])
    numbers = {
        "lr": -group["lr"] if group["maximize"] else group["lr"],
        "damping": group["damping"],
        "weight_decay": -group["weight_decay"] if group["maximize"] else group["weight_decay"],
    }
    chosen = group["compiled"] or group["fused"] or (group["fused"] is None and group["foreach"] is None)
    contiguous = chosen and all(t.is_contiguous() for several in tensors for t in several)
    if group["compiled"] and hot and contiguous and thetas[0].dtype in DTYPES:
        if compiled_update(scheme, *tensors, last, generator, noise_std=noise_std, **numbers):
            return
    fuse = contiguous and schemes.can_fuse(scheme, thetas, group["damping"])
    if fuse and last is None:
        for pieces in windows(tensors, _window(kind, thetas)):
            kicks = _noise(kind, pieces[0], generator, scratch, noise_std if hot else None)
            schemes.fused(*pieces, kicks, **numbers)
        return
    noise = eta = _noise(kind, thetas, generator, scratch) if hot else None
    if last is not None:
        torch._foreach_add_(last, noise)
        eta, noise_std = last, noise_std / 2
    if fuse:
        torch._foreach_mul_(eta, noise_std)
        schemes.fused(*tensors, eta, **numbers)
    else:
        form = schemes.single_tensor if group["foreach"] is False else schemes.multi_tensor
        form(scheme, *tensors, eta, noise_std=noise_std, **numbers)
    if last is not None:
        torch._foreach_copy_(last, noise)


def windows(lists: tuple[list[Tensor], ...], size: int) -> Iterator[tuple[list[Tensor], ...]]:
    """Cut lists of contiguous tensors alike into flat pieces, ``size`` values of each list at a time.

    With sizes that are multiples of LAST, the noise drawn window by window is that drawn for all at once: what would
    be a shorter last window belongs to the one before.
    """
    left = sum(t.numel() for t in lists[0])
    room = size if left >= size + LAST else left
    pieces = []
    for several in zip(*lists, strict=True):
        flat = [t.view(-1) for t in several]
        start, end = 0, flat[0].numel()
        while start < end:
            take = min(room, end - start)
            pieces.append([t[start : start + take] for t in flat])
            start, room, left = start + take, room - take, left - take
            if not room:
                yield tuple(map(list, zip(*pieces, strict=True)))
                pieces, room = [], size if left >= size + LAST else left


def _window(kind: str, thetas: list[Tensor]) -> int:
    """Return how many values to update at a time: all where one call for all is the noise's law, or quicker."""
    whole = kind == "byte-sum" or thetas[0].device.type != "cpu"
    return sum(t.numel() for t in thetas) if whole else WINDOW


def _noise(kind, thetas, generator, scratch, std: float | None = 1.0) -> list[Tensor]:
    """Draw noise of standard deviation ``std`` for all tensors at once; zeros, and nothing drawn, for None."""
    sizes = [p.numel() for p in thetas]
    total, key = sum(sizes), (thetas[0].device, thetas[0].dtype)
    flat = scratch.get(key)
    if flat is None or flat.numel() < room(total):
        flat = scratch[key] = torch.empty(room(total), device=key[0], dtype=key[1])
    parts = flat[:total].zero_().split(sizes) if std is None else draw(kind, sizes, generator, flat, std)
    return [part.view_as(p) for part, p in zip(parts, thetas, strict=True)]


def _last_noise(states, params, draw_first) -> list[Tensor]:
    """Return the noise of the last step; before the first one, draw it."""
    if any("noise" not in state for state in states):
        for p, state, part in zip(params, states, draw_first(), strict=True):
            if "noise" not in state:
                state["noise"] = torch.empty_like(p, memory_format=torch.preserve_format)
                _real(state["noise"]).copy_(part)
    return [_real(state["noise"]) for state in states]


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
