r"""Fields with one state for each class: shares that sum to 1, wells in the corners, and class sizes that are kept.

.. math::
    W(u) = \prod_{c} (1 - u_c)^2, \qquad 0 \le u_c, \quad \sum_c u_c = 1

W is 0 in the corners, where one class has everything, and above it elsewhere. Between two classes it is the quartic
double well :math:`u^2(1 - u)^2`. Fields are tensors of shape (..., C). Source: Garcia-Cardona et al. (2014), whose
wells are these with the distances to the corners measured along the axes.
"""

import torch
from torch import Tensor

SIZES = ("free", "known", "equal")
ROUNDS = 8  # of cooling, when classes get their sizes
CYCLES = 5  # in each
PASSES = 3  # over the classes, each put exactly at its size, at the end
TOP, BOTTOM = 0.5, 1.0e-3  # the temperatures of the first and of the last round, in spreads of the field


def wells(u: Tensor) -> Tensor:
    """Return W, of shape (...)."""
    return (1 - u).square().prod(-1)


def slope(u: Tensor) -> Tensor:
    r"""Return the slope of W, :math:`-2(1 - u_c)\prod_{b \neq c}(1 - u_b)^2`, of shape (..., C)."""
    left = 1 - u
    return torch.where(left == 0, 0.0, -2 * wells(u).unsqueeze(-1) / torch.where(left == 0, 1.0, left))


def entropy(u: Tensor) -> Tensor:
    r"""Return :math:`-\sum_c u_c \ln u_c`, of shape (...): it is 0 in the corners as well, and knows no quartic."""
    return torch.special.entr(u).sum(-1)


def project(v: Tensor) -> Tensor:
    """Return the nearest fields whose shares are at least 0 and sum to 1 (sorted, and cut at one level)."""
    high = v.sort(-1, descending=True).values
    excess = (high.cumsum(-1) - 1) / torch.arange(1, v.shape[-1] + 1, dtype=v.dtype, device=v.device)
    last = (high > excess).sum(-1, keepdim=True) - 1
    return (v - excess.gather(-1, last)).clamp(min=0)


def offsets(field: Tensor, shares: Tensor) -> Tensor:
    r"""Return what is added to each class of a field (n, C) so that its largest entries have the classes' shares.

    .. math::
        p = \operatorname{argmin}_p\; \frac1n\sum_i \max_c (f_{ic} + p_c) - \langle s, p\rangle

    This is what a threshold becomes where the classes' sizes are kept: of all ways to do so it gives up least of
    :math:`\sum_i f_{i c(i)}`. The maximum is softened at a temperature that is lowered; at the end each class in
    turn gets its size. Source: Jacobs, Merkurjev &
    Esedoglu (2018), who find the same p by auctions.

    Raises:
        ValueError: the shares are not one for each class, all above 0, with the sum 1.
    """
    check_shares(shares, field.shape[-1])
    spread = float(field.std(0).mean())
    if spread == 0:
        return torch.zeros_like(field[0])
    ratio = (BOTTOM / TOP) ** (1 / (ROUNDS - 1))
    rows = field.T.contiguous()  # a class's entries beside each other: several times as fast
    single = rows.float()  # twice as fast, and as good: p is a threshold between entries
    p, wanted = torch.zeros_like(single[:, :1]), shares.to(single).log().unsqueeze(1)
    for step in range(ROUNDS):
        warm = spread * TOP * ratio**step
        for _ in range(CYCLES):
            got = torch.softmax((single + p) / warm, 0).mean(1, keepdim=True)
            p = p + warm * (wanted - got.clamp(min=1e-12).log())
    p, n = p.to(field), len(field)
    for _ in range(PASSES):
        for c in range(len(rows)):
            rivals = rows + p
            rivals[c] = -torch.inf
            lead = rows[c] - rivals.amax(0)
            count = min(max(round(float(shares[c]) * n), 1), n - 1)
            p[c] = -(lead.kthvalue(n - count + 1).values + lead.kthvalue(n - count).values) / 2
    return (p - p.mean()).squeeze(1)


def kept(labels: Tensor, sizes: str) -> Tensor | None:
    """Return the shares of the classes that are kept, of shape (C,): of all labels, a like one for each, or None.

    Args:
        labels: of all nodes, of shape (n,).
        sizes: one of ``SIZES``.
    """
    known = torch.bincount(labels).double() / len(labels)
    return {"free": None, "known": known, "equal": torch.full_like(known, 1 / len(known))}[sizes]


def check_shares(shares: Tensor, classes: int) -> None:
    """Raise ValueError unless there is a share above 0 for each class, with the sum 1."""
    good = shares.shape == (classes,) and bool((shares > 0).all()) and abs(float(shares.sum()) - 1) < 1e-4
    if not good:
        raise ValueError(f"shares must be {classes} numbers above 0 with the sum 1, got {shares.tolist()}")
