"""Distances of predictions: in closed form."""

import math

import pytest
import torch

from physnn.lab.metrics.predictive import agreement, variation


def test_variation_of_two_coins():
    p, q = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log(), torch.tensor([[0.6, 0.4], [0.5, 0.5]]).log()
    assert float(variation(p, q)) == pytest.approx((0.3 + 0) / 2, abs=1e-6)
    assert float(variation(p, p)) == 0


def test_variation_is_1_where_nothing_is_shared():
    p = torch.tensor([[0.0, -math.inf]])
    assert float(variation(p, p.flip(1))) == 1


def test_of_several_at_once():
    several = torch.randn(3, 40, 5, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    torch.testing.assert_close(variation(several, several[0])[2], variation(several[2], several[0]))
    expected = (several[1].argmax(-1) == several[0].argmax(-1)).float().mean()
    assert agreement(several, several[0]).tolist()[:2] == [1.0, pytest.approx(float(expected))]
