"""The Laplace approximation of a last layer: against the Hessian of autograd, and its draws against its covariance."""

import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from physnn.lab.models.laplace import draw, precision


def layer(n=30, features=4, classes=3):
    g = torch.Generator().manual_seed(0)
    h = torch.cat([torch.randn(n, features, generator=g), torch.ones(n, 1)], 1).double()
    w = torch.randn(classes, features + 1, generator=g, dtype=torch.float64)
    return h, torch.randint(classes, (n,), generator=g), w


def test_the_precision_is_the_hessian_of_the_negative_log_posterior():
    h, y, w = layer()

    def energy(w):
        return F.cross_entropy(h @ w.T, y, reduction="sum") + w.square().sum() / (2 * 0.7**2)

    hessian = torch.func.hessian(energy)(w).reshape(15, 15)
    torch.testing.assert_close(precision(h, h @ w.T, 0.7), hessian)


def test_draws_have_their_mean_and_covariance():
    """20,000 draws, whitened: chi-square; false alarms: 2 tests at 1e-5."""
    h, _, w = layer()
    peaked = precision(h, h @ w.T, 0.7)
    draws = draw(w, peaked, 20_000, torch.Generator().manual_seed(3))
    white = (draws - w).flatten(1) @ torch.linalg.cholesky(peaked)
    assert draws.shape == (20_000, 3, 5)
    assert 1e-5 < 2 * stats.chi2.sf(float(white.square().sum()), white.numel()) < 2 - 1e-5
    assert stats.chi2.sf(float(len(white) * white.mean(0).square().sum()), 15) > 1e-5


def test_data_leave_the_prior_where_the_answers_do_not_change():
    """The same added to the weights of all classes: there the variance stays c², and goes to 0 elsewhere."""
    h, _, w = layer()
    covariance = precision(h.repeat(10_000, 1), (h @ w.T).repeat(10_000, 1), 0.7).inverse()
    common = torch.eye(5, dtype=torch.float64).repeat(1, 3) / 3**0.5
    torch.testing.assert_close(common @ covariance @ common.T, 0.7**2 * torch.eye(5, dtype=torch.float64))
    assert float(covariance.trace()) == pytest.approx(5 * 0.7**2, rel=0.02)


@pytest.mark.parametrize(
    ("h", "outputs", "width", "said"),
    [
        (torch.ones(3, 2), torch.ones(4, 2), 1.0, "must have shapes"),
        (torch.ones(3), torch.ones(3, 2), 1.0, "must have shapes"),
        (torch.ones(3, 2), torch.ones(3, 2), 0.0, "must be above 0"),
    ],
)
def test_bad_input(h, outputs, width, said):
    with pytest.raises(ValueError, match=said):
        precision(h, outputs, width)
