"""The optimizer's update as one compiled kernel: noise, velocity and parameter in a single pass over memory.

On a GPU it is that of :mod:`physnn.fast.triton_kernel`; here are the choice between them, and the one of the processor.
"""

import functools
import importlib
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from physnn.noise import byte_sum_at, draw_key
from physnn.scheme import Tensors, each

DTYPES = (torch.float32, torch.float64)
SMALL = 2**14  # A call costs as much as the update of so many values: smaller tensors are updated as one.
Update = Callable[..., None]
WIDTH = 1024  # values in a row: a kernel reads the indices of one from memory, quicker than it would count


def compiled_update(
    scheme: str,
    params: Tensors,
    grads: Tensors,
    velocities: Tensors,
    last: Tensors | None,
    generator: torch.Generator,
    *,
    lr: float,
    momentum: float,
    noise_std: float,
    weight_decay: float,
) -> bool:
    """Update contiguous tensors of one device and type; return False, with nothing changed, if no kernel can be had.

    Args:
        params: the smallest first, as the index of a value in all of them together decides its noise.
        last: with the scheme ``"gjf"`` the last step's noise, updated too; else None.
    """
    update = _kernel(scheme, params[0].dtype, params[0].device)
    if update is None:
        return False
    device, dtype = params[0].device, params[0].dtype
    key, options = draw_key(generator), [momentum, lr, noise_std, weight_decay]
    if device.type == "cuda":
        update(scheme, params, velocities, last, grads, key, options)
        return True
    numbers = torch.tensor(options, dtype=dtype)
    lists = [tensors for tensors in (params, velocities, last, grads) if tensors is not None]
    flat = list(zip(*([t.detach().view(-1) for t in tensors] for tensors in lists), strict=True))
    small = sum(p.numel() <= SMALL for p in params)
    start = _update_copies(update, flat[:small], key, numbers) if small else 0
    for tensors in flat[small:]:
        count = tensors[0].numel() // WIDTH * WIDTH
        update(*(t[:count].view(-1, WIDTH) for t in tensors), _shifted(key, start), numbers, _columns(device))
        if count < tensors[0].numel():
            _update_copies(update, [tuple(t[count:] for t in tensors)], _shifted(key, start + count), numbers)
        start += tensors[0].numel()
    return True


def _update_copies(update: Update, flat: list[tuple[Tensor, ...]], key: Tensor, numbers: Tensor) -> int:
    """Update small tensors as one, filled up to whole rows, of which the compiler wants two; return their size."""
    sizes = [tensors[0].numel() for tensors in flat]
    rest = max(2 * WIDTH, -(-sum(sizes) // WIDTH) * WIDTH) - sum(sizes)
    joined = [torch.cat([*several, several[0].new_zeros(rest)]) for several in zip(*flat, strict=True)]
    update(*(t.view(-1, WIDTH) for t in joined), key, numbers, _columns(key.device))
    for several, new in list(zip(zip(*flat, strict=True), joined, strict=True))[:-1]:
        each("copy_", list(several), list(new[: sum(sizes)].split(sizes)))
    return sum(sizes)


def _shifted(key: Tensor, start: int) -> Tensor:
    """Return the key of values from the index ``start`` on."""
    key = key.clone()
    key[2] += start
    return key


@functools.cache
def _columns(device: torch.device) -> Tensor:
    return torch.arange(WIDTH, dtype=torch.int32, device=device)


def _noise(like: Tensor, key: Tensor, columns: Tensor) -> Tensor:
    rows = torch.arange(len(like), dtype=torch.int32, device=like.device).unsqueeze(1)
    return byte_sum_at(rows * like.shape[1] + columns, key, like.dtype)


def _post(theta: Tensor, v: Tensor, g: Tensor, key: Tensor, h: Tensor, columns: Tensor) -> None:
    """v <- keep v - lr (g + decay theta) + std eta, theta <- theta + v, with h = (keep, lr, std, decay)."""
    eta = _noise(theta, key, columns)
    v.copy_(h[0] * v - h[1] * (g + h[3] * theta) + h[2] * eta)
    theta.add_(v)


def _gjf(theta: Tensor, v: Tensor, last: Tensor, g: Tensor, key: Tensor, h: Tensor, columns: Tensor) -> None:
    """The same with the mean of this step's noise and the last one's."""
    eta = _noise(theta, key, columns)
    v.copy_(h[0] * v - h[1] * (g + h[3] * theta) + h[2] * (0.5 * (last + eta)))
    last.copy_(eta)
    theta.add_(v)


def _baoa(theta: Tensor, v: Tensor, g: Tensor, key: Tensor, h: Tensor, columns: Tensor) -> None:
    """A kick, half a drift, friction and noise, half a drift."""
    kicked = v - h[1] * (g + h[3] * theta)
    v.copy_(h[0] * kicked + h[2] * _noise(theta, key, columns))
    theta.add_(0.5 * (kicked + v))


UPDATES: dict[str, Update] = {"post": _post, "gjf": _gjf, "baoa": _baoa}


def _compile(function: Update) -> Update:
    """Return ``function`` compiled for any number of rows, with multiply and add in one instruction where it can be."""
    flag = "cpp.enable_floating_point_contract_flag"
    choices: tuple[dict[str, Any], ...] = ({flag: "fast"}, {flag: True})
    for options in choices:  # a word since torch 2.7, a switch in torch 2.6
        try:
            return torch.compile(function, dynamic=True, fullgraph=True, options=options)
        except RuntimeError:  # the option has another type, or is not known
            continue
    return torch.compile(function, dynamic=True, fullgraph=True)


@functools.cache
def _kernel(scheme: str, dtype: torch.dtype, device: torch.device) -> Update | None:
    """Compile the update of ``scheme`` for any number of rows; return None, with a warning, if that fails.

    The numbers of a step come in a tensor, so that a schedule does not compile anew. The kernel is tried on tensors of
    its own, so that a failure leaves no parameter half updated.
    """
    # 48 rows: unlike the four numbers, so that the compiler takes the lengths as unrelated.
    rows = [torch.zeros(48, WIDTH, dtype=dtype, device=device) for _ in range(4 if scheme == "gjf" else 3)]
    key = torch.zeros(3, dtype=torch.int32, device=device)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler's own, which would fail it where warnings are errors
            if device.type == "cuda":
                update: Update = importlib.import_module("physnn.fast.triton_kernel").launch
                theta, v, *last, g = ([row] for row in rows)
                update(scheme, theta, v, last[0] if last else None, g, key, [0.0] * 4)
            else:
                update = _compile(UPDATES[scheme])
                update(*rows, key, torch.zeros(4, dtype=dtype, device=device), _columns(device))
    except Exception as error:  # a compiler fails in many ways, and none of them should end a run
        cause = getattr(error, "inner_exception", error)  # "backend='inductor' raised" tells nothing
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        warnings.warn(
            f"compiled=True: no kernel could be compiled for {device} ({reason}); the same update runs uncompiled, "
            "several times slower. Where a C++ compiler is missing, install one; else set compiled=False",
            RuntimeWarning,
            stacklevel=4,
        )
        return None
    return update
