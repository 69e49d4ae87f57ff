"""What the optimizer keeps for each parameter: its types, and what it must look like before a step."""

import math
import sys
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# A velocity is smaller than the spacing of such numbers: it, the noise and the rest of the parameter are kept wide.
WIDE = {torch.float16: torch.float32, torch.bfloat16: torch.float32, torch.complex32: torch.complex64}
TYPES = (*WIDE, *WIDE.values(), torch.float64, torch.complex128)
KEPT = ("velocity", "noise", "remainder")


def wide(dtype: torch.dtype) -> torch.dtype:
    """Return the type in which a parameter of type ``dtype`` is updated."""
    return WIDE.get(dtype, dtype)


def has_values(tensor: Tensor) -> bool:
    """Say whether numbers can be read from ``tensor``: not on the meta device, and not in fake mode."""
    fake = getattr(sys.modules.get("torch._subclasses.fake_tensor"), "FakeTensor", ())
    return not (tensor.is_meta or isinstance(tensor, fake))


def check_parameters(params: Iterable[Tensor]) -> None:
    """Raise on a parameter that no step could move.

    Raises:
        TypeError: its values are of another type than the floating and complex ones of 16 to 128 bits, it is not
            dense, or it is distributed over processes (a DTensor).
    """
    distributed = getattr(sys.modules.get("torch.distributed.tensor"), "DTensor", ())
    for i, p in enumerate(params):
        if isinstance(p, distributed):
            raise TypeError(
                f"parameter {i} is a DTensor, spread over processes (FSDP2, tensor parallelism): Langevin would draw "
                "the noise of each piece from generators that know nothing of each other. Use DistributedDataParallel"
            )
        if p.layout is not torch.strided or p.dtype not in TYPES:
            raise TypeError(
                f"parameter {i} must be dense and of a floating or complex type of 16 to 128 bits, got {p.dtype} "
                f"with layout {p.layout}"
            )


def check_state(i: int, group: int, p: Tensor, state: dict[str, Any]) -> None:
    """Raise if the gradient or what is kept for ``p``, parameter i of a group, does not fit it.

    Raises:
        RuntimeError: shape, type, device or layout differ.
    """
    grad, shape, device = p.grad, p.shape, p.device
    assert grad is not None, "the caller's choice"
    if grad.shape != shape or grad.device != device or grad.is_complex() != p.is_complex():
        raise RuntimeError(
            f"the gradient of parameter {i} of group {group} is {_describe(grad)}, but the parameter is "
            f"{_describe(p)}: its data were replaced after the backward pass. Compute the gradient again"
        )
    dtype = wide(p.dtype)
    for name in KEPT:
        kept = state.get(name)
        if kept is None:
            continue
        fits = kept.shape == shape and kept.device == device and kept.layout is torch.strided
        if not fits or kept.dtype is not dtype:
            advice = (
                "the state is of another model, or the parameter was replaced: load a state that fits, or make the "
                "optimizer anew"
            )
            if kept.shape == shape:
                advice = (
                    "the parameter was converted or moved after a step: "
                    "optimizer.load_state_dict(optimizer.state_dict()) makes the state follow it"
                )
            raise RuntimeError(
                f"the {name} kept for parameter {i} of group {group} is {_describe(kept)}, but the parameter is "
                f"{_describe(p)} and needs {dtype}; nothing was updated: {advice}"
            )
        if not kept.is_contiguous() and kept.stride() != p.stride():
            state[name] = kept.contiguous()  # what shares memory within itself cannot be written to


def _describe(tensor: Tensor) -> str:
    return f"{tensor.dtype} of shape {tuple(tensor.shape)} on {tensor.device}"


def rescaling(group: dict[str, Any], lr: float) -> float:
    """Return what the velocities of ``group`` are multiplied by before a step with ``lr``: sqrt(lr / the last lr)."""
    last = group["velocity_lr"]
    return 1.0 if not group["rescale"] or last in (None, 0.0, lr) else math.sqrt(lr / last)
