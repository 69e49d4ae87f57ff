"""The optimizer's update on a GPU as one Triton kernel: all tensors in one launch, their noise made on the way."""

import functools
from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK, WARPS = 2048, 8  # values to a program, and groups of threads
# Of physnn.noise.byte_sum_at; in the kernel they would be rounded to float32.
COEFFICIENTS = (0.006464525223, 6.59102626e-09, -4.836531273e-14, 2.760953735e-19)


@triton.jit
def _noise(index, key, numbers, TYPE: tl.constexpr):
    """physnn.noise.byte_sum_at, in unsigned integers, whose shifts need no mask."""
    x = index.to(tl.uint32) + tl.load(key + 2).to(tl.uint32)
    x = x ^ tl.load(key).to(tl.uint32)
    x = (x ^ (x >> 16)) * 0x21F0AAAD + tl.load(key + 1).to(tl.uint32)
    x = (x ^ (x >> 15)) * 0xD35A2D97
    x = x ^ (x >> 15)
    pairs = (x & 0x00FF00FF) + ((x >> 8) & 0x00FF00FF)
    u = ((pairs & 0xFFFF) + (pairs >> 16)).to(tl.int32).to(TYPE) - 510
    u2 = u * u
    high = tl.load(numbers + 6) + u2 * tl.load(numbers + 7)
    return u * (tl.load(numbers + 4) + u2 * (tl.load(numbers + 5) + u2 * high))


@triton.jit
def _update(theta_at, v_at, g_at, last_at, inside, eta, numbers, SCHEME: tl.constexpr):
    """Read, update and write where ``inside``, or everywhere if it is None."""
    theta, v, g = tl.load(theta_at, mask=inside), tl.load(v_at, mask=inside), tl.load(g_at, mask=inside)
    kick = eta
    if SCHEME == "gjf":
        kick = 0.5 * (tl.load(last_at, mask=inside) + eta)
    keep, lr, std, decay = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2), tl.load(numbers + 3)
    force = lr * (g + decay * theta)
    if SCHEME == "baoa":
        kicked = v - force
        v = keep * kicked + std * kick
        theta = theta + 0.5 * (kicked + v)
    else:
        v = keep * v - force + std * kick
        theta = theta + v
    tl.store(v_at, v, mask=inside)
    tl.store(theta_at, theta, mask=inside)
    if SCHEME == "gjf":
        tl.store(last_at, eta, mask=inside)


@triton.jit
def _kernel(
    table, count, tensors, blocks, key, numbers, SCHEME: tl.constexpr, TYPE: tl.constexpr, ALIGNED: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Update one block of one tensor; see ``_table`` for the rows of the table, of one column for each tensor."""
    program = tl.program_id(0)
    column = table + tl.load(tensors + program)
    first = tl.load(blocks + program).to(tl.int64) * BLOCK
    size = tl.load(column + 5 * count)
    theta_at = tl.load(column).to(tl.pointer_type(TYPE)) + first
    v_at = tl.load(column + count).to(tl.pointer_type(TYPE)) + first
    last_at = tl.load(column + 2 * count).to(tl.pointer_type(TYPE)) + first
    g_at = tl.load(column + 3 * count).to(tl.pointer_type(TYPE)) + first
    if ALIGNED:  # then several values are read at once
        theta_at, v_at = tl.multiple_of(theta_at, 16), tl.multiple_of(v_at, 16)
        last_at, g_at = tl.multiple_of(last_at, 16), tl.multiple_of(g_at, 16)
    at = tl.arange(0, BLOCK)
    eta = _noise((tl.load(column + 4 * count) + first).to(tl.int32) + at, key, numbers, TYPE)
    if first + BLOCK <= size:
        _update(theta_at + at, v_at + at, g_at + at, last_at + at, None, eta, numbers, SCHEME)
    else:
        _update(theta_at + at, v_at + at, g_at + at, last_at + at, first + at < size, eta, numbers, SCHEME)


def launch(scheme: str, params, velocities, last, grads, key: Tensor, numbers: Sequence[float]) -> None:
    """Update contiguous tensors of one GPU and type.

    Args:
        key: of the noise, on the GPU.
        numbers: momentum, lr, the noise's standard deviation, the decay.
    """
    device, dtype, sizes = key.device, params[0].dtype, tuple(p.numel() for p in params)
    tensors, blocks, starts = _blocks(sizes, device)
    if not len(blocks):
        return
    pointers = tuple(t.data_ptr() for several in (params, velocities, last or params, grads) for t in several)
    kind = tl.float64 if dtype is torch.float64 else tl.float32
    aligned = not any(pointer % 16 for pointer in pointers)
    table, values = _table(pointers, starts, sizes, device), _numbers((*numbers, *COEFFICIENTS), dtype, device)
    with torch.cuda.device_of(table):
        _kernel[(len(blocks),)](
            table, len(sizes), tensors, blocks, key, values, scheme, kind, aligned, BLOCK, num_warps=WARPS
        )


# Copying a few numbers to a GPU takes as long as updating a million: they are kept as long as they do not change.
@functools.lru_cache(maxsize=16)
def _table(pointers: tuple[int, ...], starts: tuple[int, ...], sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """Return rows of pointers to parameters, velocities, last noise and gradients, of first indices and sizes."""
    rows = torch.tensor([*pointers, *starts, *sizes], dtype=torch.int64)
    return rows.to(device)


@functools.lru_cache(maxsize=16)
def _numbers(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=dtype).to(device)


@functools.lru_cache(maxsize=16)
def _blocks(sizes: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Return for each program its tensor and its block in it, and the index of each tensor's first value in all."""
    counts = torch.tensor([-(-size // BLOCK) for size in sizes])
    tensors = torch.repeat_interleave(counts)
    blocks = torch.arange(len(tensors)) - (counts.cumsum(0) - counts)[tensors]
    starts = (0, *torch.tensor(sizes).cumsum(0).tolist()[:-1])
    return tensors.int().to(device), blocks.int().to(device), starts
