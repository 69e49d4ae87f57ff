"""The losses of the arms: each as a function of outputs and labels, and of many replicas at once."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from physnn import GinzburgLandauLoss
from physnn.field import difference, normalize
from physnn.lab.physics import pixels
from physnn.loss import BOUNDARIES, NORMS, OUTERS

LOSSES = ("ginzburg-landau", "cross-entropy", "squared-error", "softmax-twice")
COEFFICIENTS = {"quadratic": 0.0035, "quartic": -5.0, "spatial": 0.5}
CHOICES = {"norm": NORMS, "boundary": BOUNDARIES, "outer": OUTERS}

Choices = tuple[str, str, str]
Coefficients = tuple[float, float, float]


def make(loss: str, choices: Choices, coefficients: Coefficients) -> Callable[[Tensor, Tensor], Tensor]:
    """Return one of ``LOSSES`` of outputs (N, C) and labels (N,).

    ``choices`` and ``coefficients``, in the order of ``CHOICES`` and ``COEFFICIENTS``, are those of
    :class:`physnn.GinzburgLandauLoss`; the others read neither.
    """
    if loss == "ginzburg-landau":
        return GinzburgLandauLoss(*coefficients, **dict(zip(CHOICES, choices, strict=True)))
    others = {
        "cross-entropy": F.cross_entropy,
        "squared-error": squared_error,
        "softmax-twice": lambda phi, labels: F.cross_entropy(phi.softmax(-1), labels),
    }
    return others[loss]


def stacked(
    kinds: Sequence[tuple[str, Choices, Coefficients]], device: torch.device
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return the function of outputs (R, B, C) and labels (R, B), or (1, B) for all, that gives each of R replicas its
    loss, and its mean energy (NaN where there is none), both of shape (R,). ``kinds`` are the arguments of
    :func:`make` for each."""
    members_of: dict[tuple[str, Choices], list[int]] = {}
    for i, (loss, choices, _) in enumerate(kinds):
        members_of.setdefault((loss, choices), []).append(i)
    groups = []
    for (loss, choices), members in members_of.items():
        coefficients = torch.tensor([kinds[i][2] for i in members], device=device).T
        groups.append((loss, choices, torch.tensor(members, device=device), coefficients))
    order = torch.cat([members for _, _, members, _ in groups]).argsort()

    def losses(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if len(groups) == 1:
            (loss, choices, _, coefficients) = groups[0]
            return _losses(outputs, labels, loss, choices, coefficients)
        parts = [
            _losses(outputs[members], labels if len(labels) == 1 else labels[members], loss, choices, coefficients)
            for loss, choices, members, coefficients in groups
        ]
        first, second = zip(*parts, strict=True)
        return torch.cat(first)[order], torch.cat(second)[order]

    return losses


def _losses(
    outputs: Tensor, labels: Tensor, loss: str, choices: tuple[str, str, str], coefficients: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute one kind of loss of outputs (R, B, C) with labels (R, B) or (1, B), with coefficients (3, R)."""
    classes = outputs.shape[-1]
    if loss != "ginzburg-landau":
        none = torch.full((len(outputs),), torch.nan, device=outputs.device)
        if loss in ("cross-entropy", "softmax-twice"):
            outputs = outputs.softmax(-1) if loss == "softmax-twice" else outputs
            index = labels.expand(outputs.shape[:2]).unsqueeze(-1)
            return -F.log_softmax(outputs, -1).gather(-1, index).mean((1, 2)), none
        return (outputs - F.one_hot(labels, classes)).square().mean((1, 2)), none
    norm, boundary, outer = choices
    quadratic, quartic, spatial = coefficients[:, :, None, None]
    # To normalize, a replica's batch is one sample of a batch of replicas.
    u = normalize(outputs, "sample") if norm == "batch" else normalize(outputs.flatten(0, 1), norm).view_as(outputs)
    d2 = (u - F.one_hot(labels, classes)).square()
    density = d2 * (quadratic + quartic * d2)
    if coefficients[2].any():
        density = density + spatial * difference(u, 2, boundary).square()
    energy = density.mean((1, 2))
    value = {"abs": energy.abs, "none": lambda: energy, "elementwise": lambda: density.abs().mean((1, 2))}[outer]()
    return value, energy.detach()


def squared_error(phi: Tensor, labels: Tensor) -> Tensor:
    """Return the mean squared distance of outputs (*, C) from the one-hot form of labels (*)."""
    return F.mse_loss(phi, F.one_hot(labels, phi.shape[-1]).to(phi.dtype))


def smoothness_gradient(weight: Tensor, stencil: str = pixels.STENCILS[1]) -> Tensor:
    r"""Return the gradient of a squared difference of weights (\*, n), each row a square image of n pixels.

    .. math::
        \frac12\,\langle w, A w\rangle, \qquad \text{gradient } A w

    with A of :mod:`physnn.lab.physics.pixels`: of ``neighbours``, the Dirichlet energy, or ``central``, the difference
    of the post's spatial term.
    """
    side = math.isqrt(weight.shape[-1])
    return pixels.apply(weight.unflatten(-1, (side, side)), stencil).flatten(-2)
