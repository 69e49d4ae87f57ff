"""The noise against its exact moments and in batteries of tests."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from physnn import Langevin
from physnn.noise import byte_sum, draw, draw_key, room

# Every value of the byte sum and its probability: four uniform bytes.
U = np.arange(1021) - 510.0
VALUES = U * (0.006464525223 + U**2 * (6.59102626e-09 + U**2 * (-4.836531273e-14 + U**2 * 2.760953735e-19)))
CHANCES = np.convolve(np.convolve(np.ones(256), np.ones(256)), np.convolve(np.ones(256), np.ones(256))) / 2**32


def test_byte_sum_has_the_moments_it_states():
    """Over the exact law of the sum of four uniform bytes: no sampling. The values come from the function itself."""
    drawn = byte_sum(200_000, torch.tensor([1, 2, 0], dtype=torch.int32), torch.float64).numpy()
    nearest = VALUES[np.searchsorted(VALUES, drawn - 1e-6)]
    np.testing.assert_allclose(nearest, drawn, rtol=1e-12, atol=1e-14)
    assert [(CHANCES * VALUES**k).sum() for k in (2, 4, 6, 8)] == pytest.approx([1, 3, 15, 105], rel=1e-7)
    assert (CHANCES * VALUES**10).sum() == pytest.approx(938.7, abs=0.05)
    assert np.all(np.diff(VALUES) > 0) and 4.97 < VALUES[-1] < 4.99
    below = np.cumsum(CHANCES)
    assert max(np.abs(f - stats.norm.cdf(VALUES)).max() for f in (below, below - CHANCES)) < 0.0022


def test_hash_passes_a_battery():
    """The law of the sum, chi-square; correlations along the index, and between four keys drawn one after the other.

    2^22 values each; 16 tests at 1e-4.
    """
    count, generator = 2**22, torch.Generator().manual_seed(0)
    etas = [byte_sum(count, draw_key(generator), torch.float64) for _ in range(4)]
    observed = np.bincount(np.searchsorted(VALUES, etas[0].numpy() - 1e-6), minlength=1021)
    middle = slice(100, 921)  # where each value is expected a hundred times and more; the tails are one class
    classes = [np.append(n[middle], n.sum() - n[middle].sum()) for n in (observed, CHANCES * count)]
    assert stats.chisquare(*classes).pvalue > 1e-4
    assert abs(etas[0].mean().item()) * math.sqrt(count) < 3.9
    for lag in (1, 2, 3, 8, 64, 256, 1024, 65536):
        assert abs((etas[0][:-lag] * etas[0][lag:]).mean().item()) * math.sqrt(count - lag) < 3.9
    for i in range(4):
        for j in range(i):
            assert abs((etas[i] * etas[j]).mean().item()) * math.sqrt(count) < 3.9


def test_byte_sum_starts_where_the_key_says():
    key = torch.tensor([3, -4, 0], dtype=torch.int32)
    later = torch.tensor([3, -4, 100], dtype=torch.int32)
    assert torch.equal(byte_sum(150, key, torch.float32)[100:], byte_sum(50, later, torch.float32))


@pytest.mark.parametrize("std", [1.0, 0.25])
def test_two_point_is_fair_and_independent(std):
    """Its values are +-std exactly; all 256 bytes and the 63 lags within a word: chi-square and z. 65 tests at 1e-5."""
    count = 2**20
    flat = torch.empty(room(count))
    (values,) = draw("two-point", [count], torch.Generator().manual_seed(0), flat, std)
    assert set(values.unique().tolist()) == {-std, std}
    bits = (values > 0).reshape(-1, 8).numpy()
    assert stats.chisquare(np.bincount(np.packbits(bits, axis=1).ravel(), minlength=256)).pvalue > 1e-5
    signs = values.double() / std
    for lag in range(1, 64):
        assert abs((signs[:-lag] * signs[lag:]).mean().item()) * math.sqrt(count - lag) < 4.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["normal", "two-point", "byte-sum"])
def test_draw_fills_the_parts_and_no_more(kind, dtype):
    """Odd sizes; mean and variance within 5 standard errors (two-sided 6e-7, 24 of them), and bfloat16's rounding."""
    sizes = [1, 0, 64, 100_003]
    flat = torch.full((room(sum(sizes)) + 5,), 77.0, dtype=dtype)
    parts = draw(kind, sizes, torch.Generator().manual_seed(1), flat, 0.5)
    assert [p.numel() for p in parts] == sizes and torch.all(flat[-5:] == 77)
    values = parts[-1].double()
    assert abs(values.mean().item()) < 5 * 0.5 / math.sqrt(1e5)
    assert values.var().item() == pytest.approx(
        0.25, rel=5 * math.sqrt(2 / 1e5) + (1e-2 if dtype == torch.bfloat16 else 0)
    )


def test_two_point_noise_keeps_the_exact_variances():
    """The covariance of a linear recursion sees two moments only: the stationary law's variances, chi-square at 1e-4.

    The sum over 40,000 walkers is normal to good accuracy though the walkers are not quite; their kurtosis is below 3,
    so that the test is conservative. 2 tests.
    """
    alpha, gamma, temperature, walkers = 0.1, 0.5, 0.7, 40_000
    theta = nn.Parameter(torch.zeros(walkers, dtype=torch.float64))
    optimizer = Langevin([theta], alpha, damping=gamma, temperature=temperature, noise="two-point",
                         generator=torch.Generator().manual_seed(1))  # fmt: skip
    for _ in range(100):
        theta.grad = theta.detach().clone()
        optimizer.step()
    var_theta = temperature / (1 - alpha / (4 - 2 * gamma))
    var_v = 4 * alpha * temperature / (2 * (2 - gamma) - alpha)
    for x, variance in ((theta.detach(), var_theta), (optimizer.state[theta]["velocity"], var_v)):
        statistic = (x.square().sum() / variance).item()
        assert 2 * min(stats.chi2.cdf(statistic, walkers), stats.chi2.sf(statistic, walkers)) > 1e-4
