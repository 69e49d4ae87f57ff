"""How far pictures that were made are from pictures that were not: as laws, and one by one."""

import torch
from torch import Tensor

PIECE = 2000  # pictures whose distances are held at a time


def apart(made: Tensor, given: Tensor, *, whole: bool = False) -> float:
    r"""Return the energy distance of two samples, (n, N) and (m, N), as a share of what it could be.

    .. math::
        1 - \frac{\langle|X - X'|\rangle + \langle|Y - Y'|\rangle}{2\,\langle|X - Y|\rangle}

    It is 0 where both have the same law and nowhere else, and at most 1. Pairs of a sample with itself are left out, so
    that its mean has no bias from few samples, and it can be a little below 0. Source: Székely & Rizzo (2013).

    Args:
        made: of a model.
        given: of the law that it should have.
        whole: the given ones are all there are, each as likely, and not a sample of others.

    Raises:
        ValueError: fewer than two, or some that are not finite.
    """
    _check(made, given, 1 if whole else 2)
    between = distances(made, given)
    own = distances(made, made) * len(made) / (len(made) - 1)
    theirs = distances(given, given) * (1.0 if whole else len(given) / (len(given) - 1))
    return 1 - (own + theirs) / (2 * between)


def distances(first: Tensor, second: Tensor) -> float:
    """Return the mean distance between pictures (n, N) and pictures (m, N), over all pairs."""
    second = second.double()
    sums = [torch.cdist(part.double(), second).sum() for part in first.split(PIECE)]
    return (torch.stack(sums).sum() / (len(first) * len(second))).item()


def frechet(made: Tensor, given: Tensor) -> float:
    r"""Return the Fréchet distance of the normal laws with the means and covariances of two samples of features.

    .. math::
        |\mu - \nu|^2 + \operatorname{tr}\bigl(\Sigma + \Gamma - 2\,(\Sigma\Gamma)^{1/2}\bigr)

    Of samples of one law it is above 0, the more so the fewer they are. Source: Heusel et al. (2017).

    Raises:
        ValueError: fewer than two, or some that are not finite.
    """
    _check(made, given, 2)
    made, given = made.double(), given.double()
    first, second = torch.atleast_2d(torch.cov(made.T)), torch.atleast_2d(torch.cov(given.T))
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    return ((made.mean(0) - given.mean(0)).square().sum() + first.trace() + second.trace() - 2 * shared).item()


def nearest(made: Tensor, seen: Tensor, *, itself: bool = False) -> Tensor:
    """Return the distance of each picture (n, N) from the nearest of those seen in training (m, N), of shape (n,).

    Args:
        made: pictures.
        seen: pictures.
        itself: the two are the same, and a picture is not its own neighbour.
    """
    pieces, seen = [], seen.double()
    for start, part in enumerate(made.split(PIECE)):
        away = torch.cdist(part.double(), seen, compute_mode="donot_use_mm_for_euclid_dist")
        if itself:
            own = torch.arange(len(part))
            away[own, own + start * PIECE] = torch.inf
        pieces.append(away.amin(1))
    return torch.cat(pieces)


def shares_apart(made: Tensor, given: Tensor, classes: int) -> float:
    """Return the total variation of the shares of the classes in two samples of labels, between 0 and 1."""
    first, second = (torch.bincount(labels, minlength=classes).double() / len(labels) for labels in (made, given))
    return (first - second).abs().sum().item() / 2


def _check(made: Tensor, given: Tensor, least: int) -> None:
    if len(made) < 2 or len(given) < least:
        raise ValueError(f"a distance of laws needs two pictures of each, got {len(made)} and {len(given)}")
    if not (made.isfinite().all() and given.isfinite().all()):
        raise ValueError("pictures must be finite; some are not")
