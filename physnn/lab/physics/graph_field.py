r"""Fields on a graph: what a few labelled nodes say of all the others.

.. math::
    E(u) = \frac12\sum_{i<j} w_{ij}\,|u_i - u_j|^2 + \frac1\varepsilon \sum_i d_i\,W(u_i), \qquad
    (Lu)_i = \sum_j w_{ij}(u_i - u_j), \quad d_i = \sum_j w_{ij}

with the wells W of :mod:`physnn.lab.physics.simplex`. The labelled nodes are held at their corners. A field is of
shape (n, C), in double precision, and weights are a symmetric sparse matrix (:mod:`physnn.lab.data.graphs`).
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from physnn.lab.physics.simplex import offsets, project, slope, wells

if TYPE_CHECKING:
    from scipy.sparse import csr_array

TOLERANCE = 1.0e-5  # of conjugate gradients, of the right side's norm
ROUGH = 0.03  # the same within a flow, of what is missing at the start of a step
ITERATIONS = 2000
STEPS = 40  # of a flow, at most
STILL = 2.0e-5  # share of answers, or mean change of shares, below which a flow has ended
FAST = 4.0  # what labelled nodes have where all others have shares: no offset can turn them
HOLD = 2  # adjustments of the class sizes in a step of the smooth flow


def laplace(weights: "csr_array", index: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return the field without wells: Lu = 0 at every node that is not labelled. Source: Zhu et al. (2003)."""
    u, free = _held(weights.shape[0], index, labels, classes)
    inner = weights[free.numpy()]
    degrees = inner.sum(1)
    right = torch.from_numpy(inner @ u.numpy())
    u[free] = _solve(inner[:, free.numpy()], degrees, right, TOLERANCE)
    return u


def poisson(weights: "csr_array", index: Tensor, labels: Tensor, classes: int) -> Tensor:
    r"""Return the field of charges at the labelled nodes, :math:`Lu = \sum_j \delta_j (y_j - \bar y)`.

    Its mean, weighted by the degrees, is 0. Where labels are few, Laplace's field is flat but for spikes at them, and
    this one is not. Source: Calder et al. (2020).

    Raises:
        ValueError: the labels of a connected part do not cancel: the graph falls apart, and has no such field.
    """
    right = torch.zeros(weights.shape[0], classes, dtype=torch.float64)
    given = torch.nn.functional.one_hot(labels, classes).double()
    right.index_add_(0, index, given - given.mean(0))
    degrees = weights.sum(1)
    u = _solve(weights, degrees, right, TOLERANCE)
    left = right.numpy() - (degrees[:, None] * u.numpy() - weights @ u.numpy())
    if np.linalg.norm(left) > 100 * TOLERANCE * np.linalg.norm(right.numpy()):
        raise ValueError("the graph falls apart: labels of a part of it do not cancel; take more neighbours")
    d = torch.from_numpy(degrees)
    return u - (d @ u) / d.sum()


def answers(field: Tensor, shares: Tensor | None = None) -> Tensor:
    """Return the class of each node, of shape (n,): the largest entry, or the one that keeps the classes' shares.

    Raises:
        ValueError: as :func:`physnn.lab.physics.simplex.offsets`.
    """
    return (field if shares is None else field + offsets(field, shares)).argmax(1)


def threshold(
    weights: "csr_array",
    start: Tensor,
    index: Tensor,
    labels: Tensor,
    time: float,
    shares: Tensor | None = None,
    steps: int = STEPS,
) -> tuple[Tensor, int]:
    r"""Diffuse for a time and cut, again and again, until the answers stay: the flow of E with the thinnest walls.

    .. math::
        (D + \tau L)\,v = D\,u, \qquad u_i' = e_{c(i)}, \quad c(i) = \operatorname{argmax}_c (v_{ic} + p_c)

    with :math:`p = 0`, or what keeps the classes' shares. Where :math:`\tau` is small no node ever changes its mind.
    Source: Merriman, Bence & Osher (1992); on graphs Garcia-Cardona et al. (2014); with sizes Jacobs et al. (2018).

    Args:
        start: shape (n, C); its answers are where it begins.

    Returns:
        The classes, of shape (n,), and the number of steps taken.
    """
    classes, degrees = start.shape[1], weights.sum(1)
    d = torch.from_numpy(degrees)[:, None]
    found = answers(start, shares)
    found[index] = labels
    v = torch.nn.functional.one_hot(found, classes).double()
    for step in range(1, steps + 1):
        u = torch.nn.functional.one_hot(found, classes).double()
        v = _solve(time * weights, (1 + time) * degrees, d * u, ROUGH, v)
        held = v.clone()
        held[index] = FAST * torch.nn.functional.one_hot(labels, classes).double()
        after = answers(held, shares)
        changed = float((after != found).double().mean())
        found = after
        if changed < STILL:
            return found, step
    return found, steps


