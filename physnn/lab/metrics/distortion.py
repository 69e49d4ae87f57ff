r"""How well distances of an embedding give those of a graph: D and d, two matrices of shape (N, N)."""

import numpy as np


def average_distortion(embedded: np.ndarray, graph: np.ndarray) -> float:
    r"""Return the mean relative error of the distances, at the scale that makes it smallest.

    .. math::
        \min_s \operatorname*{mean}_{i<j} \frac{|D_{ij}/s - d_{ij}|}{d_{ij}}

    Source: Sala et al. (2018), with the scale, which they take as given. The best scale is a weighted median.
    """
    ratio = np.sort(_ratios(embedded, graph))
    weight = np.cumsum(ratio)  # the error is a sum of ratio * |1/s - 1/ratio|
    best = ratio[np.searchsorted(weight, weight[-1] / 2)]
    return float(np.abs(ratio / best - 1).mean())


def worst_distortion(embedded: np.ndarray, graph: np.ndarray) -> float:
    r"""Return the largest stretch over the smallest, 1 or more: :math:`\max (D_{ij}/d_{ij}) / \min (D_{ij}/d_{ij})`."""
    ratio = _ratios(embedded, graph)
    return float(ratio.max() / ratio.min()) if ratio.min() > 0 else float("inf")


def mean_average_precision(embedded: np.ndarray, graph: np.ndarray) -> float:
    r"""Return how well the order of distances finds the neighbours in the graph, those of distance 1: 1 at best.

    .. math::
        \frac1N \sum_a \frac{1}{\deg a} \sum_{b \sim a} \frac{|\{c \sim a : D_{ac} \le D_{ab}\}|}{|\{c \ne a : D_{ac}
        \le D_{ab}\}|}

    Source: Nickel & Kiela (2017).

    Raises:
        ValueError: the matrices differ in shape, or a node has no neighbour.
    """
    _check(embedded, graph)
    neighbours = graph == 1
    if not neighbours.any(1).all():
        raise ValueError("every node needs a neighbour, one at distance 1")
    apart = embedded + np.where(np.eye(len(graph), dtype=bool), np.inf, 0.0)
    precisions = []
    for distances, near in zip(apart, neighbours, strict=True):
        within = distances[None, :] <= distances[near][:, None]
        precisions.append((within & near).sum(1).astype(float) / within.sum(1))
    return float(np.mean([each.mean() for each in precisions]))


def _ratios(embedded: np.ndarray, graph: np.ndarray) -> np.ndarray:
    _check(embedded, graph)
    pairs = np.triu_indices(len(graph), 1)
    return np.asarray(embedded[pairs] / graph[pairs], dtype=float)


def _check(embedded: np.ndarray, graph: np.ndarray) -> None:
    if embedded.shape != graph.shape or graph.ndim != 2 or graph.shape[0] != graph.shape[1] or len(graph) < 2:
        raise ValueError(f"two square matrices of one shape are compared, got {embedded.shape} and {graph.shape}")
