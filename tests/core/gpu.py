"""The GPU of the tests marked `cuda`: `pytest -m cuda`. PHYSNN_CUDA_AS=cpu lets the processor stand in for it."""

import os

import pytest
import torch

NAME = os.environ.get("PHYSNN_CUDA_AS", "cuda")
ABSENT = NAME == "cuda" and not torch.cuda.is_available()
# With its index, as a tensor that lives there names it.
DEVICE = torch.device(NAME if ABSENT or NAME == "cpu" else f"{NAME}:0")
MARKS = [pytest.mark.cuda, pytest.mark.skipif(ABSENT, reason="torch sees no GPU on this machine")]


def home(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy on the CPU, in float64."""
    return tensor.detach().to("cpu", torch.float64, copy=True)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return normal numbers on the CPU, the same everywhere."""
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
