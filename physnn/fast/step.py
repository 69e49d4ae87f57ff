"""One step of the optimizer on a batch of parameters: the noise, then the form of the update that applies."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from physnn import scheme as schemes
from physnn.fast.kernel import DTYPES, compiled_update
from physnn.noise import draw, room
from physnn.state import WIDE, has_values, wide

Scratch = dict[tuple[torch.device, torch.dtype], Tensor]
BATCH = 2**21  # values: their noise is still in the last cache when the update reads it
GPU_BATCH = 2**25  # values, elsewhere than on a CPU: enough to keep a GPU busy, and noise of 128 MiB
GPU_LAUNCH = 2**28  # values, where the noise is made on the way and takes no room
WINDOW = 2**21  # values, where one tensor is longer: the calls of smaller pieces cost more than the caches give
LAST = 64  # values in a window at the least: fewer than 16, and parts of 64 signs, are drawn in another way


def batches(group: dict[str, Any]) -> Iterator[list[Tensor]]:
    """Split a group's parameters that have a gradient into lists of one device and type, none too long.

    The split decides which noise each value gets, so it is the same for every form of the update (but for more than
    GPU_BATCH values on a GPU, which a compiled step takes in one launch).
    """
    buckets = defaultdict(list)
    for p in group["params"]:
        if p.grad is not None and p.requires_grad:
            buckets[p.device, p.dtype].append(p)
    for params in buckets.values():
        if group["noise"] == "byte-sum":
            params.sort(key=Tensor.numel)  # as compiled_update wants them
        batch: list[Tensor] = []
        size, most = 0, BATCH if params[0].device.type == "cpu" else GPU_LAUNCH if group["compiled"] else GPU_BATCH
        for p in params:
            if batch and size + p.numel() > most:
                yield batch
                batch, size = [], 0
            batch.append(p)
            size += p.numel()
        yield batch


def begin(params: list[Tensor], group: dict[str, Any], states: list[dict[str, Any]]) -> None:
    """Make what is kept for each of ``params``, where it misses: all of it zero."""
    for p, state in zip(params, states, strict=True):
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(p, dtype=wide(p.dtype), memory_format=torch.preserve_format)
        if p.dtype in WIDE and "remainder" not in state:
            state["remainder"] = torch.zeros_like(state["velocity"])
        if group["scheme"] == "gjf" and group["temperature"] > 0 and group["velocity_lr"] == 0:
            state.setdefault("noise", torch.zeros_like(state["velocity"]))  # drawn when lr is first above 0


def update(
    params: list[Tensor],
    group: dict[str, Any],
    states: list[dict[str, Any]],
    generator: torch.Generator | None,
    scratch: Scratch,
) -> None:
    """Take one step of ``params``, all of one device and type, with the options of ``group``.

    Args:
        states: for each parameter its velocity, with the scheme ``"gjf"`` its last noise, and for a parameter of 16
            bits the remainder, by which it is less than what it stands for; made where they miss.
        generator: of the noise; None on the meta device.
        scratch: a buffer for each device and type, which the next call uses again: fresh pages cost more than the step.
    """
    begin(params, group, states)
    # A complex number is two real degrees of freedom.
    thetas = [_real(p) for p in params]
    velocities = [_real(state["velocity"]) for state in states]
    dtype = velocities[0].dtype
    grads = [_gradient(p, dtype) for p in params]
    if params[0].dtype not in WIDE:
        _move(thetas, grads, velocities, group, states, generator, scratch)
        torch.autograd.graph.increment_version(params)  # which torch's fused kernel and Triton's leave as it is
        return
    remainders = [_real(state["remainder"]) for state in states]
    exact = [theta.to(dtype).add_(rest) for theta, rest in zip(thetas, remainders, strict=True)]
    _move(exact, grads, velocities, group, states, generator, scratch)
    for theta, rest, moved in zip(thetas, remainders, exact, strict=True):
        theta.copy_(moved)
        torch.sub(moved, theta, out=rest)


def _move(
    thetas: list[Tensor],
    grads: list[Tensor],
    velocities: list[Tensor],
    group: dict[str, Any],
    states: list[dict[str, Any]],
    generator: torch.Generator | None,
    scratch: Scratch,
) -> None:
    """Draw the noise, and update real tensors in the form that applies."""
    scheme, kind, lr = group["scheme"], group["noise"], float(group["lr"])
    damping, decay = float(group["damping"]), float(group["weight_decay"])
    noise_std = math.sqrt(schemes.noise_variance(scheme, lr, damping, float(group["temperature"])))
    momentum = 1 - damping
    source = generator if noise_std > 0 else None
    last = None
    if source is not None and scheme == "gjf":
        first = group["velocity_lr"] == 0
        last = _last_noise(states, first, lambda: _noise(kind, thetas, source, scratch))
    if group["maximize"]:
        lr, decay = -lr, -decay
    tensors = (thetas, grads, velocities)
    chosen = group["compiled"] or group["fused"] or (group["fused"] is None and group["foreach"] is None)
    flat = chosen and has_values(thetas[0]) and all(t.is_contiguous() for several in tensors for t in several)
    if group["compiled"] and source is not None and flat and thetas[0].dtype in DTYPES:
        if compiled_update(
            scheme, *tensors, last, source, lr=lr, momentum=momentum, noise_std=noise_std, weight_decay=decay
        ):
            return
    fuse = flat and schemes.can_fuse(scheme, thetas, momentum)
    masked = not group["noise_at_zero"]
    if fuse and last is None:
        for theta, grad, velocity in windows(tensors, _window(kind, thetas)):
            kicks = _noise(kind, theta, source, scratch, noise_std)
            if source is not None and masked:
                _mask(kicks, grad)
            schemes.fused(theta, grad, velocity, kicks, lr=lr, momentum=momentum, weight_decay=decay)
        return
    noise = eta = None if source is None else _noise(kind, thetas, source, scratch)
    if last is not None and noise is not None:
        schemes.each("add_", last, noise)
        eta, noise_std = last, noise_std / 2
    if eta is not None and masked:
        _mask(eta, grads)
    if fuse and eta is not None:
        schemes.each("mul_", eta, noise_std)
        schemes.fused(*tensors, eta, lr=lr, momentum=momentum, weight_decay=decay)
    else:
        form = schemes.single_tensor if group["foreach"] is False else schemes.multi_tensor
        form(scheme, *tensors, eta, lr=lr, momentum=momentum, noise_std=noise_std, weight_decay=decay)
    if last is not None and noise is not None:
        schemes.each("copy_", last, noise)


def _mask(noise: list[Tensor], grads: list[Tensor]) -> None:
    """Take the noise away where the gradient is 0."""
    for eta, grad in zip(noise, grads, strict=True):
        eta.mul_(grad != 0)


def windows(lists: tuple[list[Tensor], ...], size: int) -> Iterator[tuple[list[Tensor], ...]]:
    """Cut lists of contiguous tensors alike into flat pieces, ``size`` values of each list at a time.

    With sizes that are multiples of LAST, the noise drawn window by window is that drawn for all at once: what would
    be a shorter last window belongs to the one before.
    """
    left = sum(t.numel() for t in lists[0])
    if left <= size:
        yield tuple([t.view(-1) for t in several] for several in lists)
        return
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


def _noise(
    kind: str,
    thetas: list[Tensor],
    generator: torch.Generator | None,
    scratch: Scratch,
    std: float = 1.0,
) -> list[Tensor]:
    """Draw noise of standard deviation ``std`` for all tensors at once; zeros where there is no generator."""
    sizes = [p.numel() for p in thetas]
    total, key = sum(sizes), (thetas[0].device, thetas[0].dtype)
    flat = scratch.get(key)
    if flat is None or flat.numel() < room(total):
        flat = scratch[key] = torch.empty(room(total), device=key[0], dtype=key[1])
    parts = flat[:total].zero_().split(sizes) if generator is None else draw(kind, sizes, generator, flat, std)
    return [part.view_as(p) for part, p in zip(parts, thetas, strict=True)]


def _last_noise(states: list[dict[str, Any]], first: bool, draw_first: Callable[[], list[Tensor]]) -> list[Tensor]:
    """Return the noise of the last step; before the first one, draw it."""
    if first or any("noise" not in state for state in states):
        for state, part in zip(states, draw_first(), strict=True):
            if first or "noise" not in state:
                state["noise"] = torch.empty_like(state["velocity"], memory_format=torch.preserve_format)
                _real(state["noise"]).copy_(part)
    return [_real(state["noise"]) for state in states]


def _gradient(p: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the gradient of ``p`` as real numbers of type ``dtype``, in memory as they are."""
    grad = p.grad
    assert grad is not None, "the caller's choice"
    if grad.is_conj() or grad.is_neg():
        grad = grad.resolve_conj().resolve_neg()
    grad = _real(grad)
    return grad if grad.dtype is dtype else grad.to(dtype)


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
