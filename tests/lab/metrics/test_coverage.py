"""Coverage: by hand, and the floor of two samples of one law against what is expected of it."""

import math

import pytest
import torch

from physnn.lab.metrics.coverage import counts, covered, total_variation


def test_counts_and_distance_by_hand():
    found = counts(torch.tensor([[0, 2, 2, 1], [0, 0, 0, 0]]), 4)
    assert found.tolist() == [[1, 1, 2, 0], [4, 0, 0, 0]]
    assert total_variation(found[0], found[1]).item() == pytest.approx(0.75)
    assert total_variation(found, found).tolist() == [0, 0]
    assert total_variation(torch.tensor([3.0, 0.0]), torch.tensor([0.0, 7.0])).item() == 1


def test_two_samples_of_one_law_differ_by_what_normal_laws_say():
    """Of K equal cells and n draws: sqrt(K / (pi n)), here to 3 %."""
    drawn = torch.randint(50, (2, 4000), generator=torch.Generator().manual_seed(0))
    found = counts(drawn, 50)
    assert total_variation(*found).item() == pytest.approx(math.sqrt(50 / (math.pi * 4000)), rel=0.25)


def test_covered_asks_for_half_of_each_mode_that_is_not_small():
    shares = torch.tensor([0.5, 0.3, 0.195, 0.005], dtype=torch.float64)
    found = torch.tensor([[100.0, 0.0, 0.0, 0.0], [50.0, 15.0, 9.0, 26.0], [60.0, 20.0, 20.0, 0.0]])
    assert covered(found, shares, 0.01).tolist() == pytest.approx([1 / 3, 2 / 3, 1])
