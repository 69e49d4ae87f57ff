"""Problems that are drawn from a seed: what is left to chance, what is not, and that the parts do not meet."""

import random

import numpy as np
import pytest
import torch

from physnn import ExperimentalLayer
from physnn.lab.data import problems, signals, trees
from physnn.lab.data.images import load

DRAWN = {"images": (500, 64, 10), "tree": (1280, 32, 64), "signals": (3000, 40, 10), "tumours": (284, 30, 2)}


def drawn(name, seed=3, **more):
    return problems.draw(name, DRAWN[name][0], seed, data="digits", **more)


def rows(*parts):
    return [tuple(row) for part in parts for row in part.inputs.tolist()]


@pytest.mark.parametrize("name", DRAWN)
def test_a_problem_is_its_seeds(name):
    samples, features, classes = DRAWN[name]
    first, again, other = drawn(name), drawn(name), drawn(name, 4)
    for part in ("train", "validation", "test"):
        own = getattr(first, part)
        assert own.inputs.dtype == torch.float32 and own.labels.dtype == torch.int64
        assert own.inputs.shape == (len(own.labels), features) and own.labels.unique().tolist() == list(range(classes))
        assert torch.equal(own.inputs, getattr(again, part).inputs)
    assert len(first.train.labels) == samples
    assert not torch.equal(first.train.inputs, other.train.inputs)


@pytest.mark.parametrize("name", ["signals", "tumours"])
def test_the_test_is_no_part_of_the_rest(name):
    """The seed parts what is not for the test; the tumours are scaled by training samples alone."""
    first, other = drawn(name), drawn(name, 4)
    assert torch.equal(first.test.labels, other.test.labels)
    assert len(first.test.labels) == problems.HELD[name][0] and len(first.validation.labels) == problems.HELD[name][1]
    every = rows(first.train, first.validation, first.test)
    assert len(set(every)) == len(every)
    if name == "tumours":
        assert len(every) == 569
        torch.testing.assert_close(first.train.inputs.mean(0), torch.zeros(30), atol=1e-5, rtol=0)
        torch.testing.assert_close(first.train.inputs.std(0), torch.ones(30))


def test_images_are_balanced_and_as_the_data_set_has_them():
    found, images = drawn("images"), load("digits")
    assert found.train.labels.bincount().tolist() == [50] * 10
    known = set(rows(problems.Samples(images.as_input(images.train.images).flatten(1), images.train.labels)))
    assert set(rows(found.train)) <= known
    assert torch.equal(found.test.labels, images.test.labels) and len(found.validation.labels) == 300
    assert found.train.inputs.max() == 1


def test_a_network_does_not_start_from_the_steps_of_its_tree():
    """One seed gives both: the weights agree with no stretch of the steps, which those of a bare seed would be."""
    torch.manual_seed(3)
    weights = ExperimentalLayer(32, 17, 0.1).w.detach().flatten()

    def agreement(seed):
        generator = torch.Generator().manual_seed(seed)
        steps = torch.cat([torch.randn(2**level * 32, generator=generator) for level in range(1, 7)])
        stretches = steps.unfold(0, len(weights), 16)
        return torch.corrcoef(torch.cat([weights[None], stretches]))[0, 1:].abs().max().item()

    assert agreement(3) > 0.99, "what the seed of the problem is kept apart from"
    assert agreement(3 ^ problems.STREAM) < 0.2
    own, bare = drawn("tree").test.inputs, trees.noisy_tree(**problems.TREE, seed=3).test.inputs
    assert not torch.equal(own, bare)
    assert torch.equal(own, trees.noisy_tree(**problems.TREE, seed=3 ^ problems.STREAM).test.inputs)


def test_wrong_labels_are_of_training_alone():
    """40 % of 500, to five standard deviations, on the same images; all others are right."""
    right, wrong = drawn("images"), drawn("images", label_noise=0.4)
    assert torch.equal(right.train.inputs, wrong.train.inputs)
    share = (right.train.labels != wrong.train.labels).double().mean().item()
    assert share == pytest.approx(0.4, abs=5 * (0.24 / 500) ** 0.5)
    for part in ("validation", "test"):
        assert torch.equal(getattr(right, part).labels, getattr(wrong, part).labels)


def test_shuffled_signals_are_the_same_numbers_in_another_order():
    random.seed(5), np.random.seed(5)  # noqa: NPY002
    expected = random.random(), np.random.rand()  # noqa: NPY002
    random.seed(5), np.random.seed(5)  # noqa: NPY002
    signals.signals.cache_clear()
    (plain, _), (shuffled, _) = signals.signals(), signals.signals(shuffled=True)
    assert (random.random(), np.random.rand()) == expected, "the generators of the process are as they were"  # noqa: NPY002
    assert torch.equal(plain.labels, shuffled.labels)
    columns = {tuple(column) for column in plain.inputs.T[:, :100].tolist()}
    assert columns == {tuple(column) for column in shuffled.inputs.T[:, :100].tolist()}
    assert not torch.equal(plain.inputs, shuffled.inputs)
    assert plain.inputs.shape == (4000, 40) and plain.labels.bincount().min() > 300
    neighbours = [(x[:, 1:] * x[:, :-1]).mean().item() for x in (plain.inputs, shuffled.inputs)]
    assert neighbours[0] > 0.7 > neighbours[1], "a signal is smooth, and in another order it is not"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("faces", 10, {}), "problem must be one of images, tree, signals, shuffled signals, tumours, got 'faces'"),
        (("images", 15, {}), "samples must be a multiple of the 10 classes and at most .*, got 15"),
        (("images", 5000, {}), "got 5000"),
        (("images", 0, {}), "got 0"),
        (("tree", 1281, {}), "samples of tree must be from 1 to 1280, got 1281"),
        (("tumours", 285, {}), "samples of tumours must be from 1 to 284, got 285"),
        (("tree", 10, {"label_noise": 0.4}), "label_noise is of images, got 0.4 for tree"),
    ],
)
def test_a_problem_that_there_is_not(given, message):
    name, samples, more = given
    with pytest.raises(ValueError, match=message):
        problems.draw(name, samples, 0, data="digits", **more)


def test_the_checksum_is_that_of_the_data():
    assert problems.checksum("digits") == problems.checksum("digits") and len(problems.checksum("digits")) == 64
