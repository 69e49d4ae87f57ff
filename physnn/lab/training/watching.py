"""What a run can log of its own motion beside its loss: the gradient's length and how fast the weights turn."""

from collections.abc import Sequence

import torch
from torch import Tensor

from physnn.lab.training.updates import THERMOMETER, Update


class Watched:
    r"""An :class:`~physnn.lab.training.updates.Update` that reads the gradient and the step, at every tenth of them.

    .. math::
        |g|, \qquad \frac{|\delta_\perp|}{|\theta|}, \qquad
        \delta_\perp = \delta - \frac{\delta\cdot\theta}{|\theta|^2}\,\theta

    with :math:`\theta` the parameters before the step and :math:`\delta` the step: the second number is the tangent of
    the angle by which a small step turns the direction of the weights, the only thing that a loss sees which does not
    change with their scale. The numbers of the run are untouched.
    """

    def __init__(self, update: Update) -> None:
        self.update = update
        self.readings: list[Tensor] = []

    @torch.no_grad()
    def step(self, grads: Sequence[Tensor]) -> None:
        """Move the parameters, as the update does."""
        if self.update.taken % THERMOMETER:
            self.update.step(grads)
            return
        length = dot(grads, grads).sqrt()
        before = [p.detach().clone() for p in self.update.params]
        self.update.step(grads)
        step = [p - first for p, first in zip(self.update.params, before, strict=True)]
        square = dot(before, before)
        across = (dot(step, step) - dot(step, before).square() / square).clamp(min=0)
        self.readings.append(torch.stack([length, (across / square).sqrt()]))

    def freeze(self, i: int) -> None:
        """Put a replica at rest, at zero."""
        self.update.freeze(i)

    def temperatures(self) -> Tensor:
        """Return the update's temperatures."""
        return self.update.temperatures()

    def motion(self) -> dict[str, Tensor]:
        """Return the means of ``gradient`` and ``speed`` since the last call, shape (R,); NaN where there are none."""
        readings, self.readings = self.readings, []
        count = len(self.update.recipes)
        gradient, speed = torch.stack(readings).mean(0) if readings else torch.full((2, count), torch.nan)
        return {"gradient": gradient, "speed": speed}


def dot(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Return the inner product of two lists of tensors (R, ...) for each replica, (R,), in double precision."""
    return sum((a.double() * b.double()).reshape(len(a), -1).sum(1) for a, b in zip(first, second, strict=True))