def flow(
    weights: "csr_array",
    start: Tensor,
    index: Tensor,
    labels: Tensor,
    width: float,
    shares: Tensor | None = None,
    steps: int = STEPS,
) -> tuple[Tensor, int]:
    r"""Go down E by steps that take the differences at their end and the wells at their beginning.

    .. math::
        \bigl((1 + c) D + L\bigr)\,v = D\,\bigl((1 + c)\,u - W'(u)/\varepsilon\bigr), \qquad u' = P(v + p)

    with :math:`c = 2/\varepsilon`, P the projection to the simplex, and p what holds the mean of u, weighted by the
    degrees, at the shares: a conserved order parameter.
    Source: Garcia-Cardona et al. (2014); Budd & van Gennip (2020) for the mean that is kept.

    Args:
        start: shape (n, C), whose answers are where it begins.
        width: :math:`\varepsilon`, above 0.

    Returns:
        The field, of shape (n, C), and the number of steps taken.

    Raises:
        ValueError: the width is not above 0.
    """
    if not width > 0:
        raise ValueError(f"width must be above 0, got {width:g}")
    classes, degrees = start.shape[1], weights.sum(1)
    d, keep = torch.from_numpy(degrees)[:, None], 1 + 2 / width
    held = torch.nn.functional.one_hot(labels, classes).double()
    u = torch.nn.functional.one_hot(answers(start, shares), classes).double()
    u[index] = held
    p = torch.zeros(classes, dtype=torch.float64)
    for step in range(1, steps + 1):
        v = _solve(weights, (1 + keep) * degrees, d * (keep * u - slope(u) / width), ROUGH, u)
        after = project(v + p)
        for _ in range(HOLD if shares is not None else 0):
            p = p + shares - (d * after).sum(0) / d.sum()
            after = project(v + p)
        after[index] = held
        change, u = float((after - u).abs().mean()), after
        if change < STILL:
            return u, step
    return u, steps


def energy(weights: "csr_array", u: Tensor, width: float) -> float:
    """Return E of a field."""
    d = torch.from_numpy(weights.sum(1))
    pull = d[:, None] * u - torch.from_numpy(weights @ u.numpy())
    return float((u * pull).sum() / 2 + (d * wells(u)).sum() / width)


def _held(n: int, index: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return a field that is 0 but at the labelled nodes, and the places of the others."""
    u, free = torch.zeros(n, classes, dtype=torch.float64), torch.ones(n, dtype=torch.bool)
    u[index], free[index] = torch.nn.functional.one_hot(labels, classes).double(), False
    return u, free.nonzero().flatten()


def _solve(
    weights: "csr_array", diagonal: np.ndarray, right: Tensor, tolerance: float, start: Tensor | None = None
) -> Tensor:
    """Return u of (diagonal - W) u = right, all columns at once, by conjugate gradients behind the diagonal."""
    from scipy.sparse.linalg import LinearOperator, cg

    shape, size = right.shape, right.numel()

    def apply(flat: np.ndarray) -> np.ndarray:
        u = flat.reshape(shape)
        return (diagonal[:, None] * u - weights @ u).ravel()

    def divide(flat: np.ndarray) -> np.ndarray:
        return (flat.reshape(shape) / diagonal[:, None]).ravel()

    operator = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    inverse = LinearOperator((size, size), matvec=divide, dtype=np.float64)
    # The tolerance is of what is missing: of the right side it may be met where the step begins, and nothing moves.
    first = np.zeros(size) if start is None else start.numpy().ravel()
    missing = right.numpy().ravel() - (0 if start is None else apply(first))
    found, _ = cg(operator, missing, rtol=tolerance, maxiter=ITERATIONS, M=inverse)
    return torch.from_numpy((first + found).reshape(shape))
