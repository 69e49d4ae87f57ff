"""The coherence of fields: exact permutation means, eigenvalues of the chain, and cases worked by hand."""

import itertools
import math

import pytest
import torch

from physnn.lab.metrics import fields as metrics


def outputs(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("shape", "dims"), [((2, 3), 2), ((6,), 1), ((1, 5), 2)])
def test_means_over_all_permutations(shape, dims):
    """-1/(n-1) for Moran's I, 1 for Geary's C: exactly, over all orders of the values."""
    values = outputs(math.prod(shape), seed=3)
    orders = torch.tensor(list(itertools.permutations(range(len(values)))))
    fields = values[orders].reshape(-1, *shape)
    assert metrics.moran(fields, dims).mean().item() == pytest.approx(-1 / (len(values) - 1))
    assert metrics.geary(fields, dims).mean().item() == pytest.approx(1.0)


def test_a_checkerboard_and_a_ramp():
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    assert metrics.moran(board).item() == pytest.approx(-1)
    assert metrics.geary(board).item() == pytest.approx(4 * 4 * 3 / (2 * 4 * 4))  # (n-1)/(2W) * sum of 8 pairs * 4 / 4
    assert metrics.dirichlet(board).item() == pytest.approx(4 * 4 / 4)
    ramp = torch.arange(5.0, dtype=torch.float64)
    assert metrics.dirichlet(ramp, 1).item() == pytest.approx(4 / 10)
    assert metrics.moran(ramp, 1).item() == pytest.approx(5 / 4 * (2 + 0 + 0 + 2) / 10)


def test_the_smoothest_and_the_roughest_chain():
    """The Rayleigh quotient is an eigenvalue of the chain's Laplacian: 2 - 2 cos(pi k / n) for its k-th cosine."""
    n = 10
    for k in (1, 9):
        mode = torch.cos(math.pi * k * (torch.arange(n, dtype=torch.float64) + 0.5) / n)
        assert metrics.dirichlet(mode, 1).item() == pytest.approx(2 - 2 * math.cos(math.pi * k / n))


def test_coherence_knows_no_offset_and_no_factor():
    f = outputs(3, 6, 7)
    for function in (metrics.moran, metrics.geary, metrics.dirichlet):
        torch.testing.assert_close(function(5 - 3 * f), function(f))


@pytest.mark.parametrize("function", [metrics.moran, metrics.geary, metrics.dirichlet])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_field_has_no_coherence(function, dtype):
    """Even where the mean of equal values is not that value, as of 0.1 in many sizes."""
    fields = torch.full((50, 7, 9), 0.1, dtype=dtype) * torch.arange(50, dtype=dtype)[:, None, None]
    assert function(fields).isnan().all()
    fields[1:, 0, 0] += 1
    assert function(fields)[0].isnan() and function(fields)[1:].isfinite().all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.moran(torch.zeros(4, 1, 1)), "neighbours"),
        (lambda: metrics.dirichlet(torch.zeros(4, 4, dtype=torch.long)), "floats with neighbours, got torch.int64"),
        (lambda: metrics.geary(torch.zeros(4, 4, 4), dims=3), "dims=3"),
        (lambda: metrics.geary(torch.zeros(4)), r"dims=2, \(4,\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("function", [metrics.moran, metrics.geary, metrics.dirichlet])
def test_coherence_of_small_numbers_and_on_a_plateau_in_single_precision(function):
    f = outputs(3, 6, 7)
    torch.testing.assert_close(function(1e-200 * f), function(f))
    small = (2.0**-90 * f).float()
    torch.testing.assert_close(function(small), function(small.double()).float(), rtol=1e-6, atol=0)
    high = (1000 + f).float()
    torch.testing.assert_close(function(high), function(high.double()).float(), rtol=1e-6, atol=0)
