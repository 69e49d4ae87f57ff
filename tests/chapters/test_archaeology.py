"""The equations of the chapter on parameter counts and archaeology, and what it says about the recorded numbers."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from physnn import ExperimentalLayer
from physnn.lab.models.network import network, parameter_count
from physnn.lab.records.finals import final_rows
from physnn.lab.records.studies import Study


@pytest.mark.parametrize("widths", [[784, 10], [64, 1, 10], [784, 128, 10], [784, 960, 256, 10], [30, 2, 2, 2]])
def test_eq_archaeology_count(widths):
    """Two scalars more and m biases less in each layer, whatever the widths."""
    plain = parameter_count(network(widths, nn.Linear))
    printed = parameter_count(network(widths, partial(ExperimentalLayer, beta_init=0.1)))
    assert printed - plain == sum(2 - m for m in widths[1:])


def test_the_layer_stores_two_numbers_that_it_does_not_use():
    layer = ExperimentalLayer(5, 3, 0.1, alpha=0.0035, gamma=5.0)
    x = torch.rand(4, 5)
    before = layer(x)
    layer.alpha, layer.gamma = 7.0, -3.0
    assert torch.equal(layer(x), before)
    assert {name for name, _ in layer.named_parameters()} == {"w", "beta", "t"}


@pytest.mark.parametrize("bias", [False, True])
def test_eq_archaeology_squares(bias):
    """The pseudoinverse of the Gram matrix gives the least squares, with pixels that are always dark."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 12, dtype=torch.float64, generator=generator)
    x[:, [0, 7]] = 0.0
    x = F.pad(x, (0, 1), value=1.0) if bias else x
    y = F.one_hot(torch.arange(200) % 10, 10).double()
    weights = torch.linalg.pinv(x.T @ x, hermitian=True) @ (x.T @ y)
    expected = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
    np.testing.assert_allclose(weights.numpy(), expected, atol=1e-10)
    step = 1e-3 * torch.randn(weights.shape, dtype=torch.float64, generator=generator)
    assert (x @ (weights + step) - y).square().sum() > (x @ weights - y).square().sum()


def test_the_convolutional_network_of_the_known_scripts_has_1_2_million():
    convolutions = 32 * (9 + 1) + 64 * (9 * 32 + 1)
    assert convolutions + 128 * (9216 + 1) + 10 * (128 + 1) == 1_199_882 and 9216 == 64 * 12**2


def test_the_maps_are_without_momentum_and_the_plain_network_is_of_the_stated_size():
    study = Study("archaeology")
    for recipe in study.arms.values():
        assert recipe["optimizer"] == "adam" or recipe.get("momentum") == 0.0 or recipe.get("damping") == 1.0
        assert recipe["widths"] == ([784, 1152, 256, 10] if recipe["layer"] == "experimental" else [784, 960, 256, 10])
    assert "final" not in study.design and "final" not in Study("few-images").design


@pytest.fixture(scope="module")
def early():
    """Validation accuracy in percent by arm, rate and epoch, means over seeds."""
    seen = 100 * Study("archaeology").table().set_index(["arm", "lr", "epoch"]).validation_accuracy
    return seen.groupby(level=[0, 1, 2]).mean()


def test_early_the_proposal_is_ahead_and_cross_entropy_steps_over_85(early):
    """At 0.01: ahead after each epoch; where the plain network passes 85, the proposal is within a point of 89."""
    plain, proposal = early["cross-entropy"][0.01], early["proposal, T = 0"][0.01]
    assert (proposal - plain)[[1, 2, 3]].min() > 0 and plain[2] < 85 < plain[3]
    share = (85 - plain[2]) / (plain[3] - plain[2])
    assert abs(proposal[2] + share * (proposal[3] - proposal[2]) - 89) < 1
    every = early["cross-entropy"].drop(0, level="epoch")
    assert (every - 85).abs().min() > 1


def test_the_proposal_gives_89_in_its_first_epochs_with_noise_and_without(early):
    for arm in ("proposal", "proposal, T = 0"):
        assert (early[arm].drop(0, level="epoch") - 89).abs().min() <= 1


def test_one_layer_and_heat_are_as_the_chapter_says():
    rows = final_rows(Study("as-printed"))
    assert set(rows.epoch) == {10}
    final = rows.groupby("arm").percent.mean()
    assert abs(final["one-layer proposal at T=0"] - 89) <= 1 and abs(final["three-layer proposal"] - 89) <= 1
    hot = final_rows(Study("optimizer-terms")).groupby("arm").percent.mean()
    assert hot["cross-entropy: T = 10/N"] > 86 > 84 > hot["cross-entropy: T = 100/N"]  # 85 is hotter than 10/N


def test_tuned_networks_of_the_stated_size_give_neither_figure():
    for name, kinds in (
        ("headline", ("at its best", "corrected", "plain")),
        ("as-printed", ("three-layer plain", "three-layer proposal at")),
    ):
        means = final_rows(Study(name)).groupby("arm").percent.mean()
        chosen = [arm for arm in means.index if any(kind in arm for kind in kinds)]
        assert len(chosen) == (4 if name == "headline" else 3) and means[chosen].min() > 90
