r"""Pictures that heat dissolves: units in a trap whose centre leaves the picture p, and comes to rest at 0.

.. math::
    x_k = x_{k-1} - dt\,(x_{k-1} - g_k\,p) + \sqrt{2\,dt}\;\eta, \qquad x_0 \sim \mathcal N(p, v I), \qquad
    v = \frac{2}{2 - dt}

in the units of :mod:`physnn.lab.physics.machine`, with a trap of stiffness 1. All of it is normal, of one width v at
every step:

.. math::
    x_k \sim \mathcal N(m_k\,p,\ v I), \qquad m_k = (1 - dt)\,m_{k-1} + dt\,g_k, \qquad m_0 = 1

and backwards, if the picture is known, :math:`x_{k-1}` is normal about :math:`x_k - dt\,(x_k - c_k\,p)`, with the
variance 2 dt that a machine's step has too, and :math:`c_k = (m_{k-1} - (1 - dt)\,m_k)/dt`. The faster the trap moves,
the further is c ahead of m: that is what drives a machine back to the pictures. Source: the picture as a force that
fades is that of the program of Whitelam (2025), whose units also have a quartic well while it does.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fade:
    """How a trap leaves a picture: it is held, fades evenly, and is gone for the last steps.

    What the last of ``means`` leaves of a picture is where a machine that begins in noise does not begin: of N units
    together it counts for as much as the root of N times an amplitude in one.

    Attributes:
        steps: how many there are, K, at least 2.
        dt: of a step, between 0 and 1.
        hold: the share of the steps for which the trap stays at the picture, at least 0.
        gone: the share of the steps at the end for which it is at rest at 0; with ``hold`` below 1.

    Raises:
        ValueError: one of them is outside its range.
    """

    steps: int
    dt: float
    hold: float = 0.0
    gone: float = 0.05

    def __post_init__(self) -> None:
        if self.steps < 2 or not 0 < self.dt < 1 or min(self.hold, self.gone) < 0 or self.hold + self.gone >= 1:
            raise ValueError(
                f"a fade needs 2 steps or more, dt between 0 and 1, and hold and gone of at least 0, together below 1, "
                f"got {self}"
            )

    @property
    def variance(self) -> float:
        """The variance v of a unit, of the heat alone."""
        return 2 / (2 - self.dt)

    @property
    def centres(self) -> Tensor:
        """Where the trap is in each step, :math:`g_k`, of shape (K,), as a share of the picture."""
        passed = torch.arange(self.steps, dtype=torch.float64) / self.steps
        return ((1 - self.gone - passed) / (1 - self.gone - self.hold)).clamp(0, 1)

    @property
    def means(self) -> Tensor:
        """What is left of the picture after each step, :math:`m_k`, of shape (K + 1,), 1 at first."""
        left = [1.0]
        for centre in self.centres.tolist():
            left.append((1 - self.dt) * left[-1] + self.dt * centre)
        return torch.tensor(left, dtype=torch.float64)

    @property
    def leads(self) -> Tensor:
        """Where a step back from :math:`x_k` is pulled to, :math:`c_k`, of shape (K,), as a share of the picture."""
        means = self.means
        return (means[:-1] - (1 - self.dt) * means[1:]) / self.dt

    def paths(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Let pictures (n, N) dissolve; return all states, of shape (K + 1, n, N)."""

        def kick() -> Tensor:
            return torch.randn(pictures.shape, generator=generator, dtype=pictures.dtype)

        path = [pictures + self.variance**0.5 * kick()]
        for centre in self.centres.tolist():
            x = path[-1]
            path.append(x - self.dt * (x - centre * pictures) + (2 * self.dt) ** 0.5 * kick())
        return torch.stack(path)

    def noise(self, count: int, units: int, generator: torch.Generator) -> Tensor:
        """Return states of which nothing is known but the trap at rest, (count, units): where machines begin."""
        return self.variance**0.5 * torch.randn(count, units, generator=generator)
