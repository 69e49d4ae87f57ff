"""The kernel of a GPU in Triton's interpreter, which needs none: the numbers of the readable form, in one launch."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")

SCRIPT = """
import torch
from physnn import scheme
from physnn.fast import triton_kernel
from physnn.noise import byte_sum, draw_key

NUMBERS = {"lr": 0.1, "momentum": 0.7, "noise_std": 0.3, "weight_decay": 0.2}
for dtype, tolerance in ((torch.float32, 2e-6), (torch.float64, 1e-12)):
    for name in ("post", "gjf", "baoa"):
        generator = torch.Generator().manual_seed(0)
        sizes = [3, 0, 17, 2048, 5000]  # less than a block, none, one, and a rest
        lists = [[torch.randn(n, generator=generator, dtype=dtype) for n in sizes] for _ in range(4)]
        params, velocities, grads, last = lists
        before = [[t.clone() for t in several] for several in lists]
        key = draw_key(generator)
        key[2] = 123  # not the first value
        numbers = [NUMBERS["momentum"], *list(NUMBERS.values())[:1], NUMBERS["noise_std"], NUMBERS["weight_decay"]]
        triton_kernel.launch(name, params, velocities, last if name == "gjf" else None, grads, key, numbers)
        eta = list(byte_sum(sum(sizes), key, dtype).split(sizes))
        used = [(a + b) / 2 for a, b in zip(before[3], eta)] if name == "gjf" else eta
        scheme.single_tensor(name, before[0], before[2], before[1], used, **NUMBERS)
        expected = before[0] + before[1] + before[2] + (eta if name == "gjf" else before[3])
        for a, b in zip(params + velocities + grads + last, expected):
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
triton_kernel.launch("post", [torch.zeros(0)], [torch.zeros(0)], None, [torch.zeros(0)], key, numbers)
print("right")
"""


def test_the_kernel_is_the_readable_form():
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=300)
    assert run.stdout.split() == ["right"], run.stdout + run.stderr[-2000:]
