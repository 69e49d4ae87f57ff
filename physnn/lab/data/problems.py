"""Problems of classification, each drawn from a seed: images, leaves of a noisy tree, signals, and tumours."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from physnn.lab.data import images, signals, trees
from physnn.lab.data.corruptions import mislabel
from physnn.lab.data.trees import Samples

PROBLEMS = ("images", "tree", "signals", "shuffled signals", "tumours")
TREE = {"branching": 2, "depth": 6, "noise": 1.0}  # 64 leaves
JUDGED = 2000  # validation images at most
HELD = {"tumours": (171, 114), "signals": (1000, 1000)}  # test and validation samples
STREAM = 0xD4A7  # without it, the steps of a tree would be the numbers that a network of this seed starts from
FIXED = 0  # seed of the tumours that all seeds are tested by


@dataclass(frozen=True)
class Problem:
    """Training, validation and test samples: inputs of shape (N, n), float32, and labels of shape (N,), int64."""

    train: Samples
    validation: Samples
    test: Samples


def draw(name: str, samples: int, seed: int, *, label_noise: float = 0.0, data: str = "mnist") -> Problem:
    """Draw a problem from a seed: which training samples there are, and what else is left to chance.

    ``images`` takes equally many of every class from the training images, gray values from 0 to 1; the first 2,000
    validation images and all test images are the same for all seeds. ``tree`` is a noisy tree of 64 leaves
    (:func:`physnn.lab.data.trees.noisy_tree`, two branches, six levels, noise 1), another one for each seed.
    ``signals`` and ``shuffled signals`` are :func:`physnn.lab.data.signals.signals`, ``tumours`` scikit-learn's breast
    cancer data, each measurement standardized by the training samples; of both a fixed part is the test, and the seed
    parts the rest.

    Args:
        name: one of ``PROBLEMS``.
        samples: how many there are to train on.
        label_noise: the share of wrong training labels (:func:`physnn.lab.data.corruptions.mislabel`); of images alone.
        data: the images, as :func:`physnn.lab.data.images.load` has them.

    Raises:
        ValueError: the problem is unknown, has not so many samples, or no wrong labels.
    """
    if name not in PROBLEMS:
        raise ValueError(f"problem must be one of {', '.join(PROBLEMS)}, got {name!r}")
    if label_noise and name != "images":
        raise ValueError(f"label_noise is of images, got {label_noise} for {name}")
    own = seed ^ STREAM
    generator = torch.Generator().manual_seed(own)
    if name == "images":
        return _images(samples, generator, label_noise, data, own)
    if name == "tree":
        return _tree(samples, own)
    if name == "tumours":
        return _tumours(samples, generator)
    rest, test = signals.signals(shuffled=name == "shuffled signals")
    return _parted(rest, test, samples, generator, "signals")


def _images(samples: int, generator: torch.Generator, label_noise: float, data: str, seed: int) -> Problem:
    found = images.load(data)

    def of(split: images.Split, chosen: Tensor | slice) -> Samples:
        return Samples(found.as_input(split.images[chosen]).flatten(1), split.labels[chosen])

    train = of(found.train, balanced(found.train.labels, samples, generator))
    train = Samples(train.inputs, mislabel(train.labels, label_noise, seed))
    return Problem(train, of(found.validation, slice(JUDGED)), of(found.test, slice(None)))


def _tree(samples: int, seed: int) -> Problem:
    tree = trees.noisy_tree(**TREE, seed=seed)
    _enough(samples, len(tree.train.labels), "tree")
    return Problem(_of(tree.train, torch.arange(samples)), tree.validation, tree.test)


def _tumours(samples: int, generator: torch.Generator) -> Problem:
    from sklearn.datasets import load_breast_cancer

    inputs, labels = (torch.from_numpy(part) for part in load_breast_cancer(return_X_y=True))
    every = Samples(inputs, labels.long())
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(FIXED))
    rest, test = (_of(every, index) for index in (order[HELD["tumours"][0] :], order[: HELD["tumours"][0]]))
    parts = _parted(rest, test, samples, generator, "tumours")
    mean, std = parts.train.inputs.mean(0), parts.train.inputs.std(0)
    scaled = [
        Samples(((part.inputs - mean) / std).float(), part.labels)
        for part in (parts.train, parts.validation, parts.test)
    ]
    return Problem(*scaled)


def balanced(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return the places of ``count`` labels, drawn so that all classes are equally many, in random order.

    Raises:
        ValueError: the classes do not divide the count, or one has too few.
    """
    classes = int(labels.max()) + 1
    places = [(labels == k).nonzero().flatten() for k in range(classes)]
    each, least = count // classes, min(len(of_class) for of_class in places)
    if count < 1 or count % classes or each > least:
        raise ValueError(
            f"samples must be a multiple of the {classes} classes and at most {classes * least}, got {count}"
        )
    drawn = [of_class[torch.randperm(len(of_class), generator=generator)[:each]] for of_class in places]
    return torch.cat(drawn)[torch.randperm(count, generator=generator)]


def checksum(data: str) -> str:
    """Return the SHA-256 of what all problems are drawn from: the images of that name, and the others."""
    parts = [images.load(data).checksum, trees.checksum(), signals.checksum()]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _parted(rest: Samples, test: Samples, samples: int, generator: torch.Generator, name: str) -> Problem:
    """Let chance part what is not for the test: the validation samples, then those to train on."""
    count = HELD[name][1]
    _enough(samples, len(rest.labels) - count, name)
    order = torch.randperm(len(rest.labels), generator=generator)
    return Problem(_of(rest, order[count : count + samples]), _of(rest, order[:count]), test)


def _of(part: Samples, index: Tensor) -> Samples:
    return Samples(part.inputs[index], part.labels[index])


def _enough(samples: int, most: int, name: str) -> None:
    if not 1 <= samples <= most:
        raise ValueError(f"samples of {name} must be from 1 to {most}, got {samples}")
