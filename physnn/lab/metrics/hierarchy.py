"""How far off wrong answers are in a tree of the classes."""

import math

import torch
from torch import Tensor


def error_height(answers: Tensor, labels: Tensor, heights: Tensor) -> Tensor:
    r"""Return the mean height of the lowest common ancestor of a wrong answer and the label, over the errors.

    .. math::
        \frac{\sum_n h(\hat y_n, y_n)}{\sum_n [\hat y_n \neq y_n]}

    Args:
        answers: of shape (\*, N), and ``labels``, of the same shape or one that broadcasts to it.
        heights: of shape (C, C), 0 on the diagonal.

    Returns:
        Of shape (\*,); NaN where nothing is wrong. Source: the severity of mistakes of Bertinetto et al. (2020).
    """
    wrong = (answers != labels).sum(-1)
    return heights[answers, labels].double().sum(-1) / torch.where(wrong > 0, wrong.double(), math.nan)


def chance_height(heights: Tensor) -> float:
    """Return :func:`error_height` where all errors are equally likely: the mean height of two different classes."""
    count = len(heights)
    return float(heights.double().sum() / (count * (count - 1)))
