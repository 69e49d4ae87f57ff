"""Pictures of 8 by 8: what they are made from, and which are drawn."""

import pytest
import torch

from physnn.lab.data import small as module
from physnn.lab.data.images import Dataset, Split, load
from physnn.lab.data.small import draw, small


def test_the_digits_are_as_they_are():
    pictures, labels = small("digits", "test")
    raw = load("digits").test
    torch.testing.assert_close(pictures, raw.images.flatten(1) / 8.0 - 1)
    assert (labels == raw.labels).all() and pictures.dtype == torch.float32
    two, _ = small("digits", "test", "two")
    assert (two == torch.where(raw.images.flatten(1) > 8, 1.0, -1.0)).all()


def test_the_middle_of_mnist_is_averaged(monkeypatch):
    images = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    images[0, 0, :2] = 255  # in the margin
    images[0, 0, 2:5, 2:5] = 255  # the first square
    images[0, 0, 25, 25] = 90  # a ninth of the last one
    split = Split(images, torch.tensor([7]))
    monkeypatch.setattr(module, "load", lambda name: Dataset(name, split, split, split, 255, ""))
    pictures, labels = small.__wrapped__("mnist", "train")
    expected = -torch.ones(64)
    expected[0], expected[63] = 1.0, 2 * 90 / 255 / 9 - 1
    torch.testing.assert_close(pictures[0], expected)
    assert labels.tolist() == [7]


def test_training_pictures_are_drawn_once_each_from_a_seed():
    def drawn(seed, count=1197):
        return draw("digits", "gray", count, torch.Generator().manual_seed(seed))

    every, _ = small("digits", "train")
    one = drawn(0)
    assert (one.sum(0) - every.sum(0)).abs().max() < 1e-3
    assert (drawn(0, 5) == one[:5]).all() and not (drawn(1, 5) == one[:5]).all()
    with pytest.raises(ValueError, match="images must be from 1 to 1197, got 1198"):
        drawn(0, 1198)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("digits", "exam"), "split must be one of train, validation, test, got 'exam'"),
        (("digits", "test", "four"), "levels must be one of gray, two, got 'four'"),
        (("letters", "test"), "data must be one of mnist, digits, got 'letters'"),
    ],
)
def test_what_there_is_not(given, message):
    with pytest.raises(ValueError, match=message):
        small(*given)
