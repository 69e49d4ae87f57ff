"""The heights of errors, by hand."""

import pytest
import torch

from physnn.lab.metrics.hierarchy import chance_height, error_height

HEIGHTS = torch.tensor([[0.0, 0.5, 1.0], [0.5, 0.0, 1.0], [1.0, 1.0, 0.0]])


def test_only_errors_count():
    labels = torch.tensor([0, 1, 2, 2])
    answers = torch.tensor([[0, 0, 2, 1], [0, 1, 2, 2], [1, 0, 2, 2]])
    found = error_height(answers, labels, HEIGHTS)
    assert found[[0, 2]].tolist() == [0.75, 0.5] and found[1].isnan()
    assert error_height(answers, labels.unsqueeze(0), HEIGHTS)[0] == 0.75


def test_chance_is_the_mean_over_all_wrong_answers():
    assert chance_height(HEIGHTS) == pytest.approx((0.5 + 1 + 1) / 3)
    labels = torch.arange(3).repeat_interleave(3)
    assert error_height(torch.arange(3).repeat(3), labels, HEIGHTS).item() == pytest.approx(chance_height(HEIGHTS))
