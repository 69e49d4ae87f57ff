"""Posteriors that are known, and what options, draws and predictions must be; false alarms are stated."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

import physnn.sampling
from physnn import Chains, Langevin, Samples, log_predictive, posterior


def regression(n=12, prior_std=0.7):
    """Three weights, noise of variance 1; return data and the mean and covariance of the posterior."""
    g = torch.Generator().manual_seed(5)
    x = torch.randn(n, 3, generator=g, dtype=torch.float64)
    y = x @ torch.tensor([[0.5], [-1.0], [0.3]], dtype=torch.float64) + torch.randn(n, 1, generator=g).double()
    precision = x.T @ x + torch.eye(3, dtype=torch.float64) / prior_std**2
    covariance = torch.linalg.inv(precision)
    return x, y, covariance @ (x.T @ y).squeeze(1), covariance


def half_squares(outputs, y):
    """The negative log-likelihood of noise of variance 1: its mean over data, and a sum over the outputs."""
    return (outputs - y).square().mean(0).sum() / 2


def sampled(k=6, copies=500, burn_in=120, draws=3, thin=40):
    """Six chains, each of a layer whose 500 outputs are the same problem over again; return draws of 3,000."""
    x, y, mean, covariance = regression()
    chains = Chains.seeded(lambda: nn.Linear(3, copies, bias=False, dtype=torch.float64), range(k))
    noise = torch.Generator().manual_seed(1)
    options = posterior(len(x), 0.7)
    optimizer = Langevin(chains.parameters(), 0.2, damping=0.4, scheme="gjf", generator=noise, **options)
    samples = Samples(chains, burn_in=burn_in, thin=thin)
    for _ in range(burn_in + draws * thin):
        optimizer.zero_grad()
        chains.losses(half_squares, x, y).sum().backward()
        optimizer.step()
        samples.step()
    assert samples["network.weight"].shape == (k, draws, copies, 3)
    return samples["network.weight"].transpose(1, 2).flatten(0, 1), mean, covariance


def test_a_regression_has_its_posterior():
    """Mean and covariance in closed form, of 3,000 independent weights; false alarms: 4 tests at 1e-5.

    The scheme is exact on a parabola, and what 160 steps leave of the start is below 1e-6 of it. A loss that is a mean
    over the chains, a decay without N, or one draw too early would be off by far more.
    """
    draws, mean, covariance = sampled()
    whiten = torch.linalg.cholesky(torch.linalg.inv(covariance))
    white = (draws[:, 0] - mean) @ whiten
    k = len(white)
    assert stats.chi2.sf(float(k * white.mean(0).square().sum()), 3) > 1e-5
    assert 1e-5 < 2 * stats.chi2.sf(float(white.square().sum()), 3 * k) < 2 - 1e-5
    # Off the diagonal, a mean of products of independent standard normals: of variance 1/k each, and normal.
    pairs = (white.unsqueeze(2) * white.unsqueeze(1)).mean(0)[[0, 0, 1], [1, 2, 2]]
    assert stats.chi2.sf(float(k * pairs.square().sum()), 3) > 1e-5
    means = draws.mean(1)  # of all draws
    assert (stats.ttest_1samp(means.numpy(), mean.numpy()).pvalue > 1e-5 / 3).all()


def test_a_wrong_prior_would_be_seen():
    """The same test of the law without the prior, to show that it can fail."""
    draws, *_ = sampled(draws=1)
    x, y, *_ = regression()
    covariance = torch.linalg.inv(x.T @ x)
    mean = covariance @ (x.T @ y).squeeze(1)
    white = (draws[:, 0] - mean) @ torch.linalg.cholesky(torch.linalg.inv(covariance))
    assert stats.chi2.sf(float(len(white) * white.mean(0).square().sum()), 3) < 1e-12


@pytest.mark.parametrize(("n", "std"), [(1, 1.0), (60_000, 0.05), (7, 3)])
def test_options_are_those_of_the_posterior(n, std):
    r"""-N L - |θ|²/2s² is -(L + λ|θ|²/2)/T, for any L and θ."""
    options = posterior(n, std)
    loss, square = 0.37, 2.9
    assert set(options) == {"temperature", "weight_decay"}
    exponent = (loss + options["weight_decay"] * square / 2) / options["temperature"]
    assert exponent == pytest.approx(n * loss + square / (2 * std**2), rel=1e-12)


def test_a_flat_prior_has_no_decay():
    assert posterior(10, math.inf) == {"temperature": 0.1, "weight_decay": 0.0}


def test_layers_can_have_priors_of_their_own():
    layers = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    groups = [{"params": layer.parameters(), **posterior(50, layer.in_features**-0.5)} for layer in layers]
    optimizer = Langevin(groups, 0.1, damping=0.1)
    assert [g["weight_decay"] for g in optimizer.param_groups] == pytest.approx([4 / 50, 3 / 50])
    assert [g["temperature"] for g in optimizer.param_groups] == [1 / 50] * 2


@pytest.mark.parametrize(
    ("n", "std", "kind", "said"),
    [
        (0, 1.0, ValueError, "num_data must be at least 1, got 0"),
        (1.5, 1.0, TypeError, "a whole number, got 1.5"),
        (True, 1.0, TypeError, "a whole number, got True"),
        (10, 0.0, ValueError, "prior_std must be above 0"),
        (10, -1.0, ValueError, "prior_std must be above 0"),
        (10, math.nan, ValueError, "prior_std must be above 0"),
        (10, "wide", TypeError, "prior_std must be a number, got 'wide'"),
    ],
)
def test_bad_options_of_a_posterior(n, std, kind, said):
    with pytest.raises(kind, match=said):
        posterior(n, std)


def test_predictions_are_means_of_probabilities():
    outputs = torch.randn(4, 5, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p = outputs.softmax(-1)
    torch.testing.assert_close(log_predictive(outputs, (0, 1)).exp(), p.mean((0, 1)))
    torch.testing.assert_close(log_predictive(outputs, 1).exp(), p.mean(1))
    torch.testing.assert_close(log_predictive(outputs, (-4, -3)), log_predictive(outputs.flatten(0, 1)))
    together = log_predictive(outputs, (0, 1))
    torch.testing.assert_close(together.softmax(-1), together.exp(), msg="what takes outputs takes it")
    torch.testing.assert_close(together.exp().sum(-1), torch.ones(7, dtype=torch.float64))
    shifted = outputs + 50 * torch.randn(4, 5, 7, 1, dtype=torch.float64)  # a softmax does not see it
    torch.testing.assert_close(log_predictive(shifted, (0, 1)), together)
    copies = outputs[0, 0].expand(6, 7, 3)
    torch.testing.assert_close(log_predictive(copies), outputs[0, 0].log_softmax(-1))


def test_the_nll_of_the_mean_is_below_the_mean_nll():
    """Jensen's inequality, for each sample: no draw of it is an exception."""
    outputs = 3 * torch.randn(9, 200, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.randint(4, (200,), generator=torch.Generator().manual_seed(2))
    single = torch.stack([F.cross_entropy(draw, labels, reduction="none") for draw in outputs]).mean(0)
    assert (F.nll_loss(log_predictive(outputs), labels, reduction="none") < single + 1e-6).all()


def test_predictions_keep_what_a_product_of_small_numbers_loses():
    """Probabilities below the smallest float, and classes that are ruled out."""
    outputs = torch.tensor([[[0.0, -200.0]], [[0.0, -300.0]]])
    assert log_predictive(outputs)[0, 1].item() == pytest.approx(-200 - math.log(2), rel=1e-6)
    never = torch.tensor([[[0.0, -torch.inf]], [[0.0, -torch.inf]]])
    assert log_predictive(never).tolist() == [[0.0, -math.inf]]


@pytest.mark.parametrize("dim", [-1, 2, 3, (0, 0), (0, -3), (), 7])
def test_axes_that_are_none(dim):
    with pytest.raises(ValueError, match="dim must name axes before the last"):
        log_predictive(torch.zeros(2, 3, 4), dim)


def test_what_is_no_prediction_is_refused():
    outputs = torch.zeros(2, 3, 4)
    for bad in (math.nan, math.inf):
        outputs[1, 2, 0] = bad
        with pytest.raises(ValueError, match="a chain that has diverged"):
            log_predictive(outputs)
    outputs[1, 2] = -math.inf
    with pytest.raises(ValueError, match="a chain that has diverged"):
        log_predictive(outputs)
    with pytest.raises(ValueError, match="nothing to average"):
        log_predictive(torch.zeros(0, 3, 4))


def test_the_module_has_all_four_names():
    assert {name: getattr(physnn, name) for name in ("Chains", "Samples", "log_predictive", "posterior")} == {
        name: getattr(physnn.sampling, name) for name in physnn.sampling.__all__ if name != "Posterior"
    }
