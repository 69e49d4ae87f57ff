"""The classifier that looks at pictures which were made."""

import torch

from physnn.lab.data.small import small
from physnn.lab.models.onlooker import FEATURES, onlooker


def test_it_knows_digits_and_is_always_the_same():
    torch.manual_seed(1)
    first = onlooker.__wrapped__("digits", "gray")
    torch.manual_seed(2)
    second = onlooker.__wrapped__("digits", "gray")
    pictures, labels = small("digits", "validation")
    assert torch.equal(first(pictures), second(pictures))
    assert (first.classes(pictures) == labels).double().mean() > 0.85
    features = first.features(pictures)
    assert features.shape == (300, FEATURES) and features.min() == 0 and not features.requires_grad
    torch.testing.assert_close(first.outer(features), first(pictures))
