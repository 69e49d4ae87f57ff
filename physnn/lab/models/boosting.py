"""Gradient-boosted trees, the usual choice on tables: scikit-learn's, one stage at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from physnn.lab.models.plain import number

BINS = 16  # of each feature


@dataclass(frozen=True)
class Boosting:
    """What is free of gradient-boosted trees besides the learning rate.

    Attributes:
        leaves: of a tree at most, from 2 on.
        leaf_samples: training samples of a leaf at least, from 1 on.
        ridge: the penalty of the leaves' squared values, at least 0.
    """

    leaves: int
    leaf_samples: int
    ridge: float

    @classmethod
    def read(cls, rest: dict[str, Any]) -> "Boosting":
        """Take ``leaves``, ``leaf_samples`` and ``ridge`` out of plain data; counts are rounded.

        Raises:
            ValueError: one is missing, no number, or outside its range.
        """
        leaves, least, ridge = (number(rest, name) for name in ("leaves", "leaf_samples", "ridge"))
        if round(leaves) < 2 or round(least) < 1 or ridge < 0:
            raise ValueError(
                f"leaves must be at least 2, leaf_samples at least 1 and ridge at least 0, "
                f"got {leaves}, {least} and {ridge}"
            )
        return cls(round(leaves), round(least), ridge)


class Boosted:
    """Trees that are added round by round: in each round one for every class, or a single one for two classes.

    The features are cut into 16 bins, and those that are the same for all training samples are left out, which changes
    no tree. Nothing is left to chance.

    Args:
        free: what is free.
        lr: what a tree's values are multiplied by, above 0.
        inputs: training samples, of shape (N, n).
        labels: of shape (N,).

    Source: scikit-learn's ``HistGradientBoostingClassifier``.
    """

    def __init__(self, free: Boosting, lr: float, inputs: Tensor, labels: Tensor) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.used = (inputs != inputs[:1]).any(0)
        self.inputs, self.labels, self.rounds = inputs[:, self.used].numpy(), labels.numpy(), 0
        self.model = HistGradientBoostingClassifier(
            learning_rate=lr,
            max_leaf_nodes=free.leaves,
            min_samples_leaf=free.leaf_samples,
            l2_regularization=free.ridge,
            max_bins=BINS,
            early_stopping=False,
            warm_start=True,
            random_state=0,
        )

    def grow(self, rounds: int) -> None:
        """Add trees."""
        self.rounds += rounds
        self.model.max_iter = self.rounds
        self.model.fit(self.inputs, self.labels)

    def accuracy(self, inputs: Tensor, labels: Tensor) -> float:
        """Return the share of right answers: before the first round, of the most frequent class of training."""
        if self.rounds:
            return float(np.mean(self.model.predict(inputs[:, self.used].numpy()) == labels.numpy()))
        return float((labels == int(np.bincount(self.labels).argmax())).double().mean())
