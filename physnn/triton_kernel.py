"""The optimizer's update on a GPU as one Triton kernel: all tensors in one launch, their noise made on the way."""

import functools
from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 2048  # values to a program
# Of physnn.noise.byte_sum_at; in the kernel they would be rounded to float32.
COEFFICIENTS = (0.006464525223, 6.59102626e-09, -4.836531273e-14, 2.760953735e-19)
ROWS = ("params", "velocities", "last", "grads", "starts", "sizes")  # of the table that a launch reads


@triton.jit
def _kernel(table, count, tensors, blocks, key, numbers, SCHEME: tl.constexpr, TYPE: tl.constexpr, BLOCK: tl.constexpr):
    """Update one block of one tensor; ``table`` has a row for each of ROWS and a column for each tensor."""
    program = tl.program_id(0)
    column = table + tl.load(tensors + program)
    size = tl.load(column + 5 * count)
    offset = tl.load(blocks + program).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = offset < size
    theta_at = tl.load(column).to(tl.pointer_type(TYPE)) + offset
    v_at = tl.load(column + count).to(tl.pointer_type(TYPE)) + offset
    g_at = tl.load(column + 3 * count).to(tl.pointer_type(TYPE)) + offset
    theta, v, g = tl.load(theta_at, mask=inside), tl.load(v_at, mask=inside), tl.load(g_at, mask=inside)
    keep, lr, std, decay = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2), tl.load(numbers + 3)
    c0, c1, c2, c3 = tl.load(numbers + 4), tl.load(numbers + 5), tl.load(numbers + 6), tl.load(numbers + 7)
    # physnn.noise.byte_sum, in unsigned integers, whose shifts need no mask.
    x = (tl.load(column + 4 * count) + offset).to(tl.uint32) + tl.load(key + 2).to(tl.uint32)
    x = x ^ tl.load(key).to(tl.uint32)
    x = (x ^ (x >> 16)) * 0x21F0AAAD + tl.load(key + 1).to(tl.uint32)
    x = (x ^ (x >> 15)) * 0xD35A2D97
    x = x ^ (x >> 15)
    pairs = (x & 0x00FF00FF) + ((x >> 8) & 0x00FF00FF)
    u = ((pairs & 0xFFFF) + (pairs >> 16)).to(TYPE) - 510
    u2 = u * u
    eta = u * (c0 + u2 * (c1 + u2 * (c2 + u2 * c3)))
    force = lr * (g + decay * theta)
    if SCHEME == "baoa":
        kicked = v - force
        v = keep * kicked + std * eta
        theta = theta + 0.5 * (kicked + v)
    else:
        if SCHEME == "gjf":
            last_at = tl.load(column + 2 * count).to(tl.pointer_type(TYPE)) + offset
            last = tl.load(last_at, mask=inside)
            tl.store(last_at, eta, mask=inside)
            eta = 0.5 * (last + eta)
        v = keep * v - force + std * eta
        theta = theta + v
    tl.store(v_at, v, mask=inside)
    tl.store(theta_at, theta, mask=inside)


def launch(scheme: str, params, velocities, last, grads, key: Tensor, numbers: Sequence[float]) -> None:
    """Update contiguous tensors of one GPU and type.

    Args:
        key: of the noise, on the GPU.
        numbers: 1 - damping, lr, the noise's standard deviation, the decay.
    """
    device, dtype, sizes = key.device, params[0].dtype, tuple(p.numel() for p in params)
    tensors, blocks, starts = _blocks(sizes, device)
    if not len(blocks):
        return
    pointers = [[t.data_ptr() for t in several or params] for several in (params, velocities, last, grads)]
    table = torch.tensor([*pointers, starts, sizes], dtype=torch.int64).to(device)
    values = torch.tensor([*numbers, *COEFFICIENTS], dtype=dtype).to(device)
    kind = tl.float64 if dtype is torch.float64 else tl.float32
    with torch.cuda.device_of(table):
        _kernel[(len(blocks),)](table, len(sizes), tensors, blocks, key, values, scheme, kind, BLOCK)


@functools.lru_cache(maxsize=64)
def _blocks(sizes: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor, list[int]]:
    """Return for each program its tensor and its block in it, and the index of each tensor's first value in all."""
    counts = torch.tensor([-(-size // BLOCK) for size in sizes])
    tensors = torch.repeat_interleave(counts)
    blocks = torch.arange(len(tensors)) - (counts.cumsum(0) - counts)[tensors]
    starts = [0, *torch.tensor(sizes).cumsum(0).tolist()[:-1]]
    return tensors.int().to(device), blocks.int().to(device), starts
