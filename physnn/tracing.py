"""When a tensor stands for another: on the meta device, in fake mode, and while torch traces or transforms."""

import sys

import torch
from torch import Tensor


def has_values(tensor: Tensor) -> bool:
    """Say whether numbers can be read from ``tensor``: not on the meta device, and not in fake mode."""
    fake = getattr(sys.modules.get("torch._subclasses.fake_tensor"), "FakeTensor", ())
    return not (tensor.is_meta or isinstance(tensor, fake))


def may_keep(tensor: Tensor) -> bool:
    """Say whether what is computed from ``tensor`` can be kept in a cache and used outside the mode that is on now."""
    return has_values(tensor) and not torch.is_inference_mode_enabled() and not torch.compiler.is_compiling()
