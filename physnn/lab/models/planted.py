r"""A planted problem: a small net learns from another of its own kind, so that the lowest loss there is is known.

.. math::
    f(x; w) = \sum_{k=1}^K \tanh(w_k \cdot x), \qquad
    L(w) = \tfrac12 \operatorname{mean}_i \bigl(f(x_i; w) - f(x_i; w^*)\bigr)^2 \ge L(w^*) = 0

Soft committees of teacher and student, as in Saad & Solla (1995). Exchanging units changes nothing, so the best minimum
is there K! times. Others are spurious, and a student that is no larger than its teacher ends in them often (Safran &
Shamir 2018).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

SCALE = 3.0  # of the teacher's weights, in standard deviations of its units' inputs: units that bend, and do not jump
SPREADS = {"near": 0.1, "far": 1.0}  # of starts, over the teacher's own
SHARE = 1e-3  # of the variance that a student may leave and still be called found


class Planted:
    """R problems of one size, each drawn from its own seed, and students of them.

    Inputs are normal, and so are the teacher's weights, with standard deviation 3 / sqrt(inputs) each.

    Args:
        seeds: one for each problem.
        units: K, of teacher and student.
        inputs: n, components of an input.
        samples: inputs that the loss is a mean over.

    Attributes:
        x: the inputs, of shape (R, samples, inputs).
        teacher: its weights, of shape (R, units * inputs).
        y: its outputs, of shape (R, samples).
        tolerance: below this loss a student has found the teacher: a thousandth of half the variance of y, shape (R,).
    """

    def __init__(self, seeds: Sequence[int], units: int, inputs: int, samples: int) -> None:
        self.units, self.inputs = units, inputs
        drawn = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.x = torch.stack([torch.randn(samples, inputs, generator=g) for g in drawn])
        self.scale = SCALE / inputs**0.5
        self.teacher = torch.stack([torch.randn(units * inputs, generator=g) * self.scale for g in drawn])
        self.y = self._outputs(self.teacher[:, None])[0].squeeze(1)
        self.tolerance = SHARE * self.y.var(1, correction=0) / 2

    def evaluate(self, students: Tensor) -> tuple[Tensor, Tensor]:
        """Return losses of shape (R, W) and gradients of students of shape (R, W, units * inputs)."""
        outputs, bent = self._outputs(students)
        wrong = outputs - self.y[:, None]
        pull = wrong.unsqueeze(-2) * (1 - bent * bent) / wrong.shape[-1]
        return wrong.square().mean(-1) / 2, (pull.flatten(1, 2) @ self.x).view_as(students)

    def draw(self, generator: torch.Generator, count: int, start: str) -> Tensor:
        """Draw students of shape (count, units * inputs): ``near`` zero, or as ``far`` from it as the teacher.

        Raises:
            ValueError: there are no such starts.
        """
        if start not in SPREADS:
            raise ValueError(f"start must be one of {', '.join(SPREADS)}, got {start!r}")
        size = self.units * self.inputs
        return torch.randn(count, size, generator=generator) * (SPREADS[start] * self.scale)

    def found(self, students: Tensor, losses: Tensor) -> Tensor:
        """Tell of students of shape (R, W, units * inputs), by their losses (R, W), which have found the teacher."""
        return losses < self.tolerance[:, None]

    def _outputs(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs of shape (R, W, samples), and those of the units, of shape (R, W, units, samples)."""
        several = weights.view(len(weights), -1, self.inputs)
        bent = (several @ self.x.mT).tanh().view(*weights.shape[:2], self.units, -1)
        return bent.sum(2), bent
