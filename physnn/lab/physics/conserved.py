r"""The energy of a field on a graph that a network's outputs can be: neighbours pull, wells sharpen, shares are kept.

.. math::
    E(u) = \frac\kappa2 \Bigl\langle \sum_j w_{ij}\,|u_i - u_j|^2 \Bigr\rangle
    + \frac1\varepsilon\, \bigl\langle W(u_i) \bigr\rangle
    + \lambda \sum_c s_c \ln\frac{s_c}{\langle u_{ic} \rangle}

with means over nodes i, and the wells W of :mod:`physnn.lab.physics.simplex`, one for each class. The last term holds
the mean of the field at the classes' shares s: an order parameter that is conserved, softly, so that a field which
falls into one class costs more than any number.
"""

import math

import torch
from torch import Tensor

from physnn.lab.physics.simplex import check_shares, entropy, wells

SHARPENING = ("wells", "entropy")
ALIKE = 1 / (16 * math.log(2))  # of entropy: halfway between two classes it is then as high as the wells
PLACES = 100_001  # shares of a class that are tried for the line of collapse
LEAST = 1.0e-8  # below it a mean is no smaller


def conserved_energy(
    u: Tensor,
    neighbours: Tensor,
    weights: Tensor,
    *,
    stiffness: float | Tensor = 1.0,
    depth: float | Tensor = 0.0,
    shares: Tensor | None = None,
    conservation: float | Tensor = 1.0,
    sharpening: str = "wells",
) -> Tensor:
    r"""Return E of nodes with their neighbours: a term to be added to any classifier's loss on its labels.

    In a loop over batches of images x, of whose neighbours one is drawn for each by its weight, so that its own is 1::

        u = model(torch.cat([x, x_of_a_neighbour])).softmax(-1)
        here, there = u.chunk(2)
        energy = conserved_energy(here, there.unsqueeze(1), torch.ones(len(x), 1), stiffness=10, depth=1, shares=s)
        loss = F.cross_entropy(model(labelled), labels) + energy

    Args:
        u: probabilities of the classes at B nodes, of shape (..., B, C).
        neighbours: those at k neighbours of each, of shape (..., B, k, C).
        weights: :math:`w_{ij}`, of shape (..., B, k); those of a node have the sum 1 where :math:`\kappa` is to have
            the same meaning at each.
        stiffness: :math:`\kappa`, at least 0; a number, or a tensor of the leading shape.
        depth: :math:`1/\varepsilon`, at least 0, likewise.
        shares: s, of shape (C,), above 0 with the sum 1; None for a field that is not conserved.
        conservation: :math:`\lambda`, at least 0, likewise.
        sharpening: ``"wells"`` for W, or ``"entropy"`` for :math:`-\sum_c u_c \ln u_c / (16 \ln 2)` in its place,
            which is as high between two classes: 1/16.

    Returns:
        E, of the leading shape: for one network a scalar.

    Raises:
        ValueError: shapes that do not fit, shares that are none, or an unknown sharpening.

    Source: Bertozzi & Flenner (2012) and Garcia-Cardona et al. (2014) for the energy; Krause et al. (2010) for the
    last term, which is theirs with the shares given.
    """
    tied = (*u.shape[:-1], weights.shape[-1])
    if weights.shape != tied or neighbours.shape != (*tied, u.shape[-1]):
        raise ValueError(
            f"u must be (..., B, C), neighbours (..., B, k, C) and weights (..., B, k), got {tuple(u.shape)}, "
            f"{tuple(neighbours.shape)} and {tuple(weights.shape)}"
        )
    if sharpening not in SHARPENING:
        raise ValueError(f"sharpening must be one of {', '.join(SHARPENING)}, got {sharpening!r}")
    apart = (u.unsqueeze(-2) - neighbours).square().sum(-1)
    height = wells(u) if sharpening == "wells" else ALIKE * entropy(u)
    energy = stiffness / 2 * (weights * apart).sum(-1).mean(-1) + depth * height.mean(-1)
    if shares is None:
        return energy
    check_shares(shares, u.shape[-1])
    kept = shares.to(u)
    return energy + conservation * (kept * (kept / u.mean(-2).clamp(min=LEAST)).log()).sum(-1)


def ordering(classes: int) -> float:
    r"""Return :math:`\kappa\varepsilon\lambda_i` below which a field without classes falls into them along a mode i.

    .. math::
        \kappa\,\varepsilon\,\lambda_i < (1 - 1/C)^{2C - 2}

    where :math:`\lambda_i` is the mode's eigenvalue of :math:`1 - P`, P the step of a random walk on the graph: there
    the slope of the wells grows by :math:`2(1 - 1/C)^{2C - 2}/\varepsilon` and that of the differences by
    :math:`2\kappa\lambda_i`.
    """
    return (1 - 1 / classes) ** (2 * classes - 2)


def pinning() -> float:
    r"""Return the :math:`\kappa\varepsilon` below which a node keeps its class among neighbours of another: 1/16.

    Between two corners, with weights of the sum 1 to and from it, the share s of its own class has the energy
    :math:`s^2(1-s)^2/\varepsilon + 2\kappa s^2`, whose slope is zero at other places than :math:`s = 0` as long as
    :math:`(1-s)(2s-1)`, at most 1/8, reaches :math:`2\kappa\varepsilon`.
    """
    return 1 / 16


def collapse(classes: int, cut: float, depth: float = 0.0) -> float:
    r"""Return the :math:`\kappa` above which a field that is alike everywhere costs less than the right answer.

    .. math::
        \frac\kappa2\,q > \min_p\; \Bigl[-\frac1C \ln p - \frac{C - 1}{C} \ln\frac{1 - p}{C - 1}
        + \frac1\varepsilon\,W\Bigr]

    if nothing is kept. The left side is what the right answers y cost, with the cut q, the mean of
    :math:`\sum_j w_{ij}|y_i - y_j|^2`. The right side is what a field costs, on labels of as many of each class and in
    wells of a depth :math:`1/\varepsilon`, that has p of one class and the same of each other at all nodes. Without
    wells it is :math:`\ln C`, at :math:`p = 1/C`; with deep ones, one class has nearly all.

    Raises:
        ValueError: the cut is not above 0.
    """
    if not cut > 0:
        raise ValueError(f"cut must be above 0, got {cut:g}")
    p = torch.linspace(1 / classes, 1, PLACES, dtype=torch.float64)[:-1]
    other = (1 - p) / (classes - 1)
    height = ((1 - p) * (1 - other) ** (classes - 1)).square()
    costs = -(p.log() + (classes - 1) * other.log()) / classes + depth * height
    return 2 * float(costs.min()) / cut
