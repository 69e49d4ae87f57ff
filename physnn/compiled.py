"""The optimizer's update as one compiled kernel: noise, velocity and parameter in a single pass over memory."""

import functools
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from physnn.noise import byte_sum, draw_key

DTYPES = (torch.float32, torch.float64)
SMALL = 2**14  # A call costs as much as the update of so many values: smaller tensors are updated as one.


def compiled_update(
    scheme, params, grads, velocities, last, generator, *, lr, damping, noise_std, weight_decay
) -> bool:
    """Update contiguous tensors of one device and type; return False, with nothing changed, if no kernel can be had.

    Args:
        params: the smallest first, as the index of a value in all of them together decides its noise.
        last: with the scheme ``"gjf"`` the last step's noise, updated too; else None.
    """
    update = _kernel(scheme, params[0].dtype, params[0].device)
    if update is None:
        return False
    lists = [tensors for tensors in (params, velocities, last, grads) if tensors is not None]
    lists = [[t.detach().view(-1) for t in tensors] for tensors in lists]
    key = draw_key(generator)
    numbers = torch.tensor([1 - damping, lr, noise_std, weight_decay], dtype=params[0].dtype, device=params[0].device)
    small = sum(p.numel() <= SMALL for p in params)
    start = 0
    if small > 1:
        joined = [torch.cat(tensors[:small]) for tensors in lists]
        update(*joined, key, numbers)
        sizes = [p.numel() for p in params[:small]]
        for tensors, new in zip(lists[:-1], joined[:-1], strict=True):
            torch._foreach_copy_(tensors[:small], list(new.split(sizes)))
        start = sum(sizes)
    for tensors in list(zip(*lists, strict=True))[small if small > 1 else 0 :]:
        part = key.clone()
        part[2] += start
        update(*tensors, part, numbers)
        start += tensors[0].numel()
    return True


def _post(theta: Tensor, v: Tensor, g: Tensor, key: Tensor, h: Tensor) -> None:
    """v <- keep v - lr (g + decay theta) + std eta, theta <- theta + v, with h = (keep, lr, std, decay)."""
    eta = byte_sum(theta.numel(), key, theta.dtype)
    v.copy_(h[0] * v - h[1] * (g + h[3] * theta) + h[2] * eta)
    theta.add_(v)


def _gjf(theta: Tensor, v: Tensor, last: Tensor, g: Tensor, key: Tensor, h: Tensor) -> None:
    """The same with the mean of this step's noise and the last one's."""
    eta = byte_sum(theta.numel(), key, theta.dtype)
    v.copy_(h[0] * v - h[1] * (g + h[3] * theta) + h[2] * (0.5 * (last + eta)))
    last.copy_(eta)
    theta.add_(v)


def _baoa(theta: Tensor, v: Tensor, g: Tensor, key: Tensor, h: Tensor) -> None:
    """A kick, half a drift, friction and noise, half a drift."""
    kicked = v - h[1] * (g + h[3] * theta)
    v.copy_(h[0] * kicked + h[2] * byte_sum(theta.numel(), key, theta.dtype))
    theta.add_(0.5 * (kicked + v))


UPDATES = {"post": _post, "gjf": _gjf, "baoa": _baoa}


@functools.cache
def _kernel(scheme: str, dtype: torch.dtype, device: torch.device) -> Callable[..., None] | None:
    """Compile the update of ``scheme`` for flat tensors of every length; return None, with a warning, if that fails.

    The numbers of a step come in a tensor, so that a schedule does not compile anew. The kernel is tried on tensors of
    its own, so that a failure leaves no parameter half updated.
    """
    # 48 values: unlike the four of h, so that the compiler takes the lengths as unrelated.
    flat = [torch.zeros(48, dtype=dtype, device=device) for _ in range(4 if scheme == "gjf" else 3)]
    key = torch.zeros(3, dtype=torch.int32, device=device)
    contract = {"cpp.enable_floating_point_contract_flag": "fast"}  # multiply and add in one instruction
    try:
        update = torch.compile(UPDATES[scheme], dynamic=True, fullgraph=True, options=contract)
        update(*flat, key, torch.zeros(4, dtype=dtype, device=device))
    except Exception as error:  # a compiler fails in many ways, and none of them should end a run
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        warnings.warn(
            f"compiled=True: no kernel could be compiled for {device} ({reason}); the same update runs uncompiled, "
            "several times slower. Install a C++ compiler, or set compiled=False",
            RuntimeWarning,
            stacklevel=4,
        )
        return None
    return update
