"""Gradient-boosted trees: round by round as at once, without the features that say nothing, and bad numbers refused."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from physnn.lab.data import problems
from physnn.lab.models.boosting import BINS, Boosted, Boosting

FREE = Boosting(leaves=6, leaf_samples=3, ridge=0.5)


def test_rounds_add_up_to_a_single_fit():
    """Of scikit-learn's own, with constant features beside the others, which no tree can use."""
    drawn = problems.draw("tumours", 200, 1)
    still = torch.cat([torch.ones(200, 2), drawn.train.inputs], 1)
    trees = Boosted(FREE, 0.2, still, drawn.train.labels)
    for _ in range(3):
        trees.grow(4)
    whole = HistGradientBoostingClassifier(
        learning_rate=0.2, max_leaf_nodes=6, min_samples_leaf=3, l2_regularization=0.5, max_bins=BINS, max_iter=12,
        early_stopping=False,
    ).fit(drawn.train.inputs.numpy(), drawn.train.labels.numpy())  # fmt: skip
    given = torch.cat([torch.ones(171, 2), drawn.test.inputs], 1)
    assert trees.accuracy(given, drawn.test.labels) == whole.score(drawn.test.inputs.numpy(), drawn.test.labels.numpy())
    np.testing.assert_allclose(
        trees.model.predict_proba(given[:, trees.used].numpy()), whole.predict_proba(drawn.test.inputs.numpy())
    )
    assert trees.accuracy(given, drawn.test.labels) > 0.9


def test_before_the_first_round_the_answer_is_the_most_frequent_class():
    labels = torch.tensor([1, 1, 0])
    trees = Boosted(FREE, 0.1, torch.randn(3, 2, generator=torch.Generator().manual_seed(0)), labels)
    assert trees.accuracy(torch.zeros(4, 2), torch.tensor([1, 1, 1, 0])) == 0.75


def test_drawn_counts_are_rounded():
    rest = {"leaves": 7.6, "leaf_samples": 1.2, "ridge": 0.0, "more": 1}
    assert Boosting.read(rest) == Boosting(8, 1, 0.0) and rest == {"more": 1}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"leaves": 1.4, "leaf_samples": 1, "ridge": 0.0}, "leaves must be at least 2, .* got 1.4"),
        ({"leaves": 4, "leaf_samples": 0.2, "ridge": 0.0}, "leaf_samples at least 1"),
        ({"leaves": 4, "leaf_samples": 1, "ridge": -1.0}, "ridge at least 0"),
        ({"leaves": 4, "leaf_samples": 1}, "ridge must be a finite number, got None"),
    ],
)
def test_bad_numbers(given, message):
    with pytest.raises(ValueError, match=message):
        Boosting.read(given)
